"""Syncs of the sandbox's Boostiny over real HTTP: what its own totals say is in the tables, to the cent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import pytest

from data_sync.database import Database
from data_sync.errors import TooManyRejectedError
from network_clients.boostiny.client import BoostinyClient
from network_clients.errors import WaitTooLongError
from network_clients.interface import Slice
from network_clients.records import Kind, Page
from tests.data_sync.engine.boostiny import (
    ACCOUNT,
    DAYS,
    FIRST,
    Site,
    assert_true,
    open_boostiny,
    site,
    sync_run,
    sync_unit,
)
from tests.data_sync.kit import Airflow, Child, rows, settle_run, total, units_of


@pytest.fixture
def sandbox() -> Iterator[Site]:
    with site() as found:
        yield found


def test_the_same_range_twice_and_then_as_the_clock_moves(db: Database, database: str, sandbox: Site) -> None:
    load = sandbox.account()
    first = total(sync_run(db, "r1", load, sync_type="all"))
    assert first["read"] == first["inserted"] > 300
    assert_true(database, sandbox, catalogues=True)

    again = sync_run(db, "r2", load, sync_type="all")
    assert total(again) == {"read": first["read"], "unchanged": first["read"]}
    assert all(unit["is_complete"] for unit in again)
    assert not any(unit["warnings"] for unit in again)

    sandbox.advance(days=12)
    moved = total(sync_run(db, "r3", load, sync_type="all"))
    assert moved["updated"] > 50, "net amounts fall"
    assert moved["vanished"] > 0
    assert_true(database, sandbox, catalogues=True)
    count = rows(db, "SELECT count(*) AS n FROM data_sync.purchases")[0]["n"]

    sandbox.advance(days=-12)
    assert total(sync_run(db, "r4", load, sync_type="all"))["vanished"] > 0
    assert_true(database, sandbox, catalogues=True)
    assert rows(db, "SELECT count(*) AS n FROM data_sync.purchases") == [{"n": count}], "nothing is deleted"


def test_rows_say_what_they_are(db: Database, sandbox: Site) -> None:
    sync_run(db, "r1", sandbox.account(), sync_type="all")
    (found,) = rows(
        db,
        "SELECT array_agg(DISTINCT grain) AS grain, array_agg(DISTINCT status) AS status, "
        "array_agg(DISTINCT traffic ORDER BY traffic) AS traffic, array_agg(DISTINCT commission_currency) "
        "AS currency, array_agg(DISTINCT currency_source) AS source, bool_and(orders <= gross_orders) "
        "AS netted, count(*) FILTER (WHERE raw ->> 'full_count' IS NOT NULL) AS counted "
        "FROM data_sync.purchases",
    )
    assert found == {
        "grain": ["report_row"], "status": [None], "traffic": ["coupon", "link"], "currency": ["USD"],
        "source": ["network"], "netted": True, "counted": 0,
    }  # fmt: skip
    assert rows(
        db, "SELECT 1 FROM data_sync.coupons c JOIN data_sync.campaigns p "
        "ON (p.account, p.key) = (c.account, c.campaign_key) AND c.code <> lower(c.code) LIMIT 1",
    )  # fmt: skip
    assert rows(db, "SELECT 1 FROM data_sync.campaigns WHERE countries <> '{}' LIMIT 1")
    assert not rows(
        db, "SELECT 1 FROM data_sync.campaigns WHERE EXISTS (SELECT 1 FROM unnest(countries) c "
        "WHERE length(c) <> 2)",
    )  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        {"with_dates": False},
        {"with_summary": False},
        {"summary_rows": True},
        {"split_by_country": True, "per_page": 100},
        {"with_last_updated": False, "per_page": 7},
    ],
    ids=repr,
)
def test_whichever_form_the_reports_have(db: Database, database: str, options: dict[str, object]) -> None:
    with site(**options) as sandbox:
        units = sync_run(db, "r1", sandbox.account())
        assert all(unit["is_complete"] and not unit["warnings"] for unit in units)
        assert_true(database, sandbox)
        sandbox.advance(days=12)
        sync_run(db, "r2", sandbox.account())
        assert_true(database, sandbox)


def test_a_week_per_request_needs_fewer_requests(db: Database, database: str, sandbox: Site) -> None:
    sync_run(db, "r1", sandbox.account())
    daily = sandbox.requests()
    sync_run(db, "r2", sandbox.account(window_days="7"))
    assert sandbox.requests() - daily < daily
    assert_true(database, sandbox)


def test_without_dates_a_week_per_request_says_which_setting_to_mend(db: Database) -> None:
    with site(with_dates=False) as sandbox, pytest.raises(TooManyRejectedError, match="window_days"):
        sync_run(db, "r1", sandbox.account(window_days="10"))
    (unit,) = rows(db, "SELECT * FROM data_sync.sync_log_steps")
    assert unit["rows_rejected"] == unit["rows_read"] > 0
    assert unit["status"] == "failed"
    reasons = rows(db, "SELECT DISTINCT reason FROM data_sync.rejected_records")
    assert ["window_days" in row["reason"] for row in reasons] == [True]


class Shifting:
    """Moves the sandbox's clock behind a page of the reports: net amounts fall, rows come and go."""

    def __init__(
        self, sandbox: Site, monkeypatch: pytest.MonkeyPatch, times: int, since: date = date.min
    ) -> None:
        self.left = times
        pages = BoostinyClient.pages

        def shifting(
            client: BoostinyClient, kind: Kind, part: Slice, cursor: Mapping[str, object] | None = None
        ) -> Iterator[Page]:
            for page in pages(client, kind, part, cursor):
                yield page
                if page.cursor is not None and part.start is not None and part.start >= since and self.left:
                    self.left -= 1
                    sandbox.advance(hours=30)

        monkeypatch.setattr(BoostinyClient, "pages", shifting)


