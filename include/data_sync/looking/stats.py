"""What logs add up to, for charts: per day, per day and network, or per schedule."""

from __future__ import annotations

import json
from datetime import date, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from data_sync.database import Cursor
from data_sync.looking.days import midnight
from data_sync.looking.kept_figures import Day, figures_of
from data_sync.looking.log_filters import Conditions, LogFilter, conditions
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


_STATEMENT = """
SELECT {day} AS day, {network} AS network, {schedule} AS schedule_key, {figures}
FROM data_sync.sync_logs l
WHERE l.created_at >= %(first_at)s AND l.created_at < %(last_at)s AND {found} AND l.kind <> 'check'
GROUP BY 1, 2, 3 ORDER BY count(*) DESC, 1, 2, 3 LIMIT %(most)s::bigint
"""


def stats(
    cursor: Cursor, viewer: Viewer, wanted: LogFilter, by: By, *, first: date, last: date, zone: str
) -> list[dict[str, Any]]:
    """Add up the logs that a person sees, checks of accounts left out.

    Past days are worked out once where an entry stands for a day or a part of one; else the more logs there
    are, the longer this takes.

    :param first, last: days, both inclusive.
    :param zone: IANA name; whose days these are.
    """
    found = conditions(cursor, viewer, wanted)
    statement = _statement(found, by)
    # Days are kept whole: what is too much of them is cut off afterwards.
    values = {**found.values, "zone": zone, "most": MOST_GROUPS if by is By.SCHEDULE else None}

    def add_up(start: Day, end: Day) -> list[dict[str, Any]]:
        return cursor.execute(statement, {**values, "first_at": start.begins, "last_at": end.ends}).fetchall()

    days = _days(first, last, ZoneInfo(zone))
    if by is By.SCHEDULE:
        rows = add_up(days[0], days[-1])
    else:
        rows = figures_of(cursor, _scope(statement, values), days, add_up)
    most = sorted(rows, key=lambda row: -row["runs"])[:MOST_GROUPS]
    return sorted(most, key=_place)


def _statement(found: Conditions, by: By) -> str:
    day, network, schedule = _GROUPS[by]
    counts = {count: _rows(count) for count in ("read", "inserted", "updated")}
    figures = _FIGURES.format(**counts, seconds=_SECONDS)
    return _STATEMENT.format(day=day, network=network, schedule=schedule, figures=figures, found=found.all)


def _scope(statement: str, values: dict[str, Any]) -> str:
    """Name what is added up: the same logs in the same way have the same name."""
    return sha256(json.dumps([statement, values], sort_keys=True, default=str).encode()).hexdigest()


def _days(first: date, last: date, zone: ZoneInfo) -> list[Day]:
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [Day(day, midnight(day, zone), midnight(day, zone, later=1)) for day in days]


def _place(row: dict[str, Any]) -> tuple[object, ...]:
    key = row["schedule_key"]
    return row["day"] or date.min, row["network"] or "", -row["runs"], key is None, key or ""
