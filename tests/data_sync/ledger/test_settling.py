"""How runs settle: a log's status follows from its units, and nothing is closed that may still run."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from data_sync.database import Cursor, Database
from data_sync.errors import DataSyncError, StepTakenError
from data_sync.ledger import settle as settle_room
from data_sync.ledger import steps
from data_sync.ledger.settle import Settled, settle
from data_sync.ledger.steps import Progress, Step
from data_sync.runs.lookup import open_runs
from data_sync.runs.opening import open_run
from data_sync.schedules.planning import WorkUnit
from network_clients.errors import NetworkUnavailableError
from tests.data_sync.kit import (
    ACCOUNT,
    Airflow,
    admitad_account,
    claim,
    make_request,
    make_schedule,
    rows,
    settle_run,
    sync_unit,
    units_of,
)

THREE = make_schedule(sync_type="all")


def opened(db: Database, run_id: str = "r1") -> int:
    """A run of three units: purchases, campaigns, coupons."""
    return open_run(db, make_request(run_id, THREE)).id


def finish(db: Database, step: Step, status: str = "completed", **words: object) -> None:
    with db.transaction() as cursor:
        steps.finish(cursor, step, status, **words)  # type: ignore[arg-type]


def advance(db: Database, step: Step, **progress: object) -> None:
    with db.transaction() as cursor:
        steps.advance(cursor, step, Progress(**progress), {"at": 0})  # type: ignore[arg-type]


def statuses(db: Database, run: int) -> list[str]:
    return [unit["status"] for unit in units_of(db, run)]


def log(db: Database) -> dict:
    (found,) = rows(db, "SELECT * FROM data_sync.sync_logs")
    return found


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (("completed", "completed", "completed"), "completed"),
        (("completed", "completed", "skipped"), "completed"),
        (("skipped", "skipped", "skipped"), "skipped"),
        (("completed", "failed", "completed"), "failed"),
        (("failed", "cancelled", "superseded"), "failed"),
        (("completed", "cancelled", "superseded"), "cancelled"),
        (("completed", "superseded", "completed"), "superseded"),
        ((None, None, None), "pending"),
        (("completed", None, None), "processing"),
        (("retrying", "completed", "completed"), "processing"),
        (("processing", "failed", "completed"), "processing"),
    ],
)
def test_a_logs_status_follows_from_its_units(db: Database, ends: tuple, expected: str) -> None:
    opened(db)
    for unit, end in enumerate(ends):
        if end is not None:
            step = claim(db, "r1", unit)
            if end != "processing":
                finish(db, step, end)
    settled = settle_run(db, "r1", Airflow())
    assert settled.statuses == {ACCOUNT: expected}
    assert settled.is_closed == (expected not in ("pending", "processing"))
    assert (log(db)["finished_at"] is not None) == settled.is_closed


def test_figures_of_a_log_are_the_sums_of_its_units(db: Database) -> None:
    opened(db)
    for unit in range(3):
        step = claim(db, "r1", unit)
        advance(
            db, step, pages=1, read=5, inserted=2, unchanged=3, requests=unit, waited=0.5, warnings=["odd"]
        )
        finish(db, step, is_complete=unit != 2)
    settled = settle_run(db, "r1", Airflow())
    assert settled.complete == ((ACCOUNT, "campaigns"), (ACCOUNT, "purchases"))
    found = log(db)
    assert (found["requests"], float(found["waited_seconds"]), found["tries"]) == (3, 1.5, 1)
    assert found["warnings"] == ["odd"]
    assert found["counts"]["coupons"] == {
        "read": 5, "inserted": 2, "updated": 0, "unchanged": 3, "outdated": 0, "rejected": 0, "vanished": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    "task", ["running", "queued", "scheduled", "up_for_retry", "up_for_reschedule", None]
)
def test_nothing_is_closed_while_airflow_may_still_run_it(db: Database, task: str | None) -> None:
    run = opened(db)
    claim(db, "r1", 0)
    with db.transaction() as cursor:
        cursor.execute(
            "UPDATE data_sync.sync_log_steps SET lease_until = clock_timestamp() - interval '1 day'"
        )
    settled = settle_run(db, "r1", Airflow("running", admitad__sync_0=task))
    assert (settled.is_closed, settled.statuses) == (False, {ACCOUNT: "processing"})
    assert statuses(db, run) == ["processing", "pending", "pending"]


@pytest.mark.parametrize("task", ["failed", "upstream_failed", "skipped", "removed", "success"])
def test_a_unit_whose_task_has_ended_is_closed_and_the_others_are_not(db: Database, task: str) -> None:
    run = opened(db)
    claim(db, "r1", 0)
    airflow = Airflow("running", admitad__sync_0=task, admitad__sync_1="running", admitad__sync_2="queued")
    assert not settle_run(db, "r1", airflow).is_closed
    assert statuses(db, run) == ["failed", "pending", "pending"]
    unit = units_of(db, run)[0]
    assert unit["reason"]
    assert unit["error"]["message"].endswith("Clear the task in Airflow to go on.")
    assert (unit["holder"], unit["lease_until"]) == (None, None)


def test_a_mapped_task_that_was_never_expanded_has_one_instance(db: Database) -> None:
    run = opened(db)
    assert settle_run(db, "r1", Airflow("running", admitad__sync="upstream_failed")).is_closed
    assert statuses(db, run) == ["failed"] * 3


@pytest.mark.parametrize(
    ("state", "status"), [("failed", "failed"), ("success", "failed"), (None, "cancelled")]
)
def test_a_run_that_ended_or_was_deleted_leaves_nothing_open(
    db: Database, state: str | None, status: str
) -> None:
    opened(db)
    finish(db, claim(db, "r1", 0), is_complete=True)
    claim(db, "r1", 1)
    settled = settle_run(db, "r1", Airflow(state))
    assert (settled.is_closed, settled.statuses) == (True, {ACCOUNT: status})
    assert settled.complete == ((ACCOUNT, "purchases"),)


def test_a_unit_that_waits_is_not_over(db: Database) -> None:
    run = opened(db)
    step = claim(db, "r1", 0)
    until = db.clock()
    with db.transaction() as cursor:
        steps.wait(cursor, step, until, "the gate is closed")
    settled = settle_run(db, "r1", Airflow("running", admitad__sync_0="up_for_reschedule"))
    assert settled.statuses == {ACCOUNT: "processing"}
    unit = units_of(db, run)[0]
    assert (unit["status"], unit["waiting_until"]) == ("waiting", until)
    assert log(db)["reason"] == "the gate is closed"
    again = claim(db, "r1", 0)
    assert units_of(db, run)[0]["tries"] == 1, "waiting is no try"
    finish(db, again, is_complete=True)


def test_settling_twice_changes_nothing_and_asks_airflow_nothing(db: Database) -> None:
    opened(db)
    for unit in range(3):
        finish(db, claim(db, "r1", unit), is_complete=True)
    first = settle_run(db, "r1", Airflow())
    before = rows(db, "SELECT id, state, closed_at, guard FROM data_sync.sync_runs")
    airflow = Airflow(None)
    assert first.has_just_closed
    assert settle_run(db, "r1", airflow) == replace(first, has_just_closed=False)
    assert airflow.asked == 0
    assert rows(db, "SELECT id, state, closed_at, guard FROM data_sync.sync_runs") == before
    with db.transaction() as cursor:
        assert open_runs(cursor) == []


def test_many_who_settle_at_once_agree_and_one_has_closed_the_run(db: Database) -> None:
    run = opened(db)
    claim(db, "r1", 0)
    found = []

    def work() -> None:
        own = Database()
        found.append(settle_run(own, "r1", Airflow("failed")))
        own.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(settled.has_just_closed for settled in found) == 1
    assert [replace(settled, has_just_closed=True) for settled in found] == [
        Settled(True, True, {ACCOUNT: "failed"}, ())
    ] * 6
    assert statuses(db, run) == ["failed"] * 3


def test_a_settled_unit_cannot_be_written_by_its_old_holder(db: Database) -> None:
    opened(db)
    zombie = claim(db, "r1", 0)
    settle_run(db, "r1", Airflow("running", admitad__sync_0="failed"))
    with pytest.raises(StepTakenError):
        advance(db, zombie, read=1, inserted=1)
    with pytest.raises(StepTakenError):
        finish(db, zombie)
    assert log(db)["counts"]["purchases"]["read"] == 0


def test_a_unit_that_was_cleared_while_airflow_was_asked_stays_open(db: Database) -> None:
    run = opened(db)
    claim(db, "r1", 0)

    class Cleared(Airflow):
        def task_states(self, dag_id: str, run_id: str):  # type: ignore[no-untyped-def]
            claim(db, "r1", 0, holder="the new try")
            return {"admitad.sync_0": "failed"}

    settle_run(db, "r1", Cleared("running"))
    assert statuses(db, run)[0] == "processing"
    assert units_of(db, run)[0]["holder"] == "the new try"


def test_a_cleared_unit_reads_anew_and_what_it_cost_stays_counted(db: Database) -> None:
    run = opened(db)
    step = claim(db, "r1", 0)
    advance(db, step, read=5, inserted=5, requests=7, waited=2.0)
    finish(db, step, "failed", reason="x")
    again = claim(db, "r1", 0)
    assert again.checkpoint is None
    unit = units_of(db, run)[0]
    assert (unit["rows_read"], unit["requests"], unit["tries"], unit["reason"]) == (0, 7, 1, None)


def test_a_claim_waits_for_the_batch_of_the_old_holder_and_goes_on_behind_it(db: Database) -> None:
    opened(db)
    old = claim(db, "r1", 0)
    other = Database()
    taken: list[Step] = []
    with db.transaction() as cursor:
        steps.advance(cursor, old, Progress(read=3, inserted=3), {"at": 3})
        thread = threading.Thread(target=lambda: taken.append(claim(other, "r1", 0)))
        thread.start()
        time.sleep(0.3)
        assert not taken
    thread.join()
    other.close()
    assert taken[0].checkpoint == {"at": 3}
    with pytest.raises(StepTakenError):
        advance(db, old)


def test_a_unit_that_was_never_planned_is_refused_in_words(db: Database) -> None:
    opened(db)
    with pytest.raises(DataSyncError, match=r"has no unit 9 for admitad_default\. Clear the whole run"):
        claim(db, "r1", 9)


def test_every_open_run_is_found(db: Database) -> None:
    for number in range(3):
        opened(db, f"r{number}")
    settle_run(db, "r1", Airflow(None))
    with db.transaction() as cursor:
        found = open_runs(cursor)
    assert [run.run_id for run in found] == ["r0", "r2"]
    assert settle(db, found[0], Airflow(None)).is_closed


@pytest.mark.parametrize("task", ["scheduled", "up_for_retry", "up_for_reschedule", None])
def test_what_a_pause_holds_back_is_shown_as_held_and_goes_on_afterwards(db: Database, task: str) -> None:
    run = opened(db)
    finish(db, claim(db, "r1", 0), is_complete=True)
    claim(db, "r1", 1)
    airflow = Airflow("running", paused=True, admitad__sync_1=task)
    settled = settle_run(db, "r1", airflow)
    assert (settled.is_closed, settled.statuses) == (False, {ACCOUNT: "held"})
    assert log(db)["reason"].startswith("held by pause")
    assert statuses(db, run) == ["completed", "processing", "pending"]
    assert settle_run(db, "r1", Airflow("running", admitad__sync_1=task)).statuses == {ACCOUNT: "processing"}
    settle_run(db, "r1", airflow)
    claim(db, "r1", 1)
    assert (log(db)["status"], log(db)["reason"]) == ("processing", None)


@pytest.mark.parametrize("task", ["running", "queued", "restarting"])
def test_a_pause_does_not_hide_a_unit_that_still_runs(db: Database, task: str) -> None:
    opened(db)
    claim(db, "r1", 0)
    settled = settle_run(db, "r1", Airflow("running", paused=True, admitad__sync_0=task))
    assert settled.statuses == {ACCOUNT: "processing"}


def test_a_paused_run_whose_units_have_all_ended_is_settled(db: Database) -> None:
    opened(db)
    for unit in range(3):
        finish(db, claim(db, "r1", unit), is_complete=True)
    settled = settle_run(db, "r1", Airflow("running", paused=True))
    assert (settled.is_closed, settled.statuses) == (True, {ACCOUNT: "completed"})


def catalogue_revision(db: Database) -> int:
    return int(rows(db, "SELECT revision FROM data_sync.catalogue_state")[0]["revision"])


@pytest.mark.parametrize(
    ("networks", "deleted", "changes"),
    [(["admitad"], False, False), (["admitad", "admitad:shop2"], False, True), (["admitad"], True, True)],
)
def test_the_end_of_a_run_lets_its_dag_lose_what_only_that_run_had(
    db: Database, networks: list[str], deleted: bool, changes: bool
) -> None:
    schedule = make_schedule(interval="1d")
    open_run(db, make_request("r1", schedule, schedule_key="daily"))
    stored = make_schedule(interval="1d", networks=networks)
    with db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO data_sync.sync_schedules (key, source, name, definition, definition_hash, "
            "deleted_at) VALUES ('daily', 'yaml', 'Daily', %s::jsonb, '', "
            "CASE WHEN %s THEN clock_timestamp() END)",
            [json.dumps(stored.to_dict()), deleted],
        )
    before = catalogue_revision(db)
    assert not settle_run(db, "r1", Airflow("running")).is_closed
    assert catalogue_revision(db) == before
    assert settle_run(db, "r1", Airflow("failed")).is_closed
    assert (catalogue_revision(db) > before) == changes


def test_a_unit_that_is_cleared_while_its_run_is_settled_is_not_lost(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is either closed with the unit or open with it, and upkeep finds it then."""
    opened_run = open_run(db, make_request("r1", schedule_key="daily"))
    finish(db, claim(db, "r1", 0), is_complete=True)
    reached, go_on = threading.Event(), threading.Event()
    derive = settle_room._derive_logs

    def slow(cursor: Cursor, run: int) -> None:
        derive(cursor, run)
        reached.set()
        assert go_on.wait(30)

    monkeypatch.setattr(settle_room, "_derive_logs", slow)
    own = Database()
    settling = threading.Thread(target=lambda: settle_run(own, "r1", Airflow("success")))
    settling.start()
    assert reached.wait(30)
    work = WorkUnit.from_dict(opened_run.units[0])
    unit = threading.Thread(target=lambda: fails_to_read(work))
    unit.start()
    time.sleep(0.5)
    go_on.set()
    settling.join(30)
    unit.join(30)
    own.close()
    (run,) = rows(db, "SELECT state FROM data_sync.sync_runs")
    assert (run["state"], log(db)["status"]) == ("open", "processing")
    monkeypatch.undo()
    assert settle_run(db, "r1", Airflow("failed")).is_closed


def fails_to_read(work: WorkUnit) -> None:
    """Do what a cleared task does, whose network is not there."""
    own = Database()
    with pytest.raises(NetworkUnavailableError):
        sync_unit(own, "r1", work, admitad_account("http://127.0.0.1:1"), round=9)
    own.close()
