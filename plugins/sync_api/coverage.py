"""Coverage: which days of which account are here."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from data_sync.database import now
from data_sync.looking.coverage import coverage
from sync_api.access import Reader
from sync_api.days import chosen_days
from sync_api.room import Tables, problems, room, viewer_of
from sync_api.shapes.coverage import (
    MOST_DAYS,
    Coverage,
    CoverageAccount,
    CoverageDay,
    CoverageQuery,
)

router = room("", "Coverage")


@router.get("/coverage", responses=problems(422))
def get_coverage(caller: Reader, db: Tables, query: Annotated[CoverageQuery, Query()]) -> Coverage:
    """Say for every account that you may use how much of each day's purchases is here."""
    with db.transaction() as cursor:
        today = now(cursor).date()
        first, last = chosen_days(query.day_from, query.day_to, today=today, usual=31, most=MOST_DAYS)
        found = coverage(cursor, viewer_of(caller), first, last, network=query.network)
    items = [
        CoverageAccount(
            account=account.account,
            network=account.network,
            timezone=account.timezone,
            days=[CoverageDay(day=d.day, covered=d.covered, read_at=d.read_at) for d in account.days],
        )
        for account in found
    ]
    return Coverage(items=items, total_entries=len(items), first_day=first, last_day=last)
