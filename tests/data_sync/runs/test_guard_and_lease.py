"""How often a schedule may run a day, and that only one of its runs goes at a time (laws 8 and 9)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from data_sync.catalogue import mirror_yaml
from data_sync.database import Database
from data_sync.runs import guard
from data_sync.runs.opening import RunWaitsError, _insert_or_lock, open_run
from data_sync.runs.request import RunKind
from tests.data_sync.kit import Airflow, make_request, make_schedule, open_scheduled, rows, settle_run


def store(db: Database, **words: object) -> None:
    """Keep the schedule in the catalogue, whose row a claim locks."""
    mirror_yaml(db, {"daily": (make_schedule(**words), 1)}, {}, content_hash="x", revision=1, problems=[])


def open_and_end(number: int) -> bool:
    """Open a run of the schedule and end it; tell whether it was allowed to work."""
    db = Database()
    request = make_request(
        f"r{number}", make_schedule(max_runs_per_day=3), schedule_key="daily", kind=RunKind.RUN_NOW
    )
    try:
        refusal = open_run(db, request).refusal
        with db.transaction() as cursor:
            # A run that asked its network for something keeps its claim.
            cursor.execute("UPDATE data_sync.sync_log_steps SET requests = 1")
        settle_run(db, f"r{number}", Airflow("success"))
        return refusal is None
    finally:
        db.close()


def test_the_first_three_runs_of_a_day_pass_and_the_next_are_refused(db: Database) -> None:
    store(db, max_runs_per_day=3)
    assert [open_and_end(number) for number in range(5)] == [True, True, True, False, False]
    refused = rows(db, "SELECT status, reason FROM data_sync.sync_logs WHERE status = 'skipped'")
    assert len(refused) == 2
    assert "max_runs_per_day is 3, and 3 runs have already started" in refused[0]["reason"]


def test_of_twenty_simultaneous_claims_exactly_three_pass(db: Database) -> None:
    store(db, max_runs_per_day=3)

    def claim_once(number: int) -> bool:
        own = Database()
        try:
            # Without the lease, which would let one after another in: only the guard stands between them.
            schedule = make_schedule(max_runs_per_day=3)
            request = make_request(f"r{number}", schedule, schedule_key="daily", kind=RunKind.RUN_NOW)
            with own.transaction() as cursor:
                return guard.claim(cursor, _insert_or_lock(cursor, request)["id"], request) is None
        finally:
            own.close()

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(claim_once, range(20))) == 3


def test_opening_the_same_run_again_claims_nothing_more(db: Database) -> None:
    store(db, max_runs_per_day=1)
    for _ in range(3):
        assert open_scheduled(db, "one", max_runs_per_day=1).refusal is None
    claimed = rows(db, "SELECT count(*) AS n FROM data_sync.sync_runs WHERE guard = 'claimed'")
    assert claimed[0]["n"] == 1


def test_a_run_without_any_request_gives_its_claim_back(db: Database) -> None:
    store(db, max_runs_per_day=1)
    open_scheduled(db, "one", max_runs_per_day=1)
    settle_run(db, "one", Airflow("failed"))
    assert open_scheduled(db, "two", max_runs_per_day=1).refusal is None


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
def test_the_day_is_the_schedules_own(db: Database, zone: str) -> None:
    store(db, max_runs_per_day=1, timezone=zone)
    open_scheduled(db, "one", max_runs_per_day=1, timezone=zone)
    (row,) = rows(
        db,
        "SELECT guard_day, (clock_timestamp() AT TIME ZONE %s)::date AS today FROM data_sync.sync_runs",
        zone,
    )
    assert row["guard_day"] == row["today"]


def test_backfills_are_not_counted_unless_the_schedule_says_so(db: Database) -> None:
    store(db, max_runs_per_day=1)
    open_scheduled(db, "one", max_runs_per_day=1, kind=RunKind.BACKFILL)
    assert rows(db, "SELECT guard FROM data_sync.sync_runs") == [{"guard": "not_counted"}]


def test_a_second_run_waits_until_the_first_has_ended(db: Database) -> None:
    open_scheduled(db, "one")
    with pytest.raises(RunWaitsError, match="one"):
        open_scheduled(db, "two")
    settle_run(db, "one", Airflow("failed"))
    assert open_scheduled(db, "two").units


def test_a_tick_gives_up_when_the_next_one_is_due(db: Database) -> None:
    open_scheduled(db, "one")
    late = datetime.now(UTC) - timedelta(seconds=1)
    opened = open_scheduled(db, "two", next_tick=late)
    assert opened.units == []
    assert "previous run still going" in (opened.refusal or "")
    # Giving up takes nothing from the run that goes on.
    with pytest.raises(RunWaitsError):
        open_scheduled(db, "three")
