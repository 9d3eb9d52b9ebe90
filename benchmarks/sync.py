"""The whole path of a sync without Airflow: sandbox over HTTP, client, engine, real tables.

Rows per second of a first load and of the same rows again, and what the sandbox alone can serve, in
one run on one machine.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from benchmarks.figures import Figure
from data_sync import migrate
from data_sync.database import Database
from data_sync.local.postgres import EmbeddedPostgres
from data_sync.runs.opening import open_run
from data_sync.runs.request import RunKind, RunRequest
from data_sync.schedules.model import Schedule
from data_sync.schedules.planning import WorkUnit
from data_sync.sync import SyncTask, build_client, run_sync
from network_clients.interface import Credentials, Slice
from network_clients.limits import NoLimiter
from network_clients.records import Kind
from network_clients.tokens import MemoryTokenStore
from sandbox_networks.server import running
from sandbox_networks.settings import SandboxSettings

ROWS_PER_DAY = 1_500
DAYS = ("2026-03-01", "2026-03-14")
_NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def measure() -> list[Figure]:
    """Start Postgres and the sandbox, sync twice, and return the figures."""
    settings = SandboxSettings(rows_per_day=ROWS_PER_DAY, now=_NOW, enforce_limits=False)
    with tempfile.TemporaryDirectory() as folder, running(settings) as url:
        postgres = EmbeddedPostgres(Path(folder) / "data")
        postgres.start(Path(folder) / "log", ["data_sync"])
        os.environ["AIRFLOW_CONN_DATA_SYNC"] = postgres.airflow_url("data_sync")
        try:
            migrate.migrate()
            return _measure(_account(url))
        finally:
            postgres.stop()


def _account(url: str) -> Credentials:
    fields = {"host": f"{url}/admitad", "login": "sandbox-admitad-id", "password": "sandbox-admitad-secret"}
    return Credentials("admitad_default", fields)


def _measure(account: Credentials) -> list[Figure]:
    db = Database()
    client = build_client(db, account)
    client = type(client)(account, NoLimiter(), MemoryTokenStore())
    days = Slice(key="all", start=date.fromisoformat(DAYS[0]), end=date.fromisoformat(DAYS[1]))
    _timed(lambda: sum(page.counted for page in client.pages(Kind.PURCHASES, days)))
    read, rows = _timed(lambda: sum(page.counted for page in client.pages(Kind.PURCHASES, days)))
    first, _ = _timed(lambda: _sync(db, "first", account))
    again, _ = _timed(lambda: _sync(db, "again", account))
    db.close()
    return [
        Figure("purchases read over HTTP and mapped, not stored", rows / read, "rows/s"),
        Figure("first load, at the pace of the limit", rows / first, "rows/s"),
        Figure("same rows again", rows / again, "rows/s", "first load", first / again),
    ]


def _timed(work: Callable[[], int]) -> tuple[float, int]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _sync(db: Database, run_id: str, account: Credentials) -> int:
    words = {"key": "bench", "networks": ["admitad"], "sync_type": "purchases", "date_range": "custom"}
    schedule = Schedule.from_dict({**words, "from": DAYS[0], "to": DAYS[1]}, timed=False)
    request = RunRequest("quick_sync", run_id, RunKind.QUICK_SYNC, _NOW, None, schedule, None)
    units = open_run(db, request).units
    for unit in units:
        work = WorkUnit.from_dict(unit)
        task = SyncTask(
            dag_id="quick_sync",
            run_id=run_id,
            account=account.account,
            unit=work,
            holder=f"{run_id}-{work.index}",
            round=0,
            is_last_try=True,
        )
        run_sync(db, task, lambda _: account)
    return len(units)
