"""Of schedules."""

from __future__ import annotations

from typing import Any

DEFINITION: dict[str, Any] = {
    "key": "nightly",
    "name": "Every night",
    "networks": ["admitad"],
    "sync_type": "all",
    "times": ["04:30"],
    "timezone": "Europe/Berlin",
    "date_range": "last_7_days",
}

_STORED: dict[str, Any] = {
    **DEFINITION,
    "weekdays": [],
    "maturity_sweep": False,
    "backfills_count": False,
    "active": True,
    "catchup": False,
    "visible_to": "everyone",
    "notifications": [],
}

_SCHEDULE: dict[str, Any] = {
    "key": "nightly",
    "name": "Every night",
    "source": "postgres",
    "owner": "anna",
    "is_editable": True,
    "state": "active",
    "networks": ["admitad"],
    "sync_type": "all",
    "timing": "04:30 every day",
    "timezone": "Europe/Berlin",
    "date_range": "last_7_days",
    "runs_today": 1,
    "max_runs_per_day": None,
    "last_run": {
        "id": 871,
        "dag_id": "sync__nightly",
        "run_id": "scheduled__2026-03-02T03:30:00+00:00",
        "kind": "scheduled",
        "opened_at": "2026-03-02T03:30:02Z",
        "closed_at": "2026-03-02T03:30:41Z",
        "refusal": None,
        "statuses": ["completed"],
    },
    "next_run": "2026-03-03T03:30:00Z",
    "problems": [],
    "is_built": True,
    "revision": 3,
    "updated_at": "2026-02-27T10:02:11Z",
}

_DAYS: dict[str, Any] = {"first": "2026-02-25", "last": "2026-03-03", "count": 7}
_NEXT_RUNS = [f"2026-03-{day:02}T03:30:00Z" for day in range(3, 8)]

_FORM: dict[str, Any] = {
    "fields": [
        {
            "name": "sync_type",
            "title": "Sync type",
            "help": "What to read.",
            "is_required": False,
            "default": "all",
            "choices": [
                {"value": "purchases", "help": "Orders and commissions of the days of the date range."}
            ],
            "minimum": None,
            "maximum": None,
            "most": None,
        }
    ],
    "networks": [
        {
            "value": "admitad",
            "account": "admitad_default",
            "network": "admitad",
            "title": "Admitad",
            "state": "present",
            "verdict": "fine",
        }
    ],
    "notify_on": [{"value": "failure", "help": "A run that ended with at least one failed account."}],
    "timezones": ["Europe/Berlin", "UTC"],
    "key_pattern": "^[a-z0-9][a-z0-9_-]{0,99}$",
    "reserved_keys": ["create", "dry-run", "manual"],
    "defaults": {"sync_type": "all", "interval": "1d", "timezone": "UTC", "date_range": "last_7_days"},
}


EXAMPLES: dict[str, Any] = {
    "Schedule": DEFINITION,
    "ScheduleCollection": {
        "items": [_SCHEDULE],
        "total_entries": 1,
        "cards": {
            "total": 12,
            "active": 9,
            "paused": 2,
            "inactive": 1,
            "with_problems": 0,
            "runs_today": 31,
        },
    },
    "ScheduleDetail": {
        **_SCHEDULE,
        "definition": _STORED,
        "dag_id": "sync__nightly",
        "yaml_line": None,
        "next_runs": _NEXT_RUNS,
        "next_days": _DAYS,
        "created_at": "2026-01-12T09:00:00Z",
    },
    "ScheduleForm": _FORM,
    "ScheduleEdit": {"definition": _STORED, "is_editable": True, "reason": None, "form": _FORM},
    "DryRun": {
        "is_valid": True,
        "errors": [],
        "definition": _STORED,
        "next_runs": _NEXT_RUNS,
        "next_days": _DAYS,
    },
    "ToggleBody": {"active": False},
}
