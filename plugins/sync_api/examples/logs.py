"""Of logs."""

from __future__ import annotations

from typing import Any

_LOG: dict[str, Any] = {
    "id": 1204,
    "account": "admitad_default",
    "network": "admitad",
    "schedule_key": "nightly",
    "schedule_name": "Every night",
    "trigger": "scheduled",
    "sync_type": "purchases",
    "requested_by": None,
    "status": "failed",
    "reason": "Admitad refused the client id. Write the right one into the connection admitad_default.",
    "rows_read": 0,
    "rows_inserted": 0,
    "rows_updated": 0,
    "rows_unchanged": 0,
    "rows_vanished": 0,
    "rows_rejected": 0,
    "requests": 1,
    "waited_seconds": 0.0,
    "tries": 1,
    "created_at": "2026-03-02T03:30:02Z",
    "started_at": "2026-03-02T03:30:04Z",
    "finished_at": "2026-03-02T03:30:05Z",
}

_ROWS = ("read", "inserted", "updated", "unchanged", "outdated", "rejected", "vanished")
_RUN_URL = "/dags/sync__nightly/runs/scheduled__2026-03-02T03%3A30%3A00%2B00%3A00"

_LOG_DETAIL: dict[str, Any] = {
    **_LOG,
    "range_name": "yesterday",
    "first_day": "2026-03-01",
    "last_day": "2026-03-01",
    "timezone": "Europe/Berlin",
    "retry_of": None,
    "can_be_retried": True,
    "retry_refusal": None,
    "can_be_cancelled": False,
    "cancel_requested_by": None,
    "cancel_requested_at": None,
    "error": {"verdict": "wrong credentials", "message": _LOG["reason"]},
    "warnings": [],
    "counts": [{"kind": "purchases", **dict.fromkeys(_ROWS, 0)}],
    "steps": [
        {
            "unit_index": 0,
            "kind": "purchases",
            "label": "1 Mar",
            "first_day": "2026-03-01",
            "last_day": "2026-03-01",
            "status": "failed",
            "reason": _LOG["reason"],
            "waiting_until": None,
            "tries": 1,
            "is_resumed": False,
            "is_complete": False,
            "superseded_by": None,
            "is_sweep": False,
            "pages": 0,
            "items_expected": None,
            "requests": 1,
            "waited_seconds": 0.0,
            **{f"rows_{word}": 0 for word in _ROWS},
            "warnings": [],
            "started_at": "2026-03-02T03:30:04Z",
            "finished_at": "2026-03-02T03:30:05Z",
            "airflow_url": f"{_RUN_URL}/tasks/admitad.sync/mapped/0",
        }
    ],
    "timeline": [
        {"at": "2026-03-02T03:30:02Z", "event": "opened", "unit": None, "status": None},
        {"at": "2026-03-02T03:30:05Z", "event": "unit ended", "unit": "1 Mar", "status": "failed"},
        {"at": "2026-03-02T03:30:05Z", "event": "ended", "unit": None, "status": "failed"},
    ],
    "rejected": [],
    "airflow": {
        "dag_id": "sync__nightly",
        "run_id": "scheduled__2026-03-02T03:30:00+00:00",
        "url": _RUN_URL,
    },
    "around": [
        {
            "id": 1204,
            "trigger": "scheduled",
            "status": "failed",
            "created_at": "2026-03-02T03:30:02Z",
            "finished_at": "2026-03-02T03:30:05Z",
        }
    ],
}


EXAMPLES: dict[str, Any] = {
    "LogCollection": {"items": [_LOG], "total_entries": 1, "is_estimate": False, "next": None},
    "LogDetail": _LOG_DETAIL,
    "CancelledLog": {
        "log": 1204,
        "cancel_requested_by": "anna",
        "cancel_requested_at": "2026-03-02T01:00:06Z",
    },
}
