"""Logs as after a while: a failed one, a complete one, and one of a quick sync."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from data_sync.database import Cursor, Database, now, one
from data_sync.schedules.model import Schedule
from tests.plugins.routes import DEFINITION

#: The failed log of the schedule nightly, its complete one, and ben's quick sync.
FAILED, COMPLETE, QUICK = 1, 2, 3
#: The first one that :func:`stock_running_log` makes behind them.
RUNNING = 4

#: When the first of them was made; each further one a day later.
FIRST = datetime(2026, 3, 1, 1, tzinfo=UTC)
ERROR = {"verdict": "wrong credentials", "message": "Admitad refused the client id. Write the right one."}
_UNIT = {"index": 0, "kind": "purchases", "label": "28 Feb", "first": "2026-02-28", "last": "2026-02-28"}


def stock_logs(cursor: Cursor, schedule: Schedule) -> None:
    """Make the three logs; the schedules have been there for long."""
    cursor.execute("UPDATE data_sync.sync_schedules SET created_at = '2025-01-01'")
    key = schedule.key
    assert make_log(cursor, schedule, key=key, status="failed", at=FIRST, error=ERROR) == FAILED
    later = FIRST + timedelta(days=1)
    assert make_log(cursor, schedule, key=key, status="completed", at=later, rows=12) == COMPLETE
    assert make_log(cursor, schedule, who="ben", at=later + timedelta(days=1)) == QUICK


def stock_running_log() -> int:
    """Make a log of anna's schedule that is being read; return it."""
    db = Database()
    schedule = Schedule.from_dict(DEFINITION)
    with db.transaction() as cursor:
        log = make_log(cursor, schedule, key=schedule.key, status="processing", at=now(cursor), rows=100)
        cursor.execute(
            "UPDATE data_sync.sync_runs SET state = 'open', closed_at = NULL "
            "WHERE id = (SELECT sync_run FROM data_sync.sync_logs WHERE id = %s)",
            [log],
        )
        cursor.execute("UPDATE data_sync.sync_logs SET finished_at = NULL WHERE id = %s", [log])
        cursor.execute(
            "UPDATE data_sync.sync_log_steps SET finished_at = NULL, holder = '4/somebody', pages = 2, "
            "items_expected = 500, lease_until = clock_timestamp() + interval '2 minutes' WHERE log_id = %s",
            [log],
        )
    db.close()
    return log


def make_log(
    cursor: Cursor,
    schedule: Schedule,
    *,
    key: str | None = None,
    who: str | None = None,
    status: str = "completed",
    at: datetime = FIRST,
    account: str = "admitad_default",
    error: dict[str, Any] | None = None,
    rows: int = 0,
) -> int:
    """Make an ended run with one log and one step; return the log."""
    values = {
        "dag": f"sync__{key}" if key else "quick_sync",
        "key": key,
        "name": schedule.name if key else "Quick sync",
        "kind": "scheduled" if key else "quick_sync",
        "who": who,
        "at": at,
        "definition": json.dumps(schedule.to_dict()),
        "units": json.dumps([_UNIT]),
        "account": account,
        "network": account.partition("_")[0],
        "status": status,
        "error": json.dumps(error) if error else None,
        "rows": rows,
    }
    run = cursor.execute(
        """
        INSERT INTO data_sync.sync_runs (dag_id, run_id, schedule_key, schedule_name, kind, requested_by,
            anchor, timezone, sync_type, range_name, definition, units, state, opened_at, closed_at)
        VALUES (%(dag)s, 'run+' || gen_random_uuid(), %(key)s, %(name)s, %(kind)s, %(who)s, %(at)s,
            'UTC', 'purchases', 'yesterday', %(definition)s, %(units)s, 'closed', %(at)s,
            %(at)s + interval '1 minute') RETURNING id
        """,
        values,
    ).fetchone()
    log = cursor.execute(
        """
        INSERT INTO data_sync.sync_logs (sync_run, account, network, schedule_key, schedule_name, kind,
            sync_type, requested_by, status, error, created_at, started_at, finished_at)
        VALUES (%(run)s, %(account)s, %(network)s, %(key)s, %(name)s, %(kind)s, 'purchases', %(who)s,
            %(status)s, %(error)s::jsonb, %(at)s, %(at)s, %(at)s + interval '1 minute') RETURNING id
        """,
        {**values, "run": one(run)["id"]},
    ).fetchone()
    found = int(one(log)["id"])
    cursor.execute(
        """
        INSERT INTO data_sync.sync_log_steps (log_id, unit_index, kind, label, first_day, last_day, status,
            error, requests, tries, rows_read, rows_inserted, started_at, finished_at)
        VALUES (%(log)s, 0, 'purchases', '28 Feb', '2026-02-28', '2026-02-28', %(status)s, %(error)s::jsonb,
            2, 1, %(rows)s, %(rows)s, %(at)s, %(at)s + interval '30 seconds')
        """,
        {**values, "log": found},
    )
    return found
