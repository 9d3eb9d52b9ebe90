"""A checkout of its own with many schedules, both databases, and Airflow's dag-processor over it.

Used by the figures and by the long proofs: the real processes, started as the demo starts them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from data_sync.local import settings
from data_sync.local.home import CHECKOUT, Home
from data_sync.local.postgres import EmbeddedPostgres
from data_sync.local.prepare import SANDBOX_URL
from data_sync.local.processes import spawn
from data_sync.local.settings import Layout

#: What is measured and tried out here need not survive a power cut.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Cpu:
    """Seconds of one core that the dag-processor has used: itself, and the parses that have ended."""

    manager: float
    parses: float


class Site:
    """Both databases run from the start; the dag-processor is started and ended by orders.

    :param folder: empty, and open to the user that Postgres runs as.
    :param schedules: the text of schedules.yaml.
    :param options: Airflow's options by section and key.
    :param plugins: the folder of plugins; ``None`` for none.
    """

    def __init__(
        self,
        folder: Path,
        schedules: str,
        options: dict[tuple[str, str], str] | None = None,
        *,
        plugins: Path | None = None,
    ) -> None:
        self.home = Home(folder / "home")
        secrets = self.home.prepare()
        self.root = folder / "checkout"
        shutil.copytree(CHECKOUT / "dags", self.root / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        (self.root / "config").mkdir()
        self.file = self.root / "config" / "schedules.yaml"
        self.write(schedules)
        self.postgres = EmbeddedPostgres(self.home.postgres, _FAST)
        self.postgres.start(self.home.logs / "postgres.log", [settings.AIRFLOW_DATABASE, settings.DATABASE])
        # Nothing listens for tasks here: a dag-processor needs no port.
        layout = Layout(self.home, 0, 0, dags=self.root / "dags", plugins=plugins or folder / "no-plugins")
        self.env = {
            **settings.environment(layout, secrets, self.postgres),
            **settings.as_variables(options or {}),
            SANDBOX_URL: "http://127.0.0.1:1",
        }
        with (self.home.logs / "prepare.log").open("wb") as output:
            command = [sys.executable, "-m", "data_sync.local.prepare"]
            subprocess.run(command, env=self.env, stdout=output, stderr=output, check=True)
        self._processors: list[subprocess.Popen[bytes]] = []
        self._groups: list[int] = []

    @property
    def shards(self) -> list[Path]:
        """The shard files, in their order."""
        return sorted((self.root / "dags" / "shards").glob("shard_*.py"))

    def write(self, text: str) -> None:
        """Save schedules.yaml, as an editor or git does: in one step."""
        draft = self.file.with_suffix(".new")
        draft.write_text(text)
        draft.replace(self.file)

    def start(self, **environment: str) -> None:
        """Start a dag-processor, beside those that run; ``environment`` is added to its own."""
        with (self.home.logs / "dag-processor.log").open("ab") as output:
            started = spawn(
                [sys.executable, "-m", "airflow", "dag-processor"],
                env={**self.env, **settings.DAG_PROCESSOR_MARK, **environment},
                output=output,
            )
        self._processors.append(started)
        self._groups.append(started.pid)

    def kill(self) -> None:
        """Kill the dag-processor that was started last, and no parse of it, with no chance to clear up."""
        killed = self._processors.pop()
        killed.kill()
        killed.wait()

    def stop(self) -> None:
        """End everything."""
        for processor in self._processors:
            processor.terminate()
            try:
                processor.wait(timeout=60)
            except subprocess.TimeoutExpired:
                # It ends when it has stored what it has parsed, which is long with thousands of DAGs.
                processor.kill()
                processor.wait()
        for group in self._groups:
            _end_group(group)
        self.postgres.stop()

    def parsing(self) -> list[psutil.Process]:
        """Return the parses of the last dag-processor that run now."""
        return self._last().children()

    def cpu(self) -> Cpu:
        """Return what the dag-processor has used since its start."""
        times = self._last().cpu_times()
        return Cpu(times.user + times.system, times.children_user + times.children_system)

    def memory(self) -> tuple[float, float]:
        """Return the memory of the dag-processor, and the most that a parse holds for itself now, in MiB."""
        manager = self._last().memory_info().rss / 2**20
        return manager, max((_private(process) for process in self.parsing()), default=0.0)

    def rows(self, statement: str, *values: Any, database: str = settings.AIRFLOW_DATABASE) -> list[Any]:
        """Ask one of the two databases."""
        with psycopg.connect(self.postgres.url(database)) as connection:
            return connection.execute(statement, values).fetchall()

    def change(self, statement: str, *values: Any, database: str = settings.AIRFLOW_DATABASE) -> None:
        """Change something in one of the two databases, or in the server."""
        with psycopg.connect(self.postgres.url(database), autocommit=True) as connection:
            connection.execute(statement, values)

    def count(self, statement: str, *values: Any) -> int:
        """Return the number that a statement over Airflow's database has for its answer."""
        return int(self.rows(statement, *values)[0][0])

    def current(self) -> int:
        """Return how many schedules are DAGs that Airflow has stored and does not take for gone."""
        return self.count(
            "SELECT count(DISTINCT d.dag_id) FROM dag d JOIN serialized_dag USING (dag_id) "
            "WHERE NOT d.is_stale AND starts_with(d.dag_id, 'sync__')"
        )

    def until(self, condition: Callable[[], object], what: str, seconds: float) -> float:
        """Wait until something holds, and return how long that took.

        :raises TimeoutError: when it does not in time.
        """
        started = time.monotonic()
        while not condition():
            if time.monotonic() - started > seconds:
                raise TimeoutError(f"waited {seconds:.0f} s in vain for {what}: {self._said()}")
            time.sleep(0.25)
        return time.monotonic() - started

    def _last(self) -> psutil.Process:
        return psutil.Process(self._processors[-1].pid)

    def _said(self) -> str:
        return (self.home.logs / "dag-processor.log").read_text(errors="replace")[-1500:]


def _end_group(group: int) -> None:
    """End the parses that a killed dag-processor has left behind."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _private(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().uss) / 2**20
    except psutil.Error:
        return 0.0
