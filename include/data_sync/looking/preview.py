"""What a definition means: its next runs, and the days that the first of them reads. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from data_sync.schedules.date_ranges import DayRange
from data_sync.schedules.model import Schedule
from data_sync.schedules.timing import next_runs

#: Beyond these years nothing is told: calendars of today do not reach far.
_LAST_DAY = date(9990, 1, 1)


@dataclass(frozen=True)
class Preview:
    """What will happen.

    :param runs: the next runs (aware, UTC); fewer than asked for where its last day comes before.
    :param days: what the first of them reads; where there is none, what a run started now would.
    """

    runs: tuple[datetime, ...]
    days: DayRange


def preview(schedule: Schedule, now: datetime, count: int = 5) -> Preview:
    """Look ahead from ``now`` (aware)."""
    runs = tuple(_runs(schedule, now, count)) if schedule.active else ()
    return Preview(runs, schedule.days(runs[0] if runs else now))


def _runs(schedule: Schedule, now: datetime, count: int) -> list[datetime]:
    zone = ZoneInfo(schedule.timezone)
    start = now
    if schedule.start_date is not None:
        if schedule.start_date > _LAST_DAY:
            return []
        first = datetime.combine(schedule.start_date, datetime.min.time(), zone)
        start = max(now, first.astimezone(UTC) - timedelta(microseconds=1))
    found = next_runs(schedule.when, start, count)
    last = schedule.end_date
    return [run for run in found if last is None or run.astimezone(zone).date() <= last]
