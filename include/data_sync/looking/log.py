"""One log with all that is known about it: its run, its steps, what was set aside, and the runs around it."""

from __future__ import annotations

from typing import Any

from data_sync.database import Cursor
from data_sync.looking.log_filters import LogFilter, conditions
from data_sync.looking.logs import FIELDS, FIGURES
from data_sync.looking.viewer import Viewer

#: How many runs are shown around a log, itself included.
AROUND = 5
#: How many of the rows that it has set aside are shown.
MOST_REJECTED = 50


def find(cursor: Cursor, viewer: Viewer, log: int) -> dict[str, Any] | None:
    """Return a log with its run if this person sees it."""
    seen = conditions(cursor, viewer, LogFilter())
    return cursor.execute(
        f"""
        SELECT {FIELDS}, l.warnings, l.error ->> 'verdict' AS verdict, r.dag_id, r.run_id, r.range_name,
            r.first_day, r.last_day, r.timezone, r.retry_of, r.opened_at, r.closed_at, l.cancel_requested_by,
            l.cancel_requested_at
        FROM data_sync.sync_logs l JOIN data_sync.sync_runs r ON r.id = l.sync_run {FIGURES}
        WHERE l.id = %(log)s AND {seen.all}
        """,  # noqa: S608
        {**seen.values, "log": log},
    ).fetchone()


def steps(cursor: Cursor, log: int) -> list[dict[str, Any]]:
    """Return a log's steps in their order."""
    return cursor.execute(
        """
        SELECT unit_index, kind, label, first_day, last_day, status,
            COALESCE(error ->> 'message', reason) AS reason, error ->> 'verdict' AS verdict, waiting_until,
            tries, resumed AS is_resumed, is_complete, superseded_by, sweep IS NOT NULL AS is_sweep, pages,
            items_expected, requests, waited_seconds::float8 AS waited_seconds, rows_read, rows_inserted,
            rows_updated, rows_unchanged, rows_outdated, rows_rejected, rows_vanished, warnings, started_at,
            finished_at
        FROM data_sync.sync_log_steps WHERE log_id = %s ORDER BY unit_index
        """,
        [log],
    ).fetchall()


def rejected(cursor: Cursor, log: int) -> list[dict[str, Any]]:
    """Return rows that a log has set aside: why, and how often they were seen; not what they hold."""
    return cursor.execute(
        """
        SELECT kind, key, field, reason, times, first_log_id, last_log_id, last_seen_at
        FROM data_sync.rejected_records WHERE first_log_id = %(log)s OR last_log_id = %(log)s
        ORDER BY id LIMIT %(most)s
        """,
        {"log": log, "most": MOST_REJECTED},
    ).fetchall()


def around(cursor: Cursor, viewer: Viewer, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the logs of the same account and schedule that are nearest in time, itself too; newest first.

    :param row: the log, as :func:`find` returns it.
    """
    seen = conditions(cursor, viewer, LogFilter(account=row["account"], schedule=row["schedule_key"],
                                                without_schedule=row["schedule_key"] is None))  # fmt: skip
    values = {**seen.values, "at": row["created_at"], "id": row["id"], "most": AROUND - 1}
    newer, older = (
        cursor.execute(
            f"""
            SELECT l.id, l.kind AS trigger, l.status, l.created_at, l.finished_at FROM data_sync.sync_logs l
            WHERE {seen.all} AND (l.created_at, l.id) {sign} (%(at)s, %(id)s)
            ORDER BY l.created_at {order}, l.id {order} LIMIT %(most)s
            """,  # noqa: S608
            values,
        ).fetchall()
        for sign, order in ((">", "ASC"), ("<", "DESC"))
    )
    before = max((AROUND - 1) // 2, AROUND - 1 - len(newer))
    older = older[:before]
    newer = newer[: AROUND - 1 - len(older)]
    return [*reversed(newer), {name: row[name] for name in _BRIEF}, *older]


_BRIEF = ("id", "trigger", "status", "created_at", "finished_at")
