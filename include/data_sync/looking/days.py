"""Days of a zone as the instants between which they lie."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def midnight(day: date, zone: ZoneInfo, *, later: int = 0) -> datetime:
    """Return when a day begins in a zone (aware, UTC), or one that comes so many days later."""
    return datetime.combine(day + timedelta(days=later), time.min, zone).astimezone(UTC)
