"""Past months of a network whose rows keep changing are read again: each day once a day, by schedules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from data_sync.database import Database
from data_sync.engine.rereading import days_to_reread
from data_sync.runs.request import RunKind
from data_sync.sync import account_scope, build_client
from network_clients.errors import NetworkUnavailableError, NotConfiguredError
from network_clients.interface import ReadRequest
from network_clients.records import Kind
from tests.data_sync.engine.boostiny import ACCOUNT, Load, Site, open_boostiny, site, sync_run, sync_unit
from tests.data_sync.kit import rows

#: A zone in which it is about noon now, so that no day ends while a test runs.
OFFSET = datetime.now(UTC).hour - 12
NOON_ZONE = f"Etc/GMT{OFFSET:+d}" if OFFSET else "Etc/GMT"
TODAY = (datetime.now(UTC) - timedelta(hours=OFFSET)).date()
FIRST_OF_MONTH = TODAY.replace(day=1)
FIRST_OF_LAST_MONTH = (FIRST_OF_MONTH - timedelta(days=1)).replace(day=1)
#: Of a schedule that reads today; the network's zone is not certain, so yesterday belongs to it too.
TODAYS_RUN: dict[str, Any] = {"date_range": "today", "first": None, "last": None, "timezone": NOON_ZONE}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Site]:
    with site(now=None, rows_per_day=5) as found:
        yield found


@pytest.fixture
def load(sandbox: Site) -> Load:
    return sandbox.account(timezone=NOON_ZONE, reread_months="1", link_traffic="no")


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


OWN = days(TODAY - timedelta(days=1), TODAY)
EARLIER = days(FIRST_OF_LAST_MONTH, OWN[0] - timedelta(days=1))


def run(db: Database, run_id: str, load: Load, kind: RunKind = RunKind.SCHEDULED) -> int:
    """Run a schedule that reads today; return how many lists its only unit has read."""
    now = datetime.now(UTC)
    (unit,) = sync_run(db, run_id, load, kind, **TODAYS_RUN, anchor=now)
    assert unit["is_complete"]
    return len(unit["checkpoint"]["slices"])


def days_read(db: Database, traffic: str = "coupon") -> list[date]:
    found = rows(
        db, "SELECT day FROM data_sync.reads WHERE date_filter = %s ORDER BY day", f"occurred {traffic}"
    )
    return [row["day"] for row in found]


def let_a_day_pass(db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.reads SET started_at = started_at - interval '1 day', "
                       "ended_at = ended_at - interval '1 day'")  # fmt: skip


def test_a_schedules_first_run_of_the_day_reads_past_months_too_and_the_next_one_does_not(
    db: Database, load: Load
) -> None:
    assert run(db, "r1", load) == len(EARLIER) + len(OWN)
    assert days_read(db) == EARLIER + OWN
    assert run(db, "r2", load) == len(OWN)
    let_a_day_pass(db)
    assert run(db, "r3", load, RunKind.RUN_NOW) == len(EARLIER) + len(OWN)


def test_new_rows_come_before_those_that_are_read_again(db: Database, load: Load) -> None:
    run(db, "r1", load)
    (step,) = rows(db, "SELECT checkpoint FROM data_sync.sync_log_steps")
    starts = [date.fromisoformat(part["start"]) for part in step["checkpoint"]["slices"]]
    assert starts == OWN + EARLIER


@pytest.mark.parametrize("kind", [RunKind.BACKFILL, RunKind.QUICK_SYNC, RunKind.RETRY])
def test_other_runs_read_the_days_that_were_asked_for_and_no_more(
    db: Database, load: Load, kind: RunKind
) -> None:
    assert run(db, "r1", load, kind) == len(OWN)
    assert days_read(db) == OWN


def test_days_that_another_run_has_read_today_are_left_out(db: Database, load: Load) -> None:
    some = EARLIER[3:10]
    sync_run(db, "r1", load, RunKind.BACKFILL, first=str(some[1]), last=str(some[-2]), timezone=NOON_ZONE)
    assert days_read(db) == some, "the backfill reads a day more at both ends"
    assert run(db, "r2", load) == len(EARLIER) - len(some) + len(OWN)


def test_a_day_counts_as_read_only_in_every_kind_of_traffic(db: Database, sandbox: Site, load: Load) -> None:
    run(db, "r1", load)
    both = sandbox.account(timezone=NOON_ZONE, reread_months="1", link_traffic="yes")
    assert run(db, "r2", both) == 2 * (len(EARLIER) + len(OWN))
    assert days_read(db, "link") == EARLIER + OWN
    assert run(db, "r3", both) == 2 * len(OWN)


@pytest.mark.parametrize(
    ("months", "first"), [("0", FIRST_OF_MONTH), ("1", FIRST_OF_LAST_MONTH), ("off", OWN[0])]
)
def test_how_far_back_is_the_accounts_own_choice(
    db: Database, sandbox: Site, months: str, first: date
) -> None:
    run(db, "r1", sandbox.account(timezone=NOON_ZONE, reread_months=months, link_traffic="no"))
    assert days_read(db) == days(min(first, OWN[0]), TODAY)


def test_a_unit_that_is_tried_again_reads_what_it_had_planned(
    db: Database, sandbox: Site, load: Load
) -> None:
    opened = open_boostiny(db, "r1", RunKind.SCHEDULED, **TODAYS_RUN, anchor=datetime.now(UTC))
    sandbox.fault("server_error", path="/publisher/", after=12, count=3)
    (unit,) = opened.units
    with pytest.raises(NetworkUnavailableError):
        sync_unit(db, "r1", unit, load)
    assert days_read(db) == EARLIER[:10] + OWN
    sync_unit(db, "r1", unit, load)
    assert days_read(db) == EARLIER + OWN
    (step,) = rows(db, "SELECT tries, requests FROM data_sync.sync_log_steps")
    assert step == {"tries": 2, "requests": len(EARLIER) + len(OWN) + 3}


def test_only_the_window_that_opens_the_range_reads_past_days(db: Database, load: Load) -> None:
    first = TODAY - timedelta(days=27)
    words = {"first": str(first), "last": str(TODAY), "timezone": NOON_ZONE}
    opening, *others = sync_run(db, "r1", load, RunKind.SCHEDULED, **words)
    own = days(first - timedelta(days=1), TODAY)
    earlier = [day for day in EARLIER if day < own[0]]
    assert days_read(db) == earlier + own
    assert len(opening["checkpoint"]["slices"]) > len(earlier)
    starts = [part["start"] for unit in others for part in unit["checkpoint"]["slices"]]
    assert min(starts) > str(first)


@pytest.mark.parametrize(
    ("today", "months", "first"),
    [
        (date(2026, 1, 1), 2, date(2025, 11, 1)),
        (date(2026, 3, 31), 1, date(2026, 2, 1)),
        (date(2026, 12, 31), 0, date(2026, 12, 1)),
        (date(2024, 3, 1), 24, date(2022, 3, 1)),
    ],
)
def test_months_are_whole(db: Database, sandbox: Site, today: date, months: int, first: date) -> None:
    client = build_client(db, sandbox.account(reread_months=str(months))(ACCOUNT))
    with db.transaction() as cursor:
        found = days_to_reread(cursor, client, ReadRequest(Kind.PURCHASES, today, today), today)
    assert list(found) == days(first, today - timedelta(days=1))


def test_catalogues_have_no_past(db: Database, sandbox: Site) -> None:
    client = build_client(db, sandbox.account()(ACCOUNT))
    with db.transaction() as cursor:
        assert days_to_reread(cursor, client, ReadRequest(Kind.CAMPAIGNS), TODAY) == ()


def test_a_value_that_cannot_be_used_fails_the_sync_with_what_to_write(db: Database, sandbox: Site) -> None:
    (unit,) = open_boostiny(db, "r1", RunKind.SCHEDULED).units
    with pytest.raises(NotConfiguredError):
        sync_unit(db, "r1", unit, sandbox.account(reread_months="two"))
    (step,) = rows(db, "SELECT status, error FROM data_sync.sync_log_steps")
    assert (step["status"], step["error"]["verdict"]) == ("failed", "not configured")
    assert "Write a number from 0 to 24, or off." in step["error"]["message"]


def test_pace_and_past_months_do_not_decide_what_a_read_finds(db: Database, sandbox: Site) -> None:
    def scope(**values: str) -> str:
        return account_scope(build_client(db, sandbox.account(**values)(ACCOUNT)))

    assert scope() == scope(pace_seconds="9") == scope(reread_months="off") == scope(link_traffic="no")
    assert len({scope(), scope(window_days="7"), scope(timezone="Asia/Dubai"), scope(currency="AED")}) == 4
