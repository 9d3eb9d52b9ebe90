"""``max_runs_per_day``: exactly as many runs as allowed, for the schedule's own calendar day."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_sync.database import Database
from data_sync.errors import DataSyncError
from data_sync.runs import guard
from data_sync.runs.opening import open_run
from data_sync.runs.request import RunKind
from data_sync.schedules.planning import WorkUnit
from network_clients.errors import NetworkUnavailableError
from tests.data_sync.kit import (
    Airflow,
    Child,
    admitad_account,
    connect,
    make_request,
    make_schedule,
    open_scheduled,
    rows,
    settle_run,
    sync_unit,
)


def end(db: Database, run_id: str, *, requests: int = 1) -> None:
    """Let a run have asked a network something and end."""
    with db.transaction() as cursor:
        cursor.execute(
            "UPDATE data_sync.sync_log_steps s SET requests = %s FROM data_sync.sync_logs l, "
            "data_sync.sync_runs r WHERE l.id = s.log_id AND r.id = l.sync_run AND r.run_id = %s",
            [requests, run_id],
        )
    assert settle_run(db, run_id, Airflow("success")).is_closed


def guards(db: Database) -> dict[str, str]:
    return {row["run_id"]: row["guard"] for row in rows(db, "SELECT run_id, guard FROM data_sync.sync_runs")}


def test_a_refused_run_does_no_work_and_says_why(db: Database) -> None:
    for number in range(2):
        assert open_scheduled(db, f"r{number}", max_runs_per_day=2).units
        end(db, f"r{number}")
    refused = open_scheduled(db, "r2", max_runs_per_day=2)
    assert refused.units == []
    assert "max_runs_per_day is 2, and 2 runs have already started" in str(refused.refusal)
    (log,) = rows(db, "SELECT status, reason, finished_at FROM data_sync.sync_logs WHERE status = 'skipped'")
    assert log["reason"] == refused.refusal
    assert log["finished_at"] is not None
    assert settle_run(db, "r2", Airflow()).is_closed
    assert guards(db) == {"r0": "claimed", "r1": "claimed", "r2": "refused"}


@pytest.mark.parametrize("in_catalogue", [True, False])
def test_twenty_claims_at_once_on_three(db: Database, in_catalogue: bool) -> None:
    request = make_request("x", make_schedule(max_runs_per_day=3), schedule_key="daily", kind=RunKind.RUN_NOW)
    with db.transaction() as cursor:
        if in_catalogue:
            cursor.execute(
                "INSERT INTO data_sync.sync_schedules (key, source, name, definition, definition_hash) "
                "VALUES ('daily', 'yaml', 'Daily', '{}', '')"
            )
    ids = [open_run(db, make_request(f"r{number}")).id for number in range(20)]
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_runs SET schedule_key = 'daily'")
    together = threading.Barrier(20)

    def claim(run: int) -> str | None:
        own = Database()
        try:
            with own.transaction() as cursor:
                together.wait()
                return guard.claim(cursor, run, request)
        finally:
            own.close()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(claim, ids))
    assert sum(answer is None for answer in answers) == 3
    assert sorted(guards(db).values()) == ["claimed"] * 3 + ["refused"] * 17


def test_retrying_or_clearing_a_run_claims_nothing_more(db: Database) -> None:
    for _ in range(3):
        assert open_scheduled(db, "r1", max_runs_per_day=1).units
        end(db, "r1")
    assert guards(db) == {"r1": "claimed"}
    assert open_scheduled(db, "r1", kind=RunKind.BACKFILL, max_runs_per_day=1).units, "re-typed"
    end(db, "r1")
    assert open_scheduled(db, "r2", max_runs_per_day=1).refusal


def test_a_refused_run_that_is_cleared_is_judged_anew(db: Database) -> None:
    open_scheduled(db, "r1", max_runs_per_day=1)
    end(db, "r1")
    assert open_scheduled(db, "r2", max_runs_per_day=1).refusal
    end(db, "r2", requests=0)
    assert open_scheduled(db, "r2", max_runs_per_day=1).refusal
    end(db, "r2", requests=0)
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_runs SET guard_day = guard_day - 1 WHERE run_id = 'r1'")
    again = open_scheduled(db, "r2", max_runs_per_day=1)
    assert again.refusal is None
    assert again.units
    (log,) = rows(db, "SELECT l.status, l.reason FROM data_sync.sync_logs l JOIN data_sync.sync_runs r "
                      "ON r.id = l.sync_run WHERE r.run_id = 'r2'")  # fmt: skip
    assert (log["status"], log["reason"]) == ("pending", None)


def test_a_claim_whose_run_asked_nothing_is_given_back(db: Database) -> None:
    open_scheduled(db, "r1", max_runs_per_day=1)
    end(db, "r1", requests=0)
    assert guards(db) == {"r1": "given_back"}
    assert open_scheduled(db, "r2", max_runs_per_day=1).units
    end(db, "r2")
    assert open_scheduled(db, "r1", max_runs_per_day=1).refusal, "given back, so judged anew"


@pytest.mark.parametrize(
    ("kind", "words", "counted"),
    [
        (RunKind.SCHEDULED, {}, True),
        (RunKind.RUN_NOW, {}, True),
        (RunKind.BACKFILL, {}, False),
        (RunKind.BACKFILL, {"backfills_count": True}, True),
    ],
)
def test_which_runs_count(db: Database, kind: RunKind, words: dict, counted: bool) -> None:
    open_scheduled(db, "r1", kind=kind, max_runs_per_day=1, **words)
    end(db, "r1")
    assert (open_scheduled(db, "r2", max_runs_per_day=1).refusal is not None) == counted


def test_a_burst_after_an_outage_counts_today(db: Database) -> None:
    missed = [datetime(2026, 3, day, 6, tzinfo=UTC) for day in range(1, 6)]
    for number, tick in enumerate(missed):
        open_scheduled(db, f"r{number}", anchor=tick, max_runs_per_day=3)
        end(db, f"r{number}", requests=int(number < 3))
    assert list(guards(db).values()) == ["claimed"] * 3 + ["refused"] * 2
    days = rows(db, "SELECT DISTINCT guard_day, (clock_timestamp() AT TIME ZONE 'UTC')::date AS today "
                    "FROM data_sync.sync_runs")  # fmt: skip
    assert [day["guard_day"] == day["today"] for day in days] == [True]


def test_a_plain_quick_sync_has_no_allowance(db: Database) -> None:
    for number in range(3):
        assert open_run(db, make_request(f"r{number}", make_schedule(max_runs_per_day=1))).units


def test_processes_that_open_runs_at_once_get_one_each_in_turn(db: Database) -> None:
    db.close()

    def try_until_open(number: int) -> None:
        from data_sync.runs.lease import RunWaitsError

        own = Database()
        while True:
            try:
                opened = open_scheduled(own, f"r{number}", max_runs_per_day=3)
            except RunWaitsError:
                continue
            end(own, f"r{number}", requests=0 if opened.refusal else 1)
            return

    children = [Child(lambda number=number: try_until_open(number)) for number in range(6)]
    assert [child.wait() for child in children] == [0] * 6
    assert sorted(guards(db).values()) == ["claimed"] * 3 + ["refused"] * 3


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Dubai", "Africa/Cairo", "UTC"]
#: Around both changes of daylight saving, and a day like any other.
_MOMENTS = [
    datetime(2026, month, day, tzinfo=UTC)
    for month, day in [(3, 8), (3, 29), (4, 5), (4, 24), (6, 1), (10, 4), (10, 25), (10, 29), (11, 1)]
]


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    zone=st.sampled_from(ZONES),
    near=st.sampled_from(_MOMENTS),
    minutes=st.integers(-26 * 60, 50 * 60),
)
def test_the_day_turns_at_the_schedules_midnight(
    db: Database, database: str, zone: str, near: datetime, minutes: int
) -> None:
    """The database's own clock stands where the test puts it, on daylight-saving days too."""
    moment = near + timedelta(minutes=minutes)
    with connect(database) as admin:
        _set_clock(admin, moment)
        request = make_request("c", make_schedule(max_runs_per_day=3, timezone=zone),
                               schedule_key="daily", kind=RunKind.RUN_NOW)  # fmt: skip
        admin.execute("DELETE FROM data_sync.sync_runs")
        opened = open_run(db, make_request("c"))
        with db.transaction() as cursor:
            cursor.execute("SET LOCAL search_path = standing, pg_catalog")
            assert guard.claim(cursor, opened.id, request) is None
        (row,) = rows(db, "SELECT guard_day FROM data_sync.sync_runs WHERE id = %s", opened.id)
    assert row["guard_day"] == moment.astimezone(ZoneInfo(zone)).date()


