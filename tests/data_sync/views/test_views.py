"""What people ask the tables: purchases now and at a moment, revenue per day, money that is not settled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_sync.database import Database
from data_sync.engine.tables import IN_HISTORY
from network_clients.records import Traffic
from tests.data_sync.engine.scripted import Action, ScriptedClient, ScriptedReport, action, line
from tests.data_sync.kit import read, rows

TODAY = datetime.now(UTC).date()
#: What the history of a purchase holds, and so what can be told of the past.
KEPT = (
    "account, key, network, grain, traffic, day, occurred_at, campaign_key, campaign_name, coupon_code, "
    "order_ref, status, status_word, orders, gross_orders, sale_amount, sale_currency, commission, "
    "commission_currency, gross_sale_amount, gross_commission, first_seen_at"
)


def current(db: Database) -> list[dict[str, Any]]:
    return rows(db, f"SELECT {KEPT} FROM data_sync.current_purchases ORDER BY account, key")


def as_of(db: Database, moment: datetime) -> list[dict[str, Any]]:
    return rows(db, f"SELECT {KEPT} FROM data_sync.purchases_as_of(%s) ORDER BY account, key", moment)


def test_current_purchases_are_those_that_have_not_vanished(db: Database) -> None:
    read(db, "r1", ScriptedClient([action(1), action(2)]))
    read(db, "r2", ScriptedClient([action(2)]))
    assert [row["key"] for row in current(db)] == ["2"]


def test_a_purchase_is_told_as_it_stood_at_a_moment(db: Database) -> None:
    before = db.clock()
    read(db, "r1", ScriptedClient([action(1)]))
    pending = db.clock()
    read(db, "r2", ScriptedClient([action(1, status="approved", payment="9.00")]))
    approved = db.clock()
    read(db, "r3", ScriptedClient([]))
    gone = db.clock()
    read(db, "r4", ScriptedClient([action(1, status="declined", payment="0")]))

    def stood(moment: datetime) -> list[tuple[str, Decimal]]:
        return [(row["status"], row["commission"]) for row in as_of(db, moment)]

    assert stood(before) == []
    assert stood(pending) == [("pending", Decimal("7.25"))]
    assert stood(approved) == [("approved", Decimal("9.00"))]
    assert stood(gone) == []
    assert stood(db.clock()) == [("declined", Decimal(0))]


numbers = st.integers(1, 4)
forms = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["pending", "approved", "declined", "odd"]),
        "paid": st.integers(0, 1),
        "cart": st.sampled_from([None, 50, 80]),
        "currency": st.sampled_from(["USD", "EUR"]),
        "promocode": st.sampled_from([None, "A"]),
    }
)
answers = st.lists(st.dictionaries(numbers, forms, max_size=4), min_size=1, max_size=6)


def begin_anew(db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute("TRUNCATE data_sync.purchases, data_sync.purchase_changes, data_sync.reads")
        cursor.execute("TRUNCATE data_sync.sync_runs CASCADE")


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=answers)
def test_the_past_is_what_the_present_was(db: Database, answers: list[dict[int, dict[str, Any]]]) -> None:
    begin_anew(db)
    seen: list[tuple[datetime, list[dict[str, Any]]]] = [(db.clock(), [])]
    for number, answer in enumerate(answers):
        read(db, f"r{number}", ScriptedClient([action(key, **form) for key, form in answer.items()]))
        found = current(db)
        assert {row["key"] for row in found} == {str(key) for key in answer}
        seen.append((db.clock(), found))
        assert as_of(db, seen[-1][0]) == found
    # A code is no amount: the history does not keep what it was before.
    codes = {row["key"]: row["coupon_code"] for row in rows(db, "SELECT * FROM data_sync.purchases")}
    for moment, was in seen:
        assert as_of(db, moment) == [row | {"coupon_code": codes[row["key"]]} for row in was]


counts_of_orders = st.sampled_from([None, 0, 1, 3])
sums = st.sampled_from([None, "0", "1.25", "8"])
figures = st.fixed_dictionaries(
    {"orders": counts_of_orders, "gross_orders": counts_of_orders, "amount": sums, "gross": sums}
)
reports = st.lists(st.dictionaries(st.sampled_from("abc"), figures, max_size=3), min_size=1, max_size=6)


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reports=reports)
def test_the_past_of_sums_of_orders_is_what_they_were(
    db: Database, reports: list[dict[str, dict[str, Any]]]
) -> None:
    """Gross amounts and numbers of orders alone are a change, too: a sale that was cancelled at once."""
    begin_anew(db)
    seen: list[tuple[datetime, list[dict[str, Any]]]] = []
    for number, report in enumerate(reports):
        listed = [line(key, **form) for key, form in report.items()]
        read(db, f"r{number}", ScriptedReport(listed, traffic=(Traffic.COUPON,)))
        seen.append((db.clock(), current(db)))
    for (moment, was), report in zip(seen, reports, strict=True):
        assert as_of(db, moment) == was
        assert {row["key"]: (row["orders"], row["gross_orders"]) for row in was} == {
            key: (form["orders"], form["gross_orders"]) for key, form in report.items()
        }
    told = rows(db, "SELECT * FROM data_sync.purchase_changes WHERE change = 'changed'")
    for row in told:
        sides = [[row[f"{side}_{name}"] for name in IN_HISTORY] for side in ("from", "to")]
        assert sides[0] != sides[1], "no line without a change"


def sale(key: int, **fields: Any) -> Action:
    return action(key, **{"advcampaign_id": 7, "advcampaign_name": "Shop", **fields})


def revenue(db: Database, columns: str) -> list[tuple]:
    found = rows(db, f"SELECT {columns} FROM data_sync.daily_revenue ORDER BY {columns}")
    return [tuple(row.values()) for row in found]


def test_revenue_is_told_apart_by_everything_that_matters(db: Database) -> None:
    listed = [
        sale(1),
        sale(2, advcampaign_name="Shop (new name)"),
        sale(3, status="approved"),
        sale(4, promocode="A"),
        sale(5, currency="EUR"),
        sale(6, action_date="2026-03-01 10:00:00"),
        action(7, advcampaign_name="Shop"),
        action(8, advcampaign_name="Other"),
        sale(9),
    ]
    read(db, "r1", ScriptedClient(listed))
    read(db, "r2", ScriptedClient(listed[:-1]))
    columns = "day, campaign_key, campaign_name, coupon_code, status, commission_currency, orders, commission"
    found = {(str(row[0]), *row[1:]) for row in revenue(db, columns)}
    one = Decimal("7.25")
    assert found == {
        ("2026-03-02", "7", "Shop (new name)", None, "pending", "USD", 2, 2 * one),
        ("2026-03-02", "7", "Shop", None, "approved", "USD", 1, one),
        ("2026-03-02", "7", "Shop", "A", "pending", "USD", 1, one),
        ("2026-03-02", "7", "Shop", None, "pending", "EUR", 1, one),
        ("2026-03-01", "7", "Shop", None, "pending", "USD", 1, one),
        ("2026-03-02", None, "Shop", None, "pending", "USD", 1, one),
        ("2026-03-02", None, "Other", None, "pending", "USD", 1, one),
    }


def test_a_report_row_is_as_many_orders_as_it_says(db: Database) -> None:
    split = {"traffic": (Traffic.COUPON,)}
    read(db, "r1", ScriptedReport([line("a", 4), line("b", 0)], **split))
    assert revenue(db, "status, orders, commission") == [("not reported", 4, Decimal("2.50"))]


def test_amounts_of_different_currencies_are_never_added_up(db: Database) -> None:
    read(db, "r1", ScriptedClient([action(1), action(2), action(3)]))
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.purchases SET sale_currency = 'AED' WHERE key = '3'")
    assert revenue(db, "commission_currency, sale_currency, orders, commission, sales") == [
        ("USD", "AED", 1, Decimal("7.25"), Decimal(100)),
        ("USD", "USD", 2, Decimal("14.50"), Decimal(200)),
    ]


def aged(db: Database, **ages: int) -> None:
    """Give purchases an age in days, by their key."""
    with db.transaction() as cursor:
        for key, age in ages.items():
            cursor.execute(
                "UPDATE data_sync.purchases SET day = %s WHERE key = %s",
                [TODAY - timedelta(days=age), key.removeprefix("k")],
            )


def unsettled(db: Database) -> list[tuple]:
    found = rows(
        db,
        "SELECT age, status, orders, commission FROM data_sync.unsettled_money ORDER BY oldest_day, status",
    )
    return [tuple(row.values()) for row in found]


def test_unsettled_is_what_may_still_change_by_age(db: Database) -> None:
    kinds = ["pending", "approved", "declined", "odd"]
    listed = [action(n, status=word) for n, word in enumerate(kinds)]
    listed += [action(n) for n in (5, 6, 7, 8)] + [action(9, status="approved", paid=1)]
    read(db, "r1", ScriptedClient(listed, size=20))
    aged(db, k0=7, k1=8, k2=1, k3=1, k5=30, k6=31, k7=90, k8=91, k9=1)
    one = Decimal("7.25")
    assert unsettled(db) == [
        ("over 90 days", "pending", 1, one),
        ("31 to 90 days", "pending", 2, 2 * one),
        ("8 to 30 days", "pending", 1, one),
        ("8 to 30 days", "approved", 1, one),
        ("up to 7 days", "pending", 1, one),
        ("up to 7 days", "unknown", 1, one),
    ]
    read(db, "r2", ScriptedClient([]))
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.purchases SET vanished_at = clock_timestamp() WHERE key <> '1'")
    assert unsettled(db) == [("8 to 30 days", "approved", 1, one)]
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.networks SET reports_paid = false")
    assert unsettled(db) == [], "approved is the last word where a network never tells what it pays"


@pytest.mark.parametrize(("age", "is_open"), [(0, True), (90, True), (91, False)])
def test_a_row_without_a_status_settles_with_age(db: Database, age: int, is_open: bool) -> None:
    read(db, "r1", ScriptedReport([line("a", 4)], traffic=(Traffic.COUPON,)))
    aged(db, a=age)
    assert bool(unsettled(db)) is is_open
    assert all(row[1:3] == ("not reported", 4) for row in unsettled(db))


@pytest.mark.parametrize("function", ["purchases_as_of(now())", "unsettled_purchases()"])
def test_conditions_reach_the_tables_through_the_functions(db: Database, function: str) -> None:
    read(db, "r1", ScriptedClient([action(1)]))
    with db.transaction() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = cursor.execute(
            f"EXPLAIN SELECT sum(commission) FROM data_sync.{function} WHERE account = 'a'"
        ).fetchall()
    assert "Index Cond: (account = 'a'::text)" in str(plan)
    assert "Function Scan" not in str(plan)


def test_who_may_read_purchases_and_their_history_may_ask_for_any_moment(db: Database) -> None:
    read(db, "r1", ScriptedClient([action(1)]))
    # Roles belong to the server, not to this database: none is left.
    with db.transaction() as cursor, cursor.connection.transaction(force_rollback=True):
        cursor.execute("CREATE ROLE reports")
        cursor.execute("GRANT USAGE ON SCHEMA data_sync TO reports")
        cursor.execute("GRANT SELECT ON data_sync.purchases, data_sync.purchase_changes TO reports")
        cursor.execute("SET LOCAL ROLE reports")
        cursor.execute("SELECT key, orders FROM data_sync.purchases_as_of(clock_timestamp())")
        assert [tuple(row.values()) for row in cursor] == [("1", 1)]
