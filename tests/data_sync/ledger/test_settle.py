"""A log follows from its steps, and nothing stays open once Airflow says that it has ended (law 10)."""

from __future__ import annotations

import pytest

from data_sync.database import Database
from data_sync.errors import StepTakenError
from data_sync.ledger import steps
from data_sync.ledger.steps import Progress
from tests.data_sync.kit import Airflow, claim, open_scheduled, rows, settle_run


def log_of(db: Database) -> dict[str, object]:
    return rows(db, "SELECT status, reason, error, finished_at FROM data_sync.sync_logs")[0]


def test_a_finished_unit_completes_the_log_and_frees_the_schedule(db: Database) -> None:
    open_scheduled(db, "one")
    step = claim(db, "one")
    with db.transaction() as cursor:
        steps.finish(cursor, step, "completed", is_complete=True)
    airflow = Airflow()
    settled = settle_run(db, "one", airflow)
    assert (settled.is_closed, settled.statuses) == (True, {"admitad_default": "completed"})
    assert settled.complete == (("admitad_default", "purchases"),)
    assert airflow.asked == 0
    assert settle_run(db, "one", airflow) == settled
    assert rows(db, "SELECT * FROM data_sync.schedule_leases") == []


@pytest.mark.parametrize("state", ["running", "queued", "up_for_retry", "up_for_reschedule", None])
def test_nothing_is_closed_while_airflow_still_has_work(db: Database, state: str | None) -> None:
    open_scheduled(db, "one")
    claim(db, "one")
    assert not settle_run(db, "one", Airflow(admitad__sync_0=state)).is_closed
    assert log_of(db)["status"] == "processing"


@pytest.mark.parametrize("state", ["failed", "upstream_failed", "skipped", "removed", "success"])
def test_a_task_that_ended_without_its_own_end_fails_the_log(db: Database, state: str) -> None:
    open_scheduled(db, "one")
    claim(db, "one")
    assert settle_run(db, "one", Airflow(admitad__sync_0=state)).is_closed
    found = log_of(db)
    assert found["status"] == "failed"
    assert found["reason"]
    assert found["finished_at"]


@pytest.mark.parametrize(("run", "status"), [("failed", "failed"), (None, "cancelled")])
def test_a_run_that_is_over_or_deleted_leaves_nothing_open(
    db: Database, run: str | None, status: str
) -> None:
    open_scheduled(db, "one")
    assert settle_run(db, "one", Airflow(run)).statuses == {"admitad_default": status}


def test_a_process_taken_for_dead_can_write_nothing_any_more(db: Database) -> None:
    open_scheduled(db, "one")
    first = claim(db, "one")
    second = claim(db, "one")
    with pytest.raises(StepTakenError), db.transaction() as cursor:
        steps.advance(cursor, first, Progress(read=5, inserted=5), {"slices": []})
    with db.transaction() as cursor:
        steps.advance(cursor, second, Progress(read=1, inserted=1), {"slices": []})
    assert rows(db, "SELECT rows_inserted FROM data_sync.sync_log_steps") == [{"rows_inserted": 1}]


def test_a_settled_step_cannot_be_written_by_its_old_holder(db: Database) -> None:
    open_scheduled(db, "one")
    step = claim(db, "one")
    settle_run(db, "one", Airflow(admitad__sync_0="failed"))
    with pytest.raises(StepTakenError), db.transaction() as cursor:
        steps.finish(cursor, step, "completed")
