"""A run whose DAG has no task for one of its accounts: it waits a while, then says so and goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from data_sync.dag import run_accounts
from data_sync.dag.airflow_view import TaskAirflowView
from data_sync.database import Database
from data_sync.runs.opening import open_run
from tests.data_sync.kit import make_request, make_schedule

SCHEDULE = make_schedule(networks=["admitad", "admitad:shop2"])


def without_task(
    db: Database, *, age: timedelta = timedelta(0), unreadable: dict[str, str] | None = None
) -> dict[str, str]:
    context: Any = {
        "ti": SimpleNamespace(dag_id="sync__daily", run_id="r1"),
        "dag_run": SimpleNamespace(start_date=datetime.now(UTC) - age),
    }
    return run_accounts.without_task(context, db, make_request("r1", SCHEDULE), unreadable or {})


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """What Airflow has in the run: tasks that were never expanded count as well."""
    found: dict[str, str | None] = {"open_run": "running", "admitad.sync": None, "close_run": None}
    monkeypatch.setattr(TaskAirflowView, "task_states", lambda self, dag_id, run_id: found)
    return found


def test_a_run_with_all_its_tasks_does_not_wait(db: Database, tasks: dict[str, str | None]) -> None:
    tasks["admitad__shop2.sync_0"] = "success"
    assert without_task(db) == {}


def test_a_new_account_is_waited_for_two_minutes_and_no_longer(
    db: Database, tasks: dict[str, str | None]
) -> None:
    with pytest.raises(AirflowRescheduleException):
        without_task(db, age=timedelta(seconds=90))
    found = without_task(db, age=timedelta(seconds=150))
    assert list(found) == ["admitad_shop2"]
    assert "Airflow had no task for the account admitad_shop2" in found["admitad_shop2"]
    assert "`data-sync retry` reads it now" in found["admitad_shop2"]


def test_an_account_that_cannot_be_read_anyway_is_not_waited_for(
    db: Database, tasks: dict[str, str | None]
) -> None:
    assert without_task(db, unreadable={"admitad_shop2": "No connection."}) == {
        "admitad_shop2": "No connection."
    }


def test_a_run_that_was_open_before_waits_for_no_account_that_was_taken_out(
    db: Database, tasks: dict[str, str | None]
) -> None:
    open_run(db, make_request("r1", SCHEDULE))
    assert list(without_task(db)) == ["admitad_shop2"]