def _set_clock(admin, moment: datetime) -> None:  # type: ignore[no-untyped-def]
    """Put another clock_timestamp() where a search path finds it before Postgres' own."""
    admin.execute("CREATE SCHEMA IF NOT EXISTS standing")
    admin.execute(
        "CREATE OR REPLACE FUNCTION standing.clock_timestamp() RETURNS timestamptz LANGUAGE sql "
        f"AS $$ SELECT timestamptz '{moment.isoformat()}' $$"
    )


def test_a_unit_that_is_cleared_after_its_claim_was_given_back_claims_again(db: Database) -> None:
    words = {"max_runs_per_day": 1}
    opened = open_scheduled(db, "r1", **words)
    end(db, "r1", requests=0)
    assert guards(db) == {"r1": "given_back"}
    work = WorkUnit.from_dict(opened.units[0])
    with pytest.raises(NetworkUnavailableError):
        sync_unit(db, "r1", work, admitad_account("http://127.0.0.1:1"))
    assert guards(db) == {"r1": "claimed"}
    settle_run(db, "r1", Airflow("failed"))
    assert open_scheduled(db, "r2", **words).refusal, "its claim counts"
    end(db, "r2", requests=0)
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_runs SET guard = 'given_back' WHERE run_id = 'r1'")
    assert open_scheduled(db, "r3", **words).refusal is None
    end(db, "r3")
    with pytest.raises(DataSyncError, match="max_runs_per_day is 1"):
        sync_unit(db, "r1", work, admitad_account("http://127.0.0.1:1"))
