"""Of coverage and stats."""

from __future__ import annotations

from typing import Any

EXAMPLES: dict[str, Any] = {
    "Coverage": {
        "items": [
            {
                "account": "admitad_default",
                "network": "admitad",
                "timezone": "Europe/Moscow",
                "days": [{"day": "2026-03-01", "covered": "complete", "read_at": "2026-03-02T01:00:04Z"}],
            }
        ],
        "total_entries": 1,
        "first_day": "2026-03-01",
        "last_day": "2026-03-01",
    },
    "Stats": {
        "items": [
            {
                "day": "2026-03-02",
                "network": None,
                "schedule_key": None,
                "runs": 24,
                "completed": 22,
                "failed": 1,
                "skipped": 1,
                "open": 0,
                "success_rate": 0.9565,
                "rows_read": 3120,
                "rows_inserted": 400,
                "rows_updated": 71,
                "requests": 96,
                "waited_seconds": 14.2,
                "median_seconds": 4.8,
                "p95_seconds": 11.0,
            }
        ],
        "total_entries": 1,
        "first_day": "2026-03-02",
        "last_day": "2026-03-02",
    },
}
