"""Coverage: which days of which account are here."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Query

from data_sync.database import now
from data_sync.looking.coverage import coverage
from sync_api.access import Reader
from sync_api.problems import Problem
from sync_api.room import Tables, problems, room, viewer_of
from sync_api.shapes.coverage import (
    MOST_DAYS,
    Coverage,
    CoverageAccount,
    CoverageDay,
    CoverageQuery,
)
from sync_api.shapes.problem import FieldError

router = room("", "Coverage")

_DAYS = 31


@router.get("/coverage", responses=problems(422))
def get_coverage(caller: Reader, db: Tables, query: Annotated[CoverageQuery, Query()]) -> Coverage:
    """Say for every account that you may use how much of each day's purchases is here."""
    with db.transaction() as cursor:
        last = query.day_to or now(cursor).date()
        first = query.day_from or last - timedelta(days=_DAYS - 1)
        if last < first:
            raise _wrong("from", "it lies after the last day", "swap the two")
        if (last - first).days >= MOST_DAYS:
            raise _wrong("from", f"these are more than {MOST_DAYS} days", "ask for fewer at a time")
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


def _wrong(field: str, message: str, fix: str) -> Problem:
    errors = [FieldError(field=field, message=message, fix=fix)]
    return Problem(422, "invalid", f"{field}: {message}; {fix}.", errors=errors)
