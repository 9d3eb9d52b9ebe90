"""How a run is cut into units of work, and which days of a network cover the days of a schedule."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from data_sync.schedules.date_ranges import DayRange
from data_sync.schedules.words import SyncType
from network_clients.records import Kind

_DAY = timedelta(days=1)

#: Windows of purchases that one run has at most, those of its maturity sweep included.
MOST_WINDOWS = 24
#: Days that a window of a maturity sweep spans, unless there are too many windows.
_SWEEP_DAYS = 30


class SweepPart(StrEnum):
    """What a unit of a maturity sweep reads."""

    DAYS = "days"
    """The days between its first and its last one that are due, each whole."""
    CHANGES = "changes"
    """What has changed lately, on networks that can be asked for that."""


@dataclass(frozen=True)
class WorkUnit:
    """One mapped task of a run: one kind, and for purchases a window of days.

    ``first`` and ``last`` are ISO dates in the schedule's zone, both inclusive; ``None`` for a catalogue
    snapshot. ``opens_range`` and ``closes_range`` tell the windows at the ends of the run's range, where
    a network's uncertain edges are read with a margin; a snapshot has neither. The days of a ``sweep`` are
    the network's own, and each account reads those that are due for it.
    """

    index: int
    kind: Kind
    first: str | None = None
    last: str | None = None
    opens_range: bool = False
    closes_range: bool = False
    sweep: SweepPart | None = None

    @property
    def label(self) -> str:
        """The unit's name on Airflow's screens, such as ``purchases 2026-03-01..2026-03-07``."""
        if self.sweep is SweepPart.CHANGES:
            return f"unsettled {self.kind.value}, changes"
        name = f"unsettled {self.kind.value}" if self.sweep else self.kind.value
        return f"{name} {self.first}..{self.last}" if self.first else name

    def to_dict(self) -> dict[str, object]:
        """Return the unit as JSON values, its label included."""
        sweep = self.sweep and self.sweep.value
        return {**asdict(self), "kind": self.kind.value, "sweep": sweep, "label": self.label}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> WorkUnit:
        """Read what :meth:`to_dict` wrote.

        :raises KeyError, TypeError, ValueError: for anything else.
        """
        fields = {name: value for name, value in data.items() if name != "label"}
        fields["kind"] = Kind(str(data["kind"]))
        if (sweep := data.get("sweep")) is not None:
            fields["sweep"] = SweepPart(str(sweep))
        return cls(**fields)  # type: ignore[arg-type]


def plan_units(
    sync_type: SyncType,
    day_range: DayRange,
    *,
    backfill: bool = False,
    window_days: int = 7,
    max_windows: int = MOST_WINDOWS,
) -> list[WorkUnit]:
    """Cut a run into its units: windows of purchases first, oldest first, then one unit per catalogue.

    Windows follow each other, cover exactly the range, and differ by at most one day in length. None is
    shorter than ``window_days`` unless the whole range is, and there are at most ``max_windows``.
    A backfill leaves the catalogues out: they have no past. The backfill of a schedule that syncs
    catalogues alone has therefore no unit at all.
    """
    units: list[WorkUnit] = []
    if sync_type in (SyncType.ALL, SyncType.PURCHASES):
        for first, last in _windows(day_range, window_days, max_windows):
            units.append(
                WorkUnit(
                    index=len(units),
                    kind=Kind.PURCHASES,
                    first=first.isoformat(),
                    last=last.isoformat(),
                    opens_range=first == day_range.first,
                    closes_range=last == day_range.last,
                )
            )
    for kind in (Kind.CAMPAIGNS, Kind.COUPONS):
        if not backfill and sync_type in (SyncType.ALL, kind.value):
            units.append(WorkUnit(index=len(units), kind=kind))
    return units


def plan_sweep_units(
    planned: Collection[WorkUnit], days: Collection[date], *, changes: bool
) -> list[WorkUnit]:
    """Cut a maturity sweep into the units that follow those of the run itself.

    :param planned: the units of the run, which must leave room for two windows (for ``MOST_WINDOWS`` - 2).
    :param days: the network's days that are due for at least one of the run's accounts.
    :param changes: whether at least one of them is asked for changes.
    """
    room = MOST_WINDOWS - changes - sum(unit.kind is Kind.PURCHASES for unit in planned)
    due = sorted(days)
    spans = []
    if due:
        for first, last in _windows(DayRange(due[0], due[-1]), _SWEEP_DAYS, room):
            if inside := [day.isoformat() for day in due if first <= day <= last]:
                spans.append((inside[0], inside[-1]))
    index = len(planned)
    units = [
        WorkUnit(index + number, Kind.PURCHASES, first, last, sweep=SweepPart.DAYS)
        for number, (first, last) in enumerate(spans)
    ]
    if changes:
        units.append(WorkUnit(index + len(units), Kind.PURCHASES, sweep=SweepPart.CHANGES))
    return units


def _windows(day_range: DayRange, window_days: int, max_windows: int) -> Iterator[tuple[date, date]]:
    count = min(max_windows, max(1, day_range.days // window_days))
    length, longer = divmod(day_range.days, count)
    first = day_range.first
    for number in range(count):
        last = first + timedelta(days=length - 1 + (number < longer))
        yield first, last
        first = last + _DAY


def network_days(first: date, last: date, schedule_zone: str, network_zone: str) -> tuple[date, date]:
    """Return the network's calendar days that cover the schedule's local days, both ends inclusive.

    From the first instant of ``first`` to the last instant of ``last`` in the schedule's zone, never
    fewer: where midnight comes twice or not at all, the earlier start and the later end count.
    """
    zone, other = ZoneInfo(schedule_zone), ZoneInfo(network_zone)
    start = min(_midnights(first, zone))
    end = max(_midnights(last + _DAY, zone)) - timedelta(microseconds=1)
    return start.astimezone(other).date(), end.astimezone(other).date()


def local_day(moment: datetime, zone: str) -> date:
    """Return the calendar day of an aware moment in a zone."""
    return moment.astimezone(ZoneInfo(zone)).date()


def _midnights(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    utc = ZoneInfo("UTC")
    early, late = (datetime.combine(day, time(0, fold=fold), zone).astimezone(utc) for fold in (0, 1))
    return early, late
