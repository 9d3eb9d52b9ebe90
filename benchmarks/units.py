"""Runs as they are before their sync tasks begin: opened as ``open_run`` opens them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from benchmarks.network import Network
from benchmarks.server import Database
from data_sync.database import Database as TaskDatabase
from data_sync.runs.opening import open_run
from data_sync.runs.request import RunKind, RunRequest
from data_sync.schedules.model import Schedule

ACCOUNT = "admitad_default"
DAG_ID = "quick_sync"


def opened_units(
    database: Database, network: Network, run_id: str, kind: str = "purchases"
) -> list[dict[str, Any]]:
    """Open a run over all days of the network; return its units of work."""
    first, last = network.days
    words = {
        "key": "bench",
        "networks": ["admitad"],
        "sync_type": kind,
        "date_range": "custom",
        "from": first.isoformat(),
        "to": last.isoformat(),
        "timezone": "Europe/Moscow",
    }
    schedule = Schedule.from_dict(words, timed=False)
    request = RunRequest(DAG_ID, run_id, RunKind.QUICK_SYNC, datetime.now(UTC), None, schedule, None)
    os.environ["AIRFLOW_CONN_DATA_SYNC"] = database.airflow_url
    db = TaskDatabase()
    try:
        return open_run(db, request).units
    finally:
        db.close()
