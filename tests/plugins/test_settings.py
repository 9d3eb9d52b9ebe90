"""How the installation stands: true to Airflow's own database, part by part; each mistake with its fix."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from data_sync.database import Database
from data_sync.pools import make_pools
from data_sync.schema import REVISION
from network_clients import registry
from sync_api.throttle import Throttle
from tests.plugins.airflow_app import App

_JOBS = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob"}


class Airflow:
    """Airflow's database, as its services fill it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def run(self, statement: str, *values: object) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement, values)

    def report(self, kind: str, *, seconds_ago: float = 0, state: str = "running") -> None:
        """Let a service have reported."""
        self.run(
            "INSERT INTO job (job_type, state, latest_heartbeat, hostname) "
            "VALUES (%s, %s, now() - %s * interval '1 second', 'machine-of-the-canary')",
            kind, state, seconds_ago,
        )  # fmt: skip

    def due(self, dag_id: str, *, seconds_ago: float = 0) -> None:
        """Let a DAG have had a run."""
        self.run(
            "INSERT INTO dag_run (dag_id, run_id, run_type, state, run_after) VALUES "
            "(%s, 'one', 'manual', 'running', now() - %s * interval '1 second') ON CONFLICT DO NOTHING",
            dag_id, seconds_ago,
        )  # fmt: skip

    def put_task(self, state: str, *, seconds_ago: float = 0) -> None:
        """Let a task be in this state, and have been queued and heard of so long ago."""
        self.due("sync__nightly")
        self.run(
            "INSERT INTO task_instance (id, dag_id, task_id, run_id, state, pool, pool_slots, try_number, "
            "queued_dttm, last_heartbeat_at) SELECT gen_random_uuid(), 'sync__nightly', %s, 'one', %s, "
            "'network_admitad', 1, 1, at, at FROM (SELECT now() - %s * interval '1 second' AS at) moment",
            f"task-{time.monotonic_ns()}", state, seconds_ago,
        )  # fmt: skip

    def forget(self) -> None:
        self.run("TRUNCATE job, import_error, slot_pool, task_instance, dag_run CASCADE")
        self.run("DELETE FROM dag WHERE dag_id = 'data_sync_upkeep'")


