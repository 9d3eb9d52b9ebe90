"""``open_run`` where the schedule and its DAG do not say the same: one of them was edited a moment ago."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from data_sync.database import Database
from data_sync.ledger import steps
from data_sync.runs import opening
from data_sync.runs.opening import ScheduleChangedError, open_run
from data_sync.runs.request import RunKind
from data_sync.runs.retrying import find_failed_log
from tests.data_sync.kit import (
    ACCOUNT,
    Airflow,
    claim,
    make_request,
    make_schedule,
    open_scheduled,
    rows,
    settle_run,
)


def test_an_account_that_airflow_has_no_task_for_fails_at_once_and_holds_nothing_up(db: Database) -> None:
    schedule = make_schedule(networks=["admitad", "admitad:shop2"])
    opened = open_run(db, make_request("r1", schedule), without_task={"admitad_shop2": "No task yet."})
    assert opened.units
    (log,) = rows(db, "SELECT * FROM data_sync.sync_logs WHERE account = 'admitad_shop2'")
    assert (log["status"], log["reason"], log["error"]["message"]) == ("failed", *["No task yet."] * 2)
    assert log["finished_at"] is not None
    claimed = claim(db, "r1")
    with db.transaction() as cursor:
        steps.finish(cursor, claimed, "completed", is_complete=True)
    settled = settle_run(db, "r1", Airflow())
    assert settled.is_closed
    assert settled.statuses == {ACCOUNT: "completed", "admitad_shop2": "failed"}
    assert settled.complete == ((ACCOUNT, "purchases"),)
    with db.transaction() as cursor:
        again = find_failed_log(cursor, log["id"])
    assert (again.account, [unit["kind"] for unit in again.units]) == ("admitad_shop2", ["purchases"])


def test_a_cleared_run_leaves_the_log_of_an_account_that_was_taken_out_as_it_was(db: Database) -> None:
    schedule = make_schedule(networks=["admitad", "admitad:shop2"])
    open_run(db, make_request("r1", schedule))
    settle_run(db, "r1", Airflow("success"))
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_logs SET status = 'completed', reason = NULL")
        cursor.execute(
            "UPDATE data_sync.sync_log_steps SET status = 'completed', reason = NULL, error = NULL"
        )
    open_run(db, make_request("r1", schedule), without_task={"admitad_shop2": "Taken out since."})
    logs = rows(db, "SELECT account, status FROM data_sync.sync_logs ORDER BY account")
    assert [tuple(log.values()) for log in logs] == [(ACCOUNT, "pending"), ("admitad_shop2", "completed")]
    settle_run(db, "r1", Airflow("success"))
    (log,) = rows(db, "SELECT status, reason FROM data_sync.sync_logs WHERE account = 'admitad_shop2'")
    assert log == {"status": "completed", "reason": None}


def test_a_refused_run_skips_every_account_with_or_without_a_task(db: Database) -> None:
    first = open_scheduled(db, "r1", max_runs_per_day=1)
    assert first.units
    _settle_with_requests(db, "r1")
    request = make_request(
        "r2", make_schedule(max_runs_per_day=1), schedule_key="daily", kind=RunKind.SCHEDULED
    )
    refused = open_run(db, request, without_task={ACCOUNT: "No task yet."})
    assert (refused.units, refused.refusal is not None) == ([], True)
    logs = rows(db, "SELECT status FROM data_sync.sync_logs ORDER BY id")
    assert [log["status"] for log in logs][-1] == "skipped"


def _settle_with_requests(db: Database, run_id: str) -> None:
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_log_steps SET requests = 1")
    settle_run(db, run_id, Airflow("success"))


def test_a_schedule_that_is_edited_while_its_run_opens_opens_as_it_is_then(db: Database) -> None:
    _store(db, revision=4)
    made_from = ("yaml", 4)
    request = make_request("r1", schedule_key="daily", kind=RunKind.SCHEDULED, made_from=made_from)
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_schedules SET revision = 5")
    with pytest.raises(ScheduleChangedError, match="daily"):
        open_run(db, request)
    assert rows(db, "SELECT 1 FROM data_sync.sync_runs") == []
    assert open_run(db, replace(request, made_from=("yaml", 5))).units
    settle_run(db, "r1", Airflow("success"))
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_schedules SET deleted_at = now()")
    with pytest.raises(ScheduleChangedError, match="daily"):
        open_run(db, replace(request, run_id="r2", made_from=("yaml", 5)))


def test_whoever_edits_a_schedule_while_its_run_opens_finds_the_run_in_flight(db: Database) -> None:
    """Its DAG then keeps the groups that the run needs: an edit waits until the run is there to be seen."""
    _store(db, revision=1)
    request = make_request("r1", schedule_key="daily", kind=RunKind.SCHEDULED, made_from=("yaml", 1))
    editor = Database()
    try:
        with db.transaction() as cursor:
            opening._require_in_force(cursor, request)
            with pytest.raises(psycopg.errors.LockNotAvailable):
                _edit(editor)
    finally:
        editor.close()


def _edit(db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '300ms'")
        cursor.execute("UPDATE data_sync.sync_schedules SET revision = 2")


def _store(db: Database, *, revision: int) -> None:
    with db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO data_sync.sync_schedules (key, source, name, definition, definition_hash, revision) "
            "VALUES ('daily', 'yaml', 'Daily', %s::jsonb, 'x', %s)",
            [make_schedule().model_dump_json(by_alias=True, exclude_none=True), revision],
        )
