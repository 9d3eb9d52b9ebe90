"""Cancelling a log over the API, and from a shell."""

from __future__ import annotations

import psycopg
import pytest
from click.testing import CliRunner
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from data_sync.airflow_api import AirflowApi
from data_sync.cli import cli
from data_sync.database import Database
from tests.plugins.airflow_app import App
from tests.plugins.log_stock import COMPLETE, RUNNING, stock_running_log


def test_a_running_log_shows_that_it_can_be_cancelled_and_then_who_did(stocked: App) -> None:
    path = f"/sync/logs/{stock_running_log()}"
    assert stocked.call("anna", "GET", path).json()["can_be_cancelled"] is True
    first = stocked.call("anna", "POST", f"{path}/cancel")
    assert (first.status_code, first.json()["cancel_requested_by"]) == (202, "anna")
    second = stocked.call("ada", "POST", f"{path}/cancel")
    assert (second.status_code, second.json()) == (202, first.json())
    log = stocked.call("anna", "GET", path).json()
    assert (log["status"], log["can_be_cancelled"]) == ("processing", False)
    assert log["cancel_requested_by"] == "anna"
    assert log["cancel_requested_at"] == first.json()["cancel_requested_at"]


def test_a_log_that_is_over_is_not_cancelled_and_the_answer_says_why(stocked: App) -> None:
    answer = stocked.call("anna", "POST", f"/sync/logs/{COMPLETE}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "not-cancellable")
    assert "is completed: it is over" in answer.json()["detail"]
    assert stocked.call("anna", "GET", f"/sync/logs/{COMPLETE}").json()["can_be_cancelled"] is False


@pytest.fixture
def asleep(stocked: App, db: Database) -> str:
    """A log of a real run of Airflow's, whose task sleeps until much later; returns the run's id."""
    run_id = str(stocked.call("anna", "POST", "/sync/schedules/nightly/run").json()["run_id"])
    with psycopg.connect(stocked.tables, autocommit=True) as airflow:
        airflow.execute("UPDATE dag_run SET state = 'running' WHERE run_id = %s", [run_id])
        airflow.execute(
            "UPDATE task_instance SET state = 'up_for_reschedule', map_index = 0 "
            "WHERE task_id = 'admitad.sync' AND run_id = %s",
            [run_id],
        )
    log = stock_running_log()
    with db.transaction() as cursor:
        cursor.execute(
            "UPDATE data_sync.sync_runs SET run_id = %s "
            "WHERE id = (SELECT sync_run FROM data_sync.sync_logs WHERE id = %s)",
            [run_id, log],
        )
        cursor.execute(
            "UPDATE data_sync.sync_log_steps SET status = 'waiting', "
            "waiting_until = clock_timestamp() + interval '6 hours' WHERE log_id = %s",
            [log],
        )
    return run_id


def task_state(app: App, run_id: str) -> str:
    (row,) = app.airflow_rows(
        "SELECT state FROM task_instance WHERE task_id = 'admitad.sync' AND run_id = %s", run_id
    )
    return str(row["state"])


def test_a_task_that_sleeps_is_skipped_in_airflow_too(stocked: App, asleep: str) -> None:
    answer = stocked.call("anna", "POST", f"/sync/logs/{RUNNING}/cancel")
    assert answer.status_code == 202, answer.text
    log = stocked.call("anna", "GET", f"/sync/logs/{RUNNING}").json()
    assert (log["status"], log["reason"]) == ("cancelled", "cancelled by anna")
    assert task_state(stocked, asleep) == "skipped"


def test_a_task_that_airflow_will_not_skip_wakes_later_and_the_log_is_cancelled_all_the_same(
    stocked: App, asleep: str
) -> None:
    with psycopg.connect(stocked.tables, autocommit=True) as airflow:
        airflow.execute("DELETE FROM task_instance WHERE task_id = 'admitad.sync' AND run_id = %s", [asleep])
    assert stocked.call("anna", "POST", f"/sync/logs/{RUNNING}/cancel").status_code == 202
    assert stocked.call("anna", "GET", f"/sync/logs/{RUNNING}").json()["status"] == "cancelled"


class ToTheApp(BaseAdapter):
    """Has the command talk to the application of the test."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app

    def send(self, request: PreparedRequest, *_: object, **__: object) -> Response:
        answer = self._app.call("anna", str(request.method), request.path_url)
        found = Response()
        found.status_code, found._content, found.request = answer.status_code, answer.content, request
        return found

    def close(self) -> None:
        """Hold nothing."""


def test_the_command_cancels_what_runs_and_says_why_the_rest_does_not(
    stocked: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = AirflowApi("http://airflow.test", stocked.tokens["anna"])
    api._session.mount("http://", ToTheApp(stocked))
    monkeypatch.setattr(AirflowApi, "from_settings", lambda: api)
    log = stock_running_log()
    found = CliRunner().invoke(cli, ["cancel", str(log), str(COMPLETE), "999"])
    assert found.exit_code == 1
    assert f"Log {log} ends: cancelled by anna." in found.output
    assert f"The log {COMPLETE} is completed" in found.output
    assert "There is no log 999." in found.output
    again = CliRunner().invoke(cli, ["cancel", str(log)])
    assert again.exit_code == 0
    assert f"Log {log} ends: cancelled by anna." in again.output