@pytest.fixture
def airflow(stocked: App, monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    """An Airflow that runs, and whose settings are right."""
    found = Airflow(stocked.tables)
    found.forget()
    for kind in _JOBS.values():
        found.report(kind)
    make_pools()
    found.run(
        """INSERT INTO dag SELECT (jsonb_populate_record(dag, '{"dag_id": "data_sync_upkeep"}')).*
        FROM dag WHERE dag_id = 'quick_sync'"""
    )
    monkeypatch.setenv("AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL", "0")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", "/nowhere")
    yield found
    found.forget()


def shown(app: App) -> dict[str, Any]:
    answer = app.call("ada", "GET", "/sync/settings")
    assert answer.status_code == 200, answer.text
    assert "canary" not in answer.text
    assert str(Path.cwd()) not in answer.text
    return dict(answer.json())


def problems(app: App) -> dict[str, dict[str, str]]:
    return {found["code"]: found for found in shown(app)["problems"]}


def test_a_sound_installation_says_so_and_shows_every_part(stocked: App, airflow: Airflow) -> None:
    found = shown(stocked)
    assert (found["is_sound"], found["problems"], found["unreadable"]) == (True, [], [])
    health = {service["name"]: (service["health"], service["alive"]) for service in found["services"]}
    assert health == {
        "scheduler": ("healthy", 1),
        "dag-processor": ("healthy", 1),
        "triggerer": ("absent", 0),
    }
    assert found["executors"] == ["LocalExecutor"]
    assert (found["workers"]["health"], found["workers"]["running"]) == ("unknown", 0)
    assert "processes of the scheduler" in found["workers"]["note"]
    assert found["database"]["revision"] == found["database"]["needed_revision"] == REVISION
    assert found["database"]["schedules"] == 3
    assert {pool["network"] for pool in found["pools"]} == set(registry.all_networks())
    assert all(pool["exists"] and pool["slots"] == pool["usual_slots"] for pool in found["pools"])
    assert found["airflow_database"]["needed_revision"]
    assert found["versions"]["python"].startswith("3.")
    assert [network["network"] for network in found["versions"]["networks"]] == [*registry.all_networks()]
    assert [dag["state"] for dag in found["own_dags"]] == ["active", "active"]


def test_tasks_are_counted_by_what_they_wait_for_and_by_pool(stocked: App, airflow: Airflow) -> None:
    for state, count in {"scheduled": 3, "queued": 2, "running": 1, "deferred": 1, "success": 4}.items():
        for _ in range(count):
            airflow.put_task(state, seconds_ago=30)
    found = shown(stocked)
    queue = found["queue"]
    assert [queue[word] for word in ("scheduled", "queued", "running", "waiting")] == [3, 2, 1, 1]
    assert 30 <= queue["longest_queued_seconds"] < 120
    (pool,) = (pool for pool in found["pools"] if pool["network"] == "admitad")
    assert [pool[word] for word in ("scheduled", "queued", "running")] == [3, 2, 1]
    assert (found["workers"]["health"], found["workers"]["running"]) == ("healthy", 1)


@pytest.mark.parametrize("name", _JOBS)
def test_a_service_that_stopped_reporting_is_named(stocked: App, airflow: Airflow, name: str) -> None:
    airflow.run("DELETE FROM job WHERE job_type = %s", _JOBS[name])
    assert "never been started" in problems(stocked)[f"{name}-away"]["message"]
    airflow.report(_JOBS[name], seconds_ago=3600)
    found = shown(stocked)
    (service,) = (service for service in found["services"] if service["name"] == name)
    assert (service["health"], service["alive"]) == ("unhealthy", 0)
    assert service["heartbeat"]
    assert not found["is_sound"]
    assert f"{name}-away" in [problem["code"] for problem in found["problems"]]


def test_tasks_that_have_fallen_silent_and_a_queue_that_stands_still_are_told(
    stocked: App, airflow: Airflow
) -> None:
    airflow.put_task("running", seconds_ago=3600)
    airflow.put_task("queued", seconds_ago=3600)
    found = shown(stocked)
    assert (found["workers"]["health"], found["workers"]["silent"]) == ("unhealthy", 1)
    assert {"tasks-silent", "queue-stuck"} <= set(problems(stocked))


#: By the code of a problem: the option that causes it.
WRONG_OPTIONS = {
    "half-applied-edits": ("CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL", "30"),
    "no-encryption": ("CORE__FERNET_KEY", ""),
    "secret-made-up": ("API_AUTH__JWT_SECRET", None),
    "secret-weak": ("API__SECRET_KEY", "changeme"),
    "everybody-is-admin": ("CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True"),
    "interval-short": ("DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL", "0"),
}


@pytest.mark.parametrize("code", WRONG_OPTIONS)
def test_an_option_that_is_wrong_is_named_with_its_fix(
    stocked: App, airflow: Airflow, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    option, value = WRONG_OPTIONS[code]
    assert code not in problems(stocked)
    variable = f"AIRFLOW__{option}"
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    found = problems(stocked)[code]
    section, _, name = option.lower().partition("__")
    assert f"[{section}] {name}" in found["message"] + found["fix"]


def test_a_process_that_would_take_the_file_over_is_told(
    stocked: App, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_SYNC_DAG_PROCESSOR", "1")
    assert "dag-processor alone" in problems(stocked)["mark-misplaced"]["fix"]


def test_a_missing_pool_and_one_without_slots_are_named(stocked: App, airflow: Airflow) -> None:
    airflow.run("DELETE FROM slot_pool WHERE pool = 'network_admitad'")
    airflow.run("UPDATE slot_pool SET slots = 0 WHERE pool = 'network_boostiny'")
    found = problems(stocked)
    assert "network_admitad" in found["pool-missing"]["message"]
    assert "network_boostiny" in found["pool-empty"]["message"]
    assert "data-sync migrate" in found["pool-missing"]["fix"]


def test_a_pool_of_any_number_of_slots_is_shown(stocked: App, airflow: Airflow) -> None:
    airflow.run("UPDATE slot_pool SET slots = -1 WHERE pool = 'network_admitad'")
    (pool,) = (pool for pool in shown(stocked)["pools"] if pool["network"] == "admitad")
    assert pool["slots"] == -1
    networks = stocked.call("ada", "GET", "/sync/networks").json()["items"]
    assert [network["pool"]["slots"] for network in networks if network["slug"] == "admitad"] == [-1]


def test_a_dag_that_we_need_is_missed_whether_it_is_paused_or_gone(stocked: App, airflow: Airflow) -> None:
    stocked.turn("data_sync_upkeep", paused=True)
    paused = problems(stocked)["dag-paused"]
    assert "airflow dags unpause data_sync_upkeep" in paused["fix"]
    airflow.run("UPDATE dag SET is_stale = true WHERE dag_id = 'data_sync_upkeep'")
    assert "data_sync_upkeep" in problems(stocked)["dag-missing"]["message"]


def test_upkeep_that_does_not_run_any_more_is_told(stocked: App, airflow: Airflow) -> None:
    airflow.due("data_sync_upkeep", seconds_ago=3600)
    assert set(problems(stocked)) == {"upkeep-late"}


def test_files_that_airflow_cannot_read_are_counted_and_not_shown(stocked: App, airflow: Airflow) -> None:
    airflow.run(
        "INSERT INTO import_error (filename, stacktrace, timestamp) "
        "VALUES ('/canary/dag.py', 'canary', now())"
    )
    found = shown(stocked)
    assert found["import_errors"] == 1
    assert [problem["code"] for problem in found["problems"]] == ["import-errors"]


def test_an_account_without_a_connection_is_named(stocked: App, airflow: Airflow, db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.accounts SET state = 'missing' WHERE account = 'admitad_default'")
    assert "admitad_default" in problems(stocked)["account-missing"]["message"]
    with db.transaction() as cursor:
        cursor.execute(
            "UPDATE data_sync.accounts SET state = 'unknown', created_at = created_at - interval '1 hour'"
        )
    assert "admitad_default" in problems(stocked)["account-unseen"]["message"]


def test_schedules_with_problems_are_counted(stocked: App, airflow: Airflow, db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute("""UPDATE data_sync.sync_schedules SET problems = '["bad"]' WHERE key = 'weekly'""")
    assert problems(stocked)["schedule-problems"]["message"].startswith("1 schedules")


def test_a_file_that_is_not_taken_over_is_told_and_an_older_one_is_not(
    stocked: App, airflow: Airflow, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "schedules.yaml"
    path.write_text("schedules: {}\n")
    monkeypatch.setenv("AIRFLOW__DATA_SYNC__SCHEDULES_FILE", str(path))
    assert problems(stocked) == {}, "it was written a moment ago"
    old = time.time() - 3600
    os.utime(path, (old, old))
    found = problems(stocked)["file-not-taken-over"]
    assert "DATA_SYNC_DAG_PROCESSOR=1" in found["fix"]
    assert str(path) not in str(found)
    with db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO data_sync.yaml_mirror (content_hash, revision) VALUES ('of-a-newer-one', %s)",
            [int(time.time() * 1000)],
        )
    assert problems(stocked) == {}


def test_airflows_tables_of_another_version_are_told(stocked: App, airflow: Airflow) -> None:
    airflow.run("CREATE TABLE alembic_version (version_num text)")
    try:
        airflow.run("INSERT INTO alembic_version VALUES ('1d6611b6ab7c')")
        assert "airflow db migrate" in problems(stocked)["airflow-behind"]["fix"]
    finally:
        airflow.run("DROP TABLE alembic_version")


def test_without_our_database_everything_else_is_still_shown(
    stocked: App, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", "postgresql://nobody:canary-password@127.0.0.1:9/nothing")
    stocked.forget_connections()
    found = shown(stocked)
    assert (found["is_sound"], found["database"]) == (False, None)
    assert [part["part"] for part in found["unreadable"]] == ["database"]
    assert found["services"]
    assert found["pools"]
    (problem,) = found["problems"]
    assert (problem["code"], problem["severity"]) == ("database-away", "error")
    assert "127.0.0.1" not in str(found)


def test_tables_that_are_behind_are_named_with_both_revisions(
    stocked: App, airflow: Airflow, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("UPDATE data_sync.schema_version SET version_num = '0001'")
    stocked.forget_connections()
    (part,) = shown(stocked)["unreadable"]
    assert "0001" in part["reason"]
    assert REVISION in part["reason"]
    assert "data-sync migrate" in part["reason"]


def test_one_part_that_cannot_be_read_takes_no_other_down(stocked: App, airflow: Airflow) -> None:
    airflow.run("ALTER TABLE job RENAME TO job_that_is_gone")
    try:
        found = shown(stocked)
    finally:
        airflow.run("ALTER TABLE job_that_is_gone RENAME TO job")
    assert found["services"] is None
    assert [part["part"] for part in found["unreadable"]] == ["services"]
    assert found["queue"]
    assert found["database"]


def test_without_our_database_a_user_is_throttled_all_the_same(
    stocked: App, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", "postgresql://nobody:none@127.0.0.1:9/nothing")
    stocked.forget_connections()
    usual = stocked.ours.state.throttle
    stocked.ours.state.throttle = Throttle(per_minute=1, at_once=10)
    try:
        codes = [stocked.call("ada", "GET", "/sync/settings").status_code for _ in range(3)]
        assert stocked.call("omar", "GET", "/sync/settings").status_code == 200
    finally:
        stocked.ours.state.throttle = usual
    assert codes == [200, 200, 429]
