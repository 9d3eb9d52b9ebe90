"""Of networks."""

from __future__ import annotations

from typing import Any

_NETWORK: dict[str, Any] = {
    "slug": "admitad",
    "title": "Admitad",
    "timezone": "Europe/Moscow",
    "timezone_grade": "documented",
    "connection_type": "affiliate_admitad",
    "docs_url": "https://developers.admitad.com/",
    "has_statuses": True,
    "kinds": [{"kind": "purchases", "has_days": True, "longest_window_days": None, "grade": "documented"}],
    "limits": [
        {
            "name": "api",
            "calls": 600,
            "per_seconds": 60.0,
            "used_calls": 540,
            "at_once": None,
            "grade": "documented",
            "source": "https://developers.admitad.com/",
            "last_verified": "2026-11-20",
        }
    ],
    "notes": [],
    "pool": {"name": "network_admitad", "slots": 4, "running": 1, "queued": 0, "scheduled": 0},
    "accounts": [
        {
            "account": "admitad_default",
            "value": "admitad",
            "connection": "present",
            "everyone": True,
            "verdict": "fine",
            "message": None,
            "checked_at": "2026-03-02T08:10:00Z",
            "budgets": [
                {
                    "limit": "api",
                    "allowed": 540,
                    "per_seconds": 60.0,
                    "used": 12,
                    "left": 528,
                    "closed_until": None,
                    "reason": None,
                    "refusals": 0,
                }
            ],
            "last_log": {
                "id": 1205,
                "status": "completed",
                "kind": "scheduled",
                "created_at": "2026-03-02T03:30:02Z",
                "finished_at": "2026-03-02T03:30:41Z",
            },
            "health": "good",
        }
    ],
}


EXAMPLES: dict[str, Any] = {
    "NetworkCollection": {"items": [_NETWORK], "total_entries": 1},
    "AccountCheck": {
        "account": "admitad_default",
        "verdict": "missing scope",
        "message": "The credentials may not read coupons: give them the scope coupons_for_website.",
        "readable": ["campaigns", "purchases"],
        "notes": [],
    },
}
