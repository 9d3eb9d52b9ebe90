"""What a sync task costs around its work: on a whole Airflow as the demo starts it, and step by step.

The unit that is read has no rows, so nearly everything that its process does is cost: the fork, Airflow's own
start, the DAG's skeleton, imports, connections, logs, the end.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.figures import Figure, Result, Sheet
from benchmarks.server import running
from benchmarks.start_parts import STEPS
from data_sync.airflow_api import AirflowApi
from data_sync.dag.names import CLOSE_RUN, OPEN_RUN
from data_sync.local import settings
from data_sync.local.home import CHECKOUT, Home
from data_sync.local.ports import free_port
from data_sync.local.postgres import EmbeddedPostgres
from data_sync.local.processes import spawn

_GOAL = 1.0
_RUNS = 5
_START_SECONDS = 240.0
_DAG, _SYNC = "quick_sync", "admitad.sync"
#: The sandbox has no row on this day.
_EMPTY = {"networks": ["admitad"], "sync_type": "purchases", "date_range": "custom"}
_EMPTY |= {"from": "2024-06-03", "to": "2024-06-03"}
_PROBE = Path(__file__).with_name("probe")


class AirflowUnderTest:
    """A whole Airflow whose task processes note what they cost."""

    def __init__(self, home: Home, notes: Path, url: str, token: str) -> None:
        self._notes = notes
        self._postgres = EmbeddedPostgres(home.postgres)
        self._api = AirflowApi(url, token)

    def run(self) -> str:
        """Run a quick sync to its end and return its id."""
        while (dag := self._api.find_dag(_DAG)) is None:
            time.sleep(0.5)
        if dag["is_paused"]:
            self._api.unpause(_DAG)
        run_id = self._api.trigger(_DAG, _EMPTY)
        state = self._api.wait_for_run(_DAG, run_id, seconds=_START_SECONDS, between=lambda: time.sleep(0.2))
        if state != "success":
            raise RuntimeError(f"the run {run_id} has ended as {state}")
        return run_id

    def notes(self) -> dict[str, list[dict[str, Any]]]:
        """Return what the processes of tasks have noted, by task."""
        found: dict[str, list[dict[str, Any]]] = {}
        for line in self._notes.read_text().splitlines():
            note = json.loads(line)
            found.setdefault(note["task"], []).append(note)
        return found

    def timeline(self, run_id: str) -> tuple[float, float, float, float]:
        """Return how long the sync task was queued, began, worked on its unit, and ended, in seconds."""
        queued, started, ended = self._row(
            settings.AIRFLOW_DATABASE,
            "SELECT queued_dttm, start_date, end_date FROM task_instance WHERE run_id = %s AND task_id = %s",
            run_id,
            _SYNC,
        )
        taken, finished = self._row(
            settings.DATABASE,
            "SELECT s.started_at, s.finished_at FROM data_sync.sync_log_steps s "
            "JOIN data_sync.sync_logs l ON l.id = s.log_id JOIN data_sync.sync_runs r ON r.id = l.sync_run "
            "WHERE r.run_id = %s",
            run_id,
        )
        moments = (queued, started, taken, finished, ended)
        waits = [(after - before).total_seconds() for before, after in pairwise(moments)]
        return waits[0], waits[1], waits[2], waits[3]

    def _row(self, database: str, statement: str, *values: Any) -> Any:
        with psycopg.connect(self._postgres.url(database)) as connection:
            [row] = connection.execute(statement, values).fetchall()
        return row


@contextmanager
def airflow() -> Iterator[AirflowUnderTest]:
    """Start an Airflow, and end it."""
    with tempfile.TemporaryDirectory(prefix="data-sync-bench-") as name:
        folder = Path(name)
        home, notes, output = Home(folder / "home"), folder / "notes", folder / "output"
        (folder / "schedules.yaml").write_text("schedules: {}\n")
        ports = [str(free_port()), str(free_port())]
        command = [sys.executable, "-m", "data_sync.local", "serve", "--home", str(home.root)]
        command += ["--port", ports[0], "--sandbox-port", ports[1]]
        command += ["--schedules", str(folder / "schedules.yaml")]
        env = os.environ | {"PYTHONPATH": str(_PROBE), "DATA_SYNC_BENCH_NOTES": str(notes)}
        with output.open("wb") as log:
            process = spawn(command, env=env, output=log, stop_signal=signal.SIGINT)
        try:
            token = _token(home, process, output)
            yield AirflowUnderTest(home, notes, f"http://127.0.0.1:{ports[0]}", token)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=120)


def measure() -> list[Result]:
    """Run empty syncs on a whole Airflow, then measure the steps of a task's start one by one."""
    with airflow() as site:
        # The first one meets an Airflow that has never run a task.
        site.run()
        timelines = [site.timeline(site.run()) for _ in range(_RUNS)]
        notes = site.notes()
    return [_processes(notes), _steps(), *_figures(timelines, notes[_SYNC][1:])]


def _processes(notes: dict[str, list[dict[str, Any]]]) -> Sheet:
    names = [name for name in (OPEN_RUN, _SYNC, CLOSE_RUN) if name in notes]
    names += [name for name in notes if name not in names]
    lines = [
        (
            name,
            [
                *(_median(notes[name], key) for key in ("cpu", "seconds")),
                int(_median(notes[name], "modules")),
            ],
        )
        for name in names
    ]
    return Sheet("The process of a task, an empty sync's", ("CPU s", "s", "modules loaded"), lines)


def _steps() -> Sheet:
    """Measure the start of a task step by step, in processes that are forked for it."""
    with running() as server, server.database() as database:
        env = os.environ | {
            "AIRFLOW_CONN_DATA_SYNC": database.airflow_url,
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            # Never opened: some of Airflow's modules insist on an address that is not SQLite's.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody@/nowhere",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "_AIRFLOW_PARSING_CONTEXT_DAG_ID": _DAG,
            "_AIRFLOW_PARSING_CONTEXT_TASK_ID": _SYNC,
        }
        command = [sys.executable, "-m", "benchmarks.start_parts"]
        done = subprocess.run(command, env=env, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"a task's start cannot be measured:\n{done.stderr[-3000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    lines = [(name, [1000 * found[name][0], found[name][1]]) for name in STEPS]
    return Sheet("A task's start, step by step", ("CPU ms", "modules loaded"), lines)


def _figures(
    timelines: Sequence[tuple[float, float, float, float]], notes: Sequence[dict[str, Any]]
) -> Iterator[Figure]:
    for name, times in zip(
        ("queued", "from its start to its unit", "its unit, one empty page", "from its unit to its end"),
        zip(*timelines, strict=True),
        strict=True,
    ):
        yield Figure(f"empty sync task: {name}", statistics.median(times), "s")
    for name, key in (("by the clock", "seconds"), ("processor time", "cpu")):
        value = _median(notes, key)
        yield Figure(f"empty sync task, whole process, {name}", value, "s", goal=_GOAL, met=value < _GOAL)


def _median(notes: Sequence[dict[str, Any]], key: str) -> float:
    return float(statistics.median(note[key] for note in notes))


def _token(home: Home, process: subprocess.Popen[bytes], output: Path) -> str:
    """Wait until Airflow is up, and return the token that it hands to our command line."""
    deadline = time.monotonic() + _START_SECONDS
    while not home.environment.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Airflow did not start:\n{output.read_text()[-2000:]}")
        time.sleep(0.5)
    words = shlex.split(home.environment.read_text())
    values = dict(word.split("=", 1) for word in words if "=" in word)
    return values["AIRFLOW__DATA_SYNC__API_TOKEN"]
