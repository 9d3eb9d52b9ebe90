"""Syncs of the sandbox's Admitad over real HTTP: what its own totals say is in the tables, to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import psycopg
import pytest

from data_sync.database import Database
from data_sync.local import totals
from data_sync.runs.opening import open_run
from data_sync.schedules.planning import WorkUnit
from network_clients.admitad.facts import FACTS
from network_clients.errors import CredentialsRejectedError, NetworkUnavailableError, WaitTooLongError
from sandbox_networks.server import running
from sandbox_networks.settings import SandboxSettings
from tests.data_sync.kit import (
    ACCOUNT,
    Airflow,
    admitad_account,
    connect,
    make_request,
    make_schedule,
    rows,
    settle_run,
    step_row,
    sync_run,
    sync_unit,
    total,
    units_of,
)
from tests.sandbox_networks.caller import Caller

DAYS = {"sync_type": "all", "first": "2026-02-20", "last": "2026-03-08"}
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Iterator[Caller]:
    settings = SandboxSettings(now=NOON, first_day=date(2025, 12, 1), rows_per_day=80)
    with running(settings) as url:
        yield Caller(url)


def assert_true(database: str, sandbox: Caller, *, catalogues: bool = True) -> None:
    """The tables hold what the sandbox says there is, per status and currency."""
    first, last = date(2026, 2, 20), date(2026, 3, 8)
    expected = totals.of_sandbox(sandbox.totals(**{"from": first, "to": last}), FACTS)
    with psycopg.connect(database) as connection:
        found = totals.of_tables(connection, ACCOUNT, first, last)
    assert expected.purchases
    if not catalogues:
        found.campaigns, found.coupons = expected.campaigns, expected.coupons
    assert totals.differences(expected, found) == []


def test_the_same_range_twice_and_then_as_the_clock_moves(
    db: Database, database: str, sandbox: Caller
) -> None:
    load = admitad_account(sandbox.base)
    first = total(sync_run(db, "r1", load, **DAYS))
    assert first["read"] == first["inserted"] > 1000
    assert_true(database, sandbox)

    assert total(sync_run(db, "r2", load, **DAYS)) == {"read": first["read"], "unchanged": first["read"]}
    assert_true(database, sandbox)
    assert not rows(db, "SELECT 1 FROM data_sync.purchase_changes")

    sandbox.advance(days=25)
    moved = total(sync_run(db, "r3", load, **DAYS))
    assert moved["updated"] > 100
    assert moved["vanished"] > 0
    assert moved["inserted"] > 0, "late rows"
    assert_true(database, sandbox)
    count = rows(db, "SELECT count(*) AS n FROM data_sync.purchases")[0]["n"]

    sandbox.advance(days=-25)
    back = total(sync_run(db, "r4", load, **DAYS))
    assert back["vanished"] > 0
    assert rows(db, "SELECT count(*) AS n FROM data_sync.purchases") == [{"n": count}], "nothing is deleted"
    assert rows(db, "SELECT 1 FROM data_sync.purchase_changes WHERE change = 'returned'")
    assert_each_change_once(db)


def assert_each_change_once(db: Database) -> None:
    """The history of each row is a chain that ends at what the row is now."""
    broken = rows(
        db,
        """
        WITH steps AS (
            SELECT account, key, change,
                ROW(from_status_word, from_status, from_sale_amount, from_commission) AS before,
                ROW(to_status_word, to_status, to_sale_amount, to_commission) AS after,
                lag(ROW(to_status_word, to_status, to_sale_amount, to_commission)) OVER w AS earlier,
                lead(change) OVER w AS next_change
            FROM data_sync.purchase_changes WINDOW w AS (PARTITION BY account, key ORDER BY id)
        )
        SELECT s.key FROM steps s JOIN data_sync.purchases p USING (account, key)
        WHERE (earlier IS NOT NULL AND before IS DISTINCT FROM earlier)
           OR (change = 'changed' AND before = after)
           OR (change = 'vanished' AND next_change IS DISTINCT FROM 'returned' AND
               NOT (next_change IS NULL AND p.vanished_at IS NOT NULL))
           OR (next_change IS NULL AND after IS DISTINCT FROM
               ROW(p.status_word, p.status, p.sale_amount, p.commission))
        """,
    )
    assert broken == []


def test_trouble_on_the_way_costs_requests_and_never_truth(
    db: Database, database: str, sandbox: Caller
) -> None:
    for number, kind in enumerate(("server_error", "truncated", "drop", "expired_tokens")):
        sandbox.fault(kind, path="/statistics/", after=number + 1)
    sync_run(db, "r1", admitad_account(sandbox.base), **DAYS)
    assert_true(database, sandbox)


def test_bad_rows_of_the_network_are_set_aside_and_all_others_are_there(
    db: Database, database: str, sandbox: Caller
) -> None:
    kinds = ("unknown_status", "missing_currency", "missing_id", "impossible_date", "text_amount")
    for number, kind in enumerate(kinds):
        sandbox.fault(kind, every=40 + number, count=None)
    units = sync_run(db, "r1", admitad_account(sandbox.base), **DAYS)
    assert_true(database, sandbox)
    assert any("on_the_moon" in warning for unit in units for warning in unit["warnings"])
    assert total(units)["rejected"] == len(rows(db, "SELECT 1 FROM data_sync.rejected_records"))


def test_a_long_wait_frees_the_task_and_the_unit_goes_on_where_it_was(
    db: Database, database: str, sandbox: Caller
) -> None:
    load = admitad_account(sandbox.base)
    days = {**DAYS, "sync_type": "purchases"}
    opened = open_run(db, make_request("r1", make_schedule(**days)))
    sandbox.fault("rate_limited", path="/statistics/", after=1, retry_after=300)
    first, *others = (WorkUnit.from_dict(unit) for unit in opened.units)
    with pytest.raises(WaitTooLongError):
        sync_unit(db, "r1", first, load)
    (row,) = (unit for unit in units_of(db, opened.id) if unit["unit_index"] == first.index)
    assert row["status"] == "waiting"
    assert row["lease_until"] > row["waiting_until"]
    assert "Admitad" in row["reason"]
    with pytest.raises(WaitTooLongError):
        sync_unit(db, "r1", others[0], load)
    settled = settle_run(db, "r1", Airflow())
    assert (settled.is_closed, settled.statuses) == (False, {ACCOUNT: "processing"})
    rows_before = row["requests"]
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.rate_limits SET gate_until = NULL, next_free_at = clock_timestamp()")
    for unit in (first, *others):
        sync_unit(db, "r1", unit, load)
    assert settle_run(db, "r1", Airflow()).statuses == {ACCOUNT: "completed"}
    after = step_row(db, row["id"])
    assert (after["tries"], after["resumed"], after["reason"]) == (1, True, None)
    assert after["requests"] > rows_before
    assert_true(database, sandbox, catalogues=False)


def test_wrong_credentials_fail_at_once_with_what_to_do_and_leave_no_secret(
    db: Database, database: str, sandbox: Caller
) -> None:
    load = admitad_account(sandbox.base, password="canary-5f1d9c")
    opened = open_run(db, make_request("r1"))
    with pytest.raises(CredentialsRejectedError):
        sync_unit(db, "r1", WorkUnit.from_dict(opened.units[0]), load)
    (row,) = units_of(db, opened.id)
    assert (row["status"], row["error"]["verdict"]) == ("failed", "wrong credentials")
    assert settle_run(db, "r1", Airflow()).statuses == {ACCOUNT: "failed"}
    (log,) = rows(db, "SELECT error, tries FROM data_sync.sync_logs")
    assert ACCOUNT in log["error"]["message"]
    assert_nowhere(database, "canary-5f1d9c")


def assert_nowhere(database: str, secret: str) -> None:
    """No table of ours holds the secret, in whatever column."""
    with connect(database) as connection:
        tables = connection.execute(
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'data_sync'"
        ).fetchall()
        for table in tables:
            found = connection.execute(
                f"SELECT 1 FROM data_sync.{table['name']} t WHERE t::text LIKE %s", [f"%{secret}%"]
            ).fetchall()
            assert not found, table


def test_no_table_holds_a_secret_or_a_token_after_a_sync(
    db: Database, database: str, sandbox: Caller
) -> None:
    units = sync_run(db, "r1", admitad_account(sandbox.base), first="2026-03-01", last="2026-03-01")
    assert total(units)["inserted"] > 0
    assert rows(db, "SELECT 1 FROM data_sync.access_tokens")
    assert_nowhere(database, "sandbox-admitad-secret")
    assert_nowhere(database, "sandbox-admitad-id")


def test_a_network_that_is_down_is_tried_again_and_the_last_try_fails(db: Database, sandbox: Caller) -> None:
    sandbox.fault("server_error", count=None)
    opened = open_run(db, make_request("r1"))
    with pytest.raises(NetworkUnavailableError):
        sync_unit(db, "r1", WorkUnit.from_dict(opened.units[0]), admitad_account(sandbox.base))
    (row,) = units_of(db, opened.id)
    assert row["status"] == "retrying"
    assert row["requests"] > 1, "tries that brought nothing are counted"
    assert not settle_run(db, "r1", Airflow(admitad__sync_0="up_for_retry")).is_closed
