"""Which days a run reads: a named range, resolved from the moment that the run stands for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from data_sync.schedules.words import DateRange

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class DayRange:
    """Calendar days of the schedule's zone, both ends inclusive."""

    first: date
    last: date

    def __post_init__(self) -> None:
        """Refuse a range that ends before it starts.

        :raises ValueError: always then.
        """
        if self.first > self.last:
            raise ValueError(f"the range starts on {self.first}, after its end on {self.last}")

    @property
    def days(self) -> int:
        """How many calendar days the range has."""
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        """Return ``2026-03-01..2026-03-31``."""
        return f"{self.first}..{self.last}"


def resolve(
    name: DateRange,
    anchor: datetime,
    zone: str,
    custom_from: date | None = None,
    custom_to: date | None = None,
) -> DayRange:
    """Return the days of a named range.

    Today is the calendar day of ``anchor`` in ``zone``. ``last_7_days`` and ``last_30_days`` end today;
    ``current_month`` runs from the first of the month to today; ``previous_month`` is whole.

    :param anchor: the run's logical date, else its run-after (aware); never the time of execution, so
        that a retry after midnight reads the same days.
    :param zone: IANA name.
    :param custom_from: first day of ``custom``; not used otherwise.
    :param custom_to: last day of ``custom``; not used otherwise.
    :raises ValueError: when ``anchor`` has no zone, or ``custom`` has no days or its first after its last.
    """
    if anchor.utcoffset() is None:
        raise ValueError("a date range needs an aware anchor")
    if name is DateRange.CUSTOM:
        if custom_from is None or custom_to is None:
            raise ValueError("the custom range needs its first and its last day")
        return DayRange(custom_from, custom_to)
    today = anchor.astimezone(ZoneInfo(zone)).date()
    before_this_month = today.replace(day=1) - _DAY
    ranges = {
        DateRange.TODAY: (today, today),
        DateRange.YESTERDAY: (today - _DAY, today - _DAY),
        DateRange.LAST_7_DAYS: (today - 6 * _DAY, today),
        DateRange.LAST_30_DAYS: (today - 29 * _DAY, today),
        DateRange.CURRENT_MONTH: (today.replace(day=1), today),
        DateRange.PREVIOUS_MONTH: (before_this_month.replace(day=1), before_this_month),
    }
    return DayRange(*ranges[name])
