"""What somebody has started by hand lately: quick syncs, backfills, retries."""

from __future__ import annotations

from typing import Any

from data_sync.dag.names import QUICK_SYNC
from data_sync.database import Cursor
from data_sync.looking.viewer import Viewer

_LOGS = """
LATERAL (SELECT COALESCE(jsonb_agg(jsonb_build_object('id', l.id, 'account', l.account, 'status', l.status,
             'rows_read', (SELECT COALESCE(sum(s.rows_read), 0) FROM data_sync.sync_log_steps s
                           WHERE s.log_id = l.id),
             'reason', COALESCE(l.error ->> 'message', l.reason)) ORDER BY l.account), '[]') AS logs
         FROM data_sync.sync_logs l WHERE l.sync_run = r.id) l
"""


def recent(cursor: Cursor, viewer: Viewer, count: int = 5) -> list[dict[str, Any]]:
    """Return a person's newest runs of ``quick_sync`` that were opened, or everybody's for an admin."""
    mine = "" if viewer.is_admin else "AND requested_by = %(viewer)s"
    return cursor.execute(
        f"""
        SELECT r.*, l.logs FROM (
            SELECT id, dag_id, run_id, kind, schedule_key, requested_by, sync_type, range_name, first_day,
                last_day, refusal, state, opened_at, closed_at
            FROM data_sync.sync_runs WHERE dag_id = '{QUICK_SYNC}' {mine} ORDER BY id DESC LIMIT %(count)s
        ) r, {_LOGS} ORDER BY r.id DESC
        """,  # noqa: S608
        {**viewer.values, "count": count},
    ).fetchall()