@pytest.mark.parametrize("times", [1, 2, 7])
def test_rows_that_shift_while_they_are_paged_are_neither_missed_nor_doubled(
    db: Database, database: str, sandbox: Site, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    shifting = Shifting(sandbox, monkeypatch, times)
    load = sandbox.account()
    units = sync_run(db, "r1", load)
    assert shifting.left == 0
    assert not rows(db, "SELECT 1 FROM data_sync.purchases WHERE key LIKE '%%#%%'")
    # Days that were read before the clock moved are read again, as any later sync does.
    before = sandbox.requests()
    again = sync_run(db, "r2", load)
    assert sandbox.requests() - before < units[0]["requests"], "lists that moved were read again at once"
    assert_true(database, sandbox)
    assert all(unit["is_complete"] for unit in again)


def test_a_list_that_moves_is_whole_by_the_end_of_its_own_read(
    db: Database, database: str, sandbox: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first list of several pages is the one that moves; all others are read after the clock has.
    shifting = Shifting(sandbox, monkeypatch, 1, since=FIRST)
    (unit, *_) = sync_run(db, "r1", sandbox.account())
    assert shifting.left == 0
    assert unit["is_complete"]
    assert_true(database, sandbox)


def test_trouble_on_the_way_costs_requests_and_never_truth(
    db: Database, database: str, sandbox: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, kind in enumerate(("server_error", "truncated", "drop")):
        sandbox.fault(kind, path="/publisher/", after=3 * number + 1)
    sync_run(db, "r1", sandbox.account())
    assert_true(database, sandbox)


def test_bad_rows_are_set_aside_and_all_others_are_there(db: Database, database: str, sandbox: Site) -> None:
    for number, kind in enumerate(("missing_id", "impossible_date", "text_amount", "nul_byte")):
        sandbox.fault(kind, every=40 + number, count=None)
    units = sync_run(db, "r1", sandbox.account())
    assert_true(database, sandbox)
    assert total(units)["rejected"] == len(rows(db, "SELECT 1 FROM data_sync.rejected_records")) > 10


def test_a_lockout_frees_the_task_and_is_waited_out_before_the_next_question(
    db: Database, database: str, sandbox: Site
) -> None:
    load = sandbox.account()
    opened = open_boostiny(db, "r1")
    sandbox.fault("rate_limited", path="/publisher/link", after=1)
    with pytest.raises(WaitTooLongError):
        sync_unit(db, "r1", opened.units[0], load)
    asked = sandbox.requests()
    (row, *_) = units_of(db, opened.id)
    (gate,) = rows(
        db, "SELECT EXTRACT(EPOCH FROM gate_until - updated_at)::int AS seconds FROM data_sync.rate_limits"
    )
    assert (row["status"], gate["seconds"]) == ("waiting", 600)
    assert "retry after 10 minutes" in row["reason"]
    with pytest.raises(WaitTooLongError):
        sync_unit(db, "r1", opened.units[0], load)
    assert sandbox.requests() == asked, "nothing is asked while it lasts"
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.rate_limits SET gate_until = NULL, next_free_at = clock_timestamp()")
    for unit in opened.units:
        sync_unit(db, "r1", unit, load)
    assert settle_run(db, "r1", Airflow()).statuses == {ACCOUNT: "completed"}
    assert_true(database, sandbox)


def test_two_syncs_at_once_keep_the_pace_and_never_ask_at_the_same_time(db: Database, database: str) -> None:
    # Boostiny's own measure twenty times as fast: 12 calls in 3 seconds, and one every 0.3 seconds.
    with site(limits=True, calls=12, per_seconds=3.0) as sandbox:
        load = sandbox.account(pace_seconds="0.3")
        units = [
            (run, open_boostiny(db, run, **DAYS | {"last": "2026-03-02"}).units[0]) for run in ("r1", "r2")
        ]
        db.close()
        children = [
            Child(lambda run=run, unit=unit: sync_unit(Database(), run, unit, load)) for run, unit in units
        ]
        assert [child.wait() for child in children] == [0, 0]
        traffic = sandbox.traffic()
    assert traffic["violations_total"] == 0, traffic["violations"]
    assert traffic["requests_total"] > 30
    assert {
        unit["rows_rejected"] for unit in rows(db, "SELECT rows_rejected FROM data_sync.sync_log_steps")
    } == {0}


def test_no_table_holds_the_key(db: Database, sandbox: Site) -> None:
    sync_run(db, "r1", sandbox.account(), sync_type="all")
    tables = rows(db, "SELECT table_name AS name FROM information_schema.tables "
                      "WHERE table_schema = 'data_sync'")  # fmt: skip
    for table in tables:
        held = f"SELECT 1 FROM data_sync.{table['name']} t WHERE t::text LIKE '%%sandbox-boostiny-secret%%'"
        assert not rows(db, held), table
