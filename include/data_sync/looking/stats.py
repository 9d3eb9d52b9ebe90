"""What logs add up to, for charts: per day, per day and network, or per schedule."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from data_sync.database import Cursor
from data_sync.looking.log_filters import LogFilter, conditions
from data_sync.looking.viewer import Viewer
from network_clients.records import Kind

#: So many groups at most; those of most runs where there are more.
MOST_GROUPS = 1_000


class By(StrEnum):
    """What one entry stands for."""

    DAY = "day"
    """A day."""
    NETWORK = "network"
    """A network on a day."""
    SCHEDULE = "schedule"
    """A schedule on all of the days; quick syncs are one entry of their own."""


_DAY = "(l.created_at AT TIME ZONE %(zone)s)::date"
_GROUPS = {
    By.DAY: (_DAY, "NULL", "NULL"),
    By.NETWORK: (_DAY, "l.network", "NULL"),
    By.SCHEDULE: ("NULL::date", "NULL", "l.schedule_key"),
}

# A log that newer answers have overtaken ended well. Rows of a log that still works count when it is settled.
_FIGURES = """
count(*) AS runs,
count(*) FILTER (WHERE l.status IN ('completed', 'superseded')) AS completed,
count(*) FILTER (WHERE l.status IN ('failed', 'cancelled')) AS failed,
count(*) FILTER (WHERE l.status = 'skipped') AS skipped,
count(*) FILTER (WHERE l.status IN ('pending', 'processing', 'held')) AS open,
{read} AS rows_read, {inserted} AS rows_inserted, {updated} AS rows_updated,
sum(l.requests)::bigint AS requests,
sum(l.waited_seconds)::float8 AS waited_seconds,
percentile_cont(0.5) WITHIN GROUP (ORDER BY {seconds}) AS median_seconds,
percentile_cont(0.95) WITHIN GROUP (ORDER BY {seconds}) AS p95_seconds
"""

_SECONDS = "EXTRACT(EPOCH FROM l.finished_at - l.started_at)::float8"


def _rows(count: str) -> str:
    """Return the SQL for one of the counts of a log, over all kinds of rows."""
    kinds = (f"COALESCE((l.counts -> '{kind}' ->> '{count}')::bigint, 0)" for kind in Kind)
    return f"COALESCE(sum({' + '.join(kinds)}), 0)::bigint"


def stats(cursor: Cursor, viewer: Viewer, wanted: LogFilter, by: By, *, zone: str) -> list[dict[str, Any]]:
    """Add up the logs that a person sees, checks of accounts left out.

    :param wanted: names the time too; the more logs it holds, the longer this takes.
    :param zone: IANA name; whose days these are.
    """
    found = conditions(cursor, viewer, wanted)
    day, network, schedule = _GROUPS[by]
    figures = _FIGURES.format(
        **{count: _rows(count) for count in ("read", "inserted", "updated")}, seconds=_SECONDS
    )
    return cursor.execute(
        f"""
        SELECT * FROM (
            SELECT {day} AS day, {network} AS network, {schedule} AS schedule_key, {figures}
            FROM data_sync.sync_logs l WHERE {found.all} AND l.kind <> 'check' GROUP BY 1, 2, 3
            ORDER BY count(*) DESC, 1, 2, 3 LIMIT %(most)s
        ) s ORDER BY day, network, runs DESC, schedule_key
        """,  # noqa: S608
        {**found.values, "zone": zone, "most": MOST_GROUPS},
    ).fetchall()
