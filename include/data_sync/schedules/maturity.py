"""Which past days a maturity sweep reads again: those that still hold unsettled rows, by their age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from data_sync.schedules.planning import local_day

#: Up to which age in days a day with unsettled rows is read again every so many days.
_PACES = ((7, 1), (90, 7))

#: How often an older one is; also how often a day is read whole where its changes alone can be asked for.
MONTHLY = 30


@dataclass(frozen=True)
class OpenDay:
    """A calendar day of a network that holds unsettled rows.

    :param whole: when the last whole read of it began; ``None`` if it never was read whole.
    :param changes: up to which moment its changes are known from a read by change.
    """

    day: date
    whole: datetime | None = None
    changes: datetime | None = None

    @property
    def known(self) -> datetime | None:
        """Up to which moment its rows are known."""
        moments = [moment for moment in (self.whole, self.changes) if moment is not None]
        return max(moments, default=None)


@dataclass(frozen=True)
class SweepPlan:
    """What is due.

    :param days: days that are read whole, ascending.
    :param since: the moment since which changes are read; ``None``: they are not.
    :param known: the days that such a read brings up to date.
    """

    days: tuple[date, ...] = ()
    since: datetime | None = None
    known: tuple[date, ...] = ()


def pace(age: int) -> int:
    """Return every how many days a day of that age is read again."""
    return next((every for oldest, every in _PACES if age <= oldest), MONTHLY)


def plan_sweep(open_days: Sequence[OpenDay], anchor: datetime, zone: str, *, by_change: bool) -> SweepPlan:
    """Choose what a run reads again, as seen from the moment that it stands for.

    A day is due when the calendar day, in the schedule's zone, on which it was last read lies as many days
    back as its age asks for. Where the network can be asked for changes, one such read stands for all open
    days as soon as one of them is due; days are read whole only once a month then, because such a read shows
    neither what vanished nor what changed without a new change time.

    :param open_days: the days with unsettled rows, ascending, none of which the run reads anyway.
    :param anchor: aware.
    """
    today = local_day(anchor, zone)

    def is_due(moment: datetime | None, every: int) -> bool:
        return moment is None or (today - local_day(moment, zone)).days >= every

    paces = {found.day: pace((today - found.day).days) for found in open_days}
    if not by_change:
        return SweepPlan(tuple(found.day for found in open_days if is_due(found.whole, paces[found.day])))
    whole = tuple(found.day for found in open_days if is_due(found.whole, MONTHLY))
    rest = [found for found in open_days if found.day not in set(whole)]
    if not any(is_due(found.known, paces[found.day]) for found in rest):
        return SweepPlan(whole)
    since = min(found.known for found in rest if found.known is not None)
    return SweepPlan(whole, since, tuple(found.day for found in rest))
