"""Stats: what logs add up to, for charts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Query

from data_sync.database import now
from data_sync.looking.log_filters import LogFilter
from data_sync.looking.stats import stats
from sync_api.access import Reader
from sync_api.days import chosen_days
from sync_api.logs import MANUAL
from sync_api.room import Tables, problems, room, viewer_of
from sync_api.shapes.stats import MOST_DAYS, Stats, StatsItem, StatsQuery

router = room("", "Stats")


@router.get("/stats", responses=problems(422))
def get_stats(caller: Reader, db: Tables, query: Annotated[StatsQuery, Query()]) -> Stats:
    """Add up the logs that you see: runs, how many went well, rows, requests, waits and durations."""
    zone = ZoneInfo(query.timezone)
    is_manual = query.schedule == MANUAL
    with db.transaction() as cursor:
        today = now(cursor).astimezone(zone).date()
        first, last = chosen_days(query.day_from, query.day_to, today=today, usual=7, most=MOST_DAYS)
        wanted = LogFilter(
            network=query.network,
            schedule=None if is_manual else query.schedule,
            without_schedule=is_manual,
        )
        rows = stats(cursor, viewer_of(caller), wanted, query.by, first=first, last=last, zone=query.timezone)
    items = [StatsItem(**row, success_rate=_rate(row)) for row in rows]
    return Stats(items=items, total_entries=len(items), first_day=first, last_day=last)


def _rate(row: Mapping[str, Any]) -> float | None:
    ended = row["completed"] + row["failed"]
    return round(row["completed"] / ended, 4) if ended else None
