"""Of quick syncs and plans."""

from __future__ import annotations

from typing import Any

_RUN = "manual__2026-03-02T08:15:00.123456+00:00"

_PLAN: dict[str, Any] = {
    "is_estimate": True,
    "days": {"first": "2026-03-01", "last": "2026-03-31", "count": 31},
    "timezone": "Europe/Berlin",
    "windows": [
        {"kind": "purchases", "label": "1-7 Mar", "first_day": "2026-03-01", "last_day": "2026-03-07"}
    ],
    "accounts": [
        {
            "account": "admitad_default",
            "network": "admitad",
            "windows": 5,
            "requests": 40,
            "requests_basis": "last reads",
            "minutes": 0.07,
            "share_of_day": 0.000051,
            "pace": [
                {
                    "limit": "api",
                    "seconds_between_calls": 0.1111,
                    "calls_per_day": 777600.0,
                    "left_now": 528,
                    "closed_until": None,
                }
            ],
            "left_out": [],
        }
    ],
    "requests": 40,
    "minutes": 0.07,
    "waits_for": [],
    "runs_beside": 0,
}


EXAMPLES: dict[str, Any] = {
    "StartedRun": {"dag_id": "sync__nightly", "run_id": _RUN, "note": None},
    "ManualCollection": {
        "items": [
            {
                "id": 872,
                "dag_id": "quick_sync",
                "run_id": _RUN,
                "kind": "quick_sync",
                "schedule_key": None,
                "requested_by": "anna",
                "sync_type": "purchases",
                "range_name": "yesterday",
                "first_day": "2026-03-01",
                "last_day": "2026-03-01",
                "refusal": None,
                "state": "closed",
                "opened_at": "2026-03-02T08:15:02Z",
                "closed_at": "2026-03-02T08:15:20Z",
                "logs": [
                    {
                        "id": 1206,
                        "account": "admitad_default",
                        "status": "completed",
                        "rows_read": 312,
                        "reason": None,
                    }
                ],
            }
        ],
        "total_entries": 1,
    },
    "Plan": _PLAN,
}
