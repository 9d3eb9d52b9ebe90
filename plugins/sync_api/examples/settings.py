"""Of settings."""

from __future__ import annotations

from typing import Any

_SETTINGS: dict[str, Any] = {
    "checked_at": "2026-03-02T08:15:00Z",
    "is_sound": False,
    "problems": [
        {
            "code": "pool-missing",
            "severity": "error",
            "message": "The pool network_boostiny is missing: its tasks wait for ever.",
            "fix": "Run: data-sync migrate",
        }
    ],
    "unreadable": [],
    "executors": ["LocalExecutor"],
    "services": [
        {"name": "scheduler", "health": "healthy", "alive": 1, "heartbeat": "2026-03-02T08:14:57Z"},
        {"name": "dag-processor", "health": "healthy", "alive": 1, "heartbeat": "2026-03-02T08:14:58Z"},
        {"name": "triggerer", "health": "absent", "alive": 0, "heartbeat": None},
    ],
    "workers": {
        "health": "healthy",
        "note": "Tasks run in processes of the scheduler: while it is healthy, so are they.",
        "running": 2,
        "silent": 0,
        "heartbeat": "2026-03-02T08:14:56Z",
    },
    "queue": {"scheduled": 0, "queued": 1, "running": 2, "waiting": 0, "longest_queued_seconds": 1.2},
    "pools": [
        {
            "name": "network_boostiny",
            "network": "boostiny",
            "exists": False,
            "slots": None,
            "usual_slots": 1,
            "running": 0,
            "queued": 0,
            "scheduled": 0,
        }
    ],
    "own_dags": [
        {"dag_id": "data_sync_upkeep", "state": "active", "last_run_at": "2026-03-02T08:14:00Z"},
        {"dag_id": "quick_sync", "state": "active", "last_run_at": None},
    ],
    "import_errors": 0,
    "database": {
        "revision": "0008",
        "needed_revision": "0008",
        "server_version": "18.1",
        "clock": "2026-03-02T08:15:00Z",
        "schedules": 12,
        "schedules_with_problems": 0,
        "open_runs": 1,
        "file_taken_over_at": "2026-02-27T10:00:03Z",
    },
    "airflow_database": {
        "revision": "d2f4e1b3c5a7",
        "needed_revision": "d2f4e1b3c5a7",
        "server_version": "18.1",
    },
    "versions": {
        "data_sync": "0.1.0",
        "airflow": "3.3.2",
        "python": "3.11.9",
        "packages": [{"name": "psycopg", "version": "3.2.10"}],
        "networks": [{"network": "admitad", "limits_verified": "2026-11-20"}],
    },
}


EXAMPLES: dict[str, Any] = {
    "Settings": _SETTINGS,
}
