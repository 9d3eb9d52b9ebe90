"""Schedules that ask for a maturity sweep: which days are read again, by which question, at what cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from data_sync.cli import cli
from data_sync.database import Database
from data_sync.runs.opening import open_run
from data_sync.runs.request import RunKind
from data_sync.schedules.planning import WorkUnit
from network_clients.errors import NetworkUnavailableError
from network_clients.interface import Credentials
from sandbox_networks.server import running
from sandbox_networks.settings import SandboxSettings
from tests.data_sync.engine import boostiny
from tests.data_sync.kit import (
    ACCOUNT,
    Airflow,
    admitad_account,
    make_request,
    make_schedule,
    open_scheduled,
    rows,
    settle_run,
    sync_unit,
    units_of,
)
from tests.sandbox_networks.caller import Caller

#: A zone in which it is about noon now, so that no day ends while a test runs.
OFFSET = datetime.now(UTC).hour - 12
ZONE = f"Etc/GMT{OFFSET:+d}" if OFFSET else "Etc/GMT"
TODAY = (datetime.now(UTC) - timedelta(hours=OFFSET)).date()
#: Of a schedule that reads today. A zone that is not certain makes yesterday and tomorrow its own, too.
TODAYS: dict[str, Any] = {"date_range": "today", "first": None, "last": None, "timezone": ZONE}
#: How many days the sandbox's world is loaded with before a test.
LOADED = 40

Load = Callable[[str], Credentials]


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Caller]:
    options = {"zone": ZONE, "paid_moves_status_updated": True, "live_tokens": 1000}
    with running(
        SandboxSettings(rows_per_day=12, networks=("admitad",), options={"admitad": options})
    ) as url:
        yield Caller(url).log_in()


@pytest.fixture
def load(sandbox: Caller) -> Load:
    return admitad_account(sandbox.base, timezone=ZONE)


def set_clock(sandbox: Caller, days_ago: int) -> None:
    now = datetime.now(UTC) - timedelta(days=days_ago)
    sandbox.admin("/clock", {"now": now.isoformat()})


def run(db: Database, run_id: str, load: Load, **words: Any) -> list[dict[str, Any]]:
    """A scheduled run; return the rows of its units."""
    words = {**TODAYS, "anchor": datetime.now(UTC), "maturity_sweep": True, **words}
    opened = open_scheduled(db, run_id, **words)
    for unit in opened.units:
        sync_unit(db, run_id, WorkUnit.from_dict(unit), load)
    assert settle_run(db, run_id, Airflow()).is_closed
    return units_of(db, opened.id)


def sweeps(units: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [unit for unit in units if unit["sweep"] is not None]


def load_days(db: Database, sandbox: Caller, load: Load, *, days_ago: int = 0) -> None:
    """Read the last weeks, as they were then, some days ago."""
    set_clock(sandbox, days_ago)
    words = {"first": ago(LOADED).isoformat(), "last": ago(days_ago).isoformat(), "timezone": ZONE}
    units = run(db, "load", load, kind=RunKind.BACKFILL, **(TODAYS | {"date_range": "custom"} | words))
    assert not sweeps(units), "backfills do not sweep"
    let_days_pass(db, days_ago)
    set_clock(sandbox, 0)


def let_days_pass(db: Database, days: int = 1) -> None:
    with db.transaction() as cursor:
        for table, columns in (
            ("reads", ("started_at", "ended_at")),
            ("day_maturity", ("settled_at", "changes_at")),
        ):
            moved = ", ".join(f"{name} = {name} - make_interval(days => %(days)s)" for name in columns)
            cursor.execute(f"UPDATE data_sync.{table} SET {moved}", {"days": days})


def metadata(db: Database) -> dict[str, Any]:
    found: dict[str, Any] = rows(db, "SELECT metadata FROM data_sync.sync_logs ORDER BY id DESC LIMIT 1")[0]
    return found["metadata"]


def stale(db: Database, sandbox: Caller, youngest: int, oldest: int = LOADED) -> list[str]:
    """The ids of purchases whose status is not that of the network now, on days of these ages.

    What has changed in the last minutes is the next sweep's: Admitad is not asked for it yet, see its client.
    """
    latest = datetime.now(ZoneInfo(ZONE)) - timedelta(minutes=10)
    days = {"date_start": f"{ago(oldest):%d.%m.%Y}", "date_end": f"{ago(youngest):%d.%m.%Y}"}
    now = {
        str(row["action_id"]): "paid"
        if row["paid"] and row["status"].startswith("approved")
        else row["status"]
        for row in sandbox.actions(**days)
        if row["status_updated"] <= f"{latest:%Y-%m-%d %H:%M:%S}"
    }
    found = rows(
        db,
        "SELECT key, CASE WHEN status = 'paid' THEN status ELSE status_word END AS status "
        "FROM data_sync.purchases WHERE day BETWEEN %s AND %s",
        ago(oldest),
        ago(youngest),
    )
    return [row["key"] for row in found if now.get(row["key"], row["status"]) != row["status"]]


def test_a_schedule_that_does_not_ask_for_it_sweeps_nothing(
    db: Database, sandbox: Caller, load: Load
) -> None:
    load_days(db, sandbox, load, days_ago=8)
    units = run(db, "r1", load, maturity_sweep=False)
    assert len(units) == 1
    assert not sweeps(units)
    assert "sweep" not in metadata(db)


def test_what_was_unsettled_is_brought_up_to_date_by_one_question_for_changes(
    db: Database, sandbox: Caller, load: Load
) -> None:
    load_days(db, sandbox, load, days_ago=8)
    assert len(stale(db, sandbox, 10)) > 20
    (sweep,) = sweeps(run(db, "r1", load))
    assert sweep["label"] == "unsettled purchases, changes"
    assert (sweep["status"], sweep["is_complete"], sweep["date_filter"]) == ("completed", True, "changed")
    assert stale(db, sandbox, 10) == []
    oldest = rows(db, "SELECT min(day) AS day FROM data_sync.purchases")
    assert oldest == [{"day": ago(LOADED + 1)}], "days that nobody has asked for stay out"
    whole = LOADED - 8
    assert sweep["requests"] < whole / 4, "far fewer requests than days"


def test_the_log_says_what_the_sweep_has_cost(db: Database, sandbox: Caller, load: Load) -> None:
    load_days(db, sandbox, load, days_ago=8)
    units = run(db, "r1", load)
    (sweep,) = sweeps(units)
    noted = metadata(db)["sweep"]
    assert noted["requests"] == sweep["requests"] > 0
    assert 20 < noted["open_days"] <= LOADED
    (log,) = rows(db, "SELECT requests FROM data_sync.sync_logs ORDER BY id DESC LIMIT 1")
    assert log["requests"] == sum(unit["requests"] for unit in units)
    shown = CliRunner().invoke(cli, ["logs", "--json", "--limit", "2"])
    swept, loaded = json.loads(shown.output)
    assert (swept["swept"], loaded["swept"]) == (sweep["requests"], None)


def test_nothing_is_read_twice_on_one_day_and_what_is_due_comes_back(
    db: Database, sandbox: Caller, load: Load
) -> None:
    load_days(db, sandbox, load, days_ago=8)
    run(db, "r1", load)
    units = run(db, "r2", load)
    assert not sweeps(units)
    assert metadata(db)["sweep"]["open_days"] > 20
    shown = CliRunner().invoke(cli, ["logs", "--json", "--limit", "1"])
    assert json.loads(shown.output)[0]["swept"] == 0
    let_days_pass(db, 7)
    assert len(sweeps(run(db, "r3", load))) == 1


def test_each_day_is_read_whole_once_a_month_for_what_no_change_time_tells(
    db: Database, sandbox: Caller, load: Load
) -> None:
    load_days(db, sandbox, load, days_ago=8)
    run(db, "r1", load)
    gone = rows(db, "SELECT key FROM data_sync.purchases WHERE day = %s AND status = 'pending'", ago(20))[0]
    with db.transaction() as cursor:
        # A row that the network has dropped without a word, and a payout that moved no change time.
        cursor.execute(
            'INSERT INTO data_sync.purchases SELECT (jsonb_populate_record(p, \'{"key": "dropped"}\')).* '
            "FROM data_sync.purchases p WHERE key = %s",
            [gone["key"]],
        )
        cursor.execute(
            "UPDATE data_sync.reads SET started_at = started_at - interval '30 days' WHERE day = %s",
            [ago(20)],
        )
    (days,) = sweeps(run(db, "r2", load))
    assert days["label"] == f"unsettled purchases {ago(20)}..{ago(20)}"
    assert days["rows_vanished"] == 1
    found = rows(db, "SELECT vanished_at IS NOT NULL AS gone FROM data_sync.purchases WHERE key = 'dropped'")
    assert found == [{"gone": True}]


def test_it_stops_when_nothing_is_open(db: Database, sandbox: Caller, load: Load) -> None:
    load_days(db, sandbox, load, days_ago=8)
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.purchases SET status = 'declined'")
    before = caller_requests(sandbox)
    (unit,) = run(db, "r1", load)
    assert caller_requests(sandbox) - before == unit["requests"]
    assert metadata(db)["sweep"] == {"open_days": 0}
    # A day that was found settled is not looked at again before it is due.
    settled = rows(db, "SELECT count(*) AS n FROM data_sync.day_maturity WHERE settled_at IS NOT NULL")
    assert settled[0]["n"] > 170
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.purchases SET status = 'pending'")
    run(db, "r2", load)
    assert metadata(db)["sweep"] == {"open_days": 0}
    let_days_pass(db, 7)
    assert len(sweeps(run(db, "r3", load))) == 1
    assert metadata(db)["sweep"]["open_days"] > 20


def caller_requests(sandbox: Caller) -> int:
    return int(sandbox.admin("/state", method="GET")["networks"]["admitad"]["requests_total"])


def test_vanished_and_paid_rows_keep_no_day_open(db: Database, sandbox: Caller, load: Load) -> None:
    load_days(db, sandbox, load, days_ago=8)
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.purchases SET status = 'paid' WHERE status <> 'declined'")
        cursor.execute(
            "UPDATE data_sync.purchases SET status = 'pending', vanished_at = now() WHERE day = %s", [ago(12)]
        )
        cursor.execute("UPDATE data_sync.purchases SET status = 'approved' WHERE day = %s", [ago(13)])
    run(db, "r1", load)
    assert metadata(db)["sweep"]["open_days"] == 1, "what is approved is open until it is paid"


@pytest.mark.parametrize("kind", [RunKind.BACKFILL, RunKind.QUICK_SYNC, RunKind.RETRY])
def test_only_runs_of_the_schedule_itself_sweep(
    db: Database, sandbox: Caller, load: Load, kind: RunKind
) -> None:
    load_days(db, sandbox, load, days_ago=8)
    assert not sweeps(run(db, "r1", load, kind=kind))
    assert sweeps(run(db, "r2", load, kind=RunKind.RUN_NOW))


def test_catalogues_have_nothing_to_sweep(db: Database, sandbox: Caller, load: Load) -> None:
    load_days(db, sandbox, load, days_ago=8)
    assert not sweeps(run(db, "r1", load, sync_type="coupons"))


def test_a_run_is_judged_by_its_anchor_not_by_the_clock(db: Database, sandbox: Caller, load: Load) -> None:
    load_days(db, sandbox, load, days_ago=8)
    run(db, "r1", load)
    tomorrow = datetime.now(UTC) + timedelta(days=7)
    request = make_request(
        "r2",
        make_schedule(**TODAYS, maturity_sweep=True),
        schedule_key="daily",
        kind=RunKind.SCHEDULED,
        anchor=tomorrow,
    )
    assert [unit["sweep"] for unit in open_run(db, request).units] == [None, "changes"]


def test_a_sweep_that_is_tried_again_reads_what_it_had_planned(
    db: Database, sandbox: Caller, load: Load
) -> None:
    load_days(db, sandbox, load, days_ago=8)
    opened = open_scheduled(db, "r1", **TODAYS, anchor=datetime.now(UTC), maturity_sweep=True)
    sweep = next(WorkUnit.from_dict(unit) for unit in opened.units if unit["sweep"])
    sandbox.fault("server_error", path="/statistics/", after=0, count=3)
    with pytest.raises(NetworkUnavailableError):
        sync_unit(db, "r1", sweep, load)
    (planned,) = sweeps(units_of(db, opened.id))
    assert planned["sweep"]["since"] == (ago(10)).isoformat()
    with db.transaction() as cursor:
        cursor.execute(
            "UPDATE data_sync.reads SET started_at = clock_timestamp(), ended_at = clock_timestamp()"
        )
    sync_unit(db, "r1", sweep, load)
    (done,) = sweeps(units_of(db, opened.id))
    assert (done["status"], done["sweep"]) == ("completed", planned["sweep"])
    assert stale(db, sandbox, 10) == []


def test_a_long_range_and_its_sweep_together_keep_to_the_most_windows(
    db: Database, sandbox: Caller, load: Load
) -> None:
    load_days(db, sandbox, load, days_ago=8)
    words = {"date_range": "custom", "first": "2020-01-01", "last": ago(20).isoformat()}
    request = make_request(
        "r1",
        make_schedule(**(TODAYS | words), maturity_sweep=True),
        schedule_key="daily",
        kind=RunKind.SCHEDULED,
        anchor=datetime.now(UTC),
    )
    units = open_run(db, request).units
    assert len(units) == 23
    assert units[-1]["sweep"] == "changes"


@pytest.fixture(scope="module")
def site() -> Iterator[boostiny.Site]:
    with boostiny.site(now=None, rows_per_day=3) as found:
        yield found


class TestWithoutAChangedSinceFilter:
    """Boostiny tells neither a status nor what has changed: days are read whole, up to an age of 90 days."""

    def run(self, db: Database, run_id: str, load: Load, **words: Any) -> list[dict[str, Any]]:
        words = {**TODAYS, "anchor": datetime.now(UTC), "maturity_sweep": True, **words}
        return boostiny.sync_run(db, run_id, load, words.pop("kind", RunKind.SCHEDULED), **words)

    def load_days(self, db: Database, load: Load, oldest: int) -> None:
        words: Mapping[str, Any] = {"date_range": "custom", "first": str(ago(oldest)), "last": str(TODAY)}
        self.run(db, "load", load, kind=RunKind.BACKFILL, **words)

    def days_swept(self, units: list[dict[str, Any]]) -> list[int]:
        """The ages of the days, oldest first."""
        starts = [part["start"] for unit in sweeps(units) for part in unit["checkpoint"]["slices"]]
        return sorted(((TODAY - date.fromisoformat(start)).days for start in starts), reverse=True)

    def test_days_are_read_again_by_their_age(self, db: Database, site: boostiny.Site) -> None:
        load = site.account(timezone=ZONE, reread_months="off", link_traffic="no")
        self.load_days(db, load, 100)
        assert self.days_swept(self.run(db, "r1", load)) == []
        let_days_pass(db, 1)
        assert self.days_swept(self.run(db, "r2", load)) == [7, 6, 5, 4, 3, 2]
        let_days_pass(db, 6)
        units = self.run(db, "r3", load)
        assert self.days_swept(units) == [*range(90, 1, -1)]
        assert all(unit["is_complete"] for unit in units)
        assert len(sweeps(units)) == 3
        assert metadata(db)["sweep"]["requests"] == sum(unit["requests"] for unit in sweeps(units))

    def test_days_that_the_account_reads_daily_anyway_are_left_to_that(
        self, db: Database, site: boostiny.Site
    ) -> None:
        load = site.account(timezone=ZONE, reread_months="0", link_traffic="no")
        self.load_days(db, load, 60)
        let_days_pass(db, 7)
        units = self.run(db, "r1", load)
        assert self.days_swept(units) == [*range(61, TODAY.day - 1, -1)]
        opening = units[0]["checkpoint"]["slices"]
        assert len(opening) == max(TODAY.day, 2)

    def test_a_day_counts_as_read_only_in_every_kind_of_traffic(
        self, db: Database, site: boostiny.Site
    ) -> None:
        self.load_days(db, site.account(timezone=ZONE, reread_months="off", link_traffic="no"), 20)
        let_days_pass(db, 1)
        both = site.account(timezone=ZONE, reread_months="off", link_traffic="yes")
        assert set(self.days_swept(self.run(db, "r1", both))) == {*range(2, 8)}
        units = self.run(db, "r2", both)
        assert self.days_swept(units) == []

    def test_a_unit_in_which_nothing_is_due_after_all_says_so(
        self, db: Database, site: boostiny.Site
    ) -> None:
        load = site.account(timezone=ZONE, reread_months="2", link_traffic="no")
        self.load_days(db, load, 10)
        let_days_pass(db, 1)
        units = self.run(db, "r1", load)
        (sweep,) = sweeps(units)
        assert (sweep["status"], sweep["reason"]) == ("skipped", "Nothing unsettled is due here.")
        assert sweep["requests"] == 0


def test_several_accounts_each_sweep_their_own_days(db: Database, sandbox: Caller, load: Load) -> None:
    load_days(db, sandbox, load, days_ago=8)
    words = {**TODAYS, "networks": ["admitad", "admitad:shop2"], "maturity_sweep": True}
    open_scheduled(db, "r1", **words, anchor=datetime.now(UTC))
    found = rows(db, "SELECT account, metadata FROM data_sync.sync_logs WHERE account <> %s", ACCOUNT)
    assert [row["metadata"] for row in found] == [{"sweep": {"open_days": 0}}]
