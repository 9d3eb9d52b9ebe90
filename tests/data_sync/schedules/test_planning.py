"""How a run is cut into units of work, and which network days cover a schedule's days."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_sync.schedules.date_ranges import DayRange
from data_sync.schedules.planning import WorkUnit, network_days, plan_units
from data_sync.schedules.words import SyncType
from network_clients.records import Kind

ZONES = [
    "Europe/Berlin",
    "Asia/Dubai",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "UTC",
]
starts = st.dates(date(2012, 1, 1), date(2035, 1, 1))
ranges = st.builds(
    lambda first, days: DayRange(first, first + timedelta(days=days)), starts, st.integers(0, 800)
)


@settings(deadline=None)
@given(day_range=ranges, window_days=st.integers(1, 40), max_windows=st.integers(1, 24))
def test_windows_cover_the_range_exactly_and_are_few_and_long_enough(
    day_range: DayRange, window_days: int, max_windows: int
) -> None:
    units = plan_units(SyncType.PURCHASES, day_range, window_days=window_days, max_windows=max_windows)
    spans = [(date.fromisoformat(str(unit.first)), date.fromisoformat(str(unit.last))) for unit in units]
    covered = [first + timedelta(days=n) for first, last in spans for n in range((last - first).days + 1)]
    assert covered == [day_range.first + timedelta(days=n) for n in range(day_range.days)]
    lengths = [(last - first).days + 1 for first, last in spans]
    assert len(units) <= max_windows
    assert min(lengths) >= min(window_days, day_range.days)
    assert max(lengths) - min(lengths) <= 1
    assert [unit.index for unit in units] == list(range(len(units)))
    assert [unit.opens_range for unit in units] == [True] + [False] * (len(units) - 1)
    assert [unit.closes_range for unit in units] == [False] * (len(units) - 1) + [True]


def labels(sync_type: str, *, backfill: bool = False) -> list[str]:
    march = DayRange(date(2026, 3, 1), date(2026, 3, 15))
    return [unit.label for unit in plan_units(SyncType(sync_type), march, backfill=backfill)]


def test_units_are_named_so_that_people_recognise_them() -> None:
    windows = ["purchases 2026-03-01..2026-03-08", "purchases 2026-03-09..2026-03-15"]
    assert labels("all") == [*windows, "campaigns", "coupons"]
    assert labels("purchases") == windows
    assert labels("campaigns") == ["campaigns"]
    assert labels("coupons") == ["coupons"]


def test_backfills_leave_catalogues_out() -> None:
    assert labels("all", backfill=True) == labels("purchases")
    assert labels("campaigns", backfill=True) == labels("coupons", backfill=True) == []


@settings(deadline=None)
@given(day_range=ranges, sync_type=st.sampled_from(SyncType))
def test_units_travel_as_json(day_range: DayRange, sync_type: SyncType) -> None:
    for unit in plan_units(sync_type, day_range):
        assert WorkUnit.from_dict(json.loads(json.dumps(unit.to_dict()))) == unit


def test_a_snapshot_has_no_days() -> None:
    (unit,) = plan_units(SyncType.COUPONS, DayRange(date(2026, 3, 1), date(2026, 3, 15)))
    assert unit == WorkUnit(index=0, kind=Kind.COUPONS)


@settings(deadline=None)
@given(
    first=starts,
    days=st.integers(0, 40),
    ours=st.sampled_from(ZONES),
    theirs=st.sampled_from(ZONES),
    data=st.data(),
)
def test_network_days_hold_every_instant_of_the_local_days(
    first: date, days: int, ours: str, theirs: str, data: st.DataObject
) -> None:
    last = first + timedelta(days=days)
    got = network_days(first, last, ours, theirs)
    minutes = data.draw(st.integers(-1440, (days + 2) * 1440))
    instant = datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(minutes=minutes)
    if first <= instant.astimezone(ZoneInfo(ours)).date() <= last:
        assert got[0] <= instant.astimezone(ZoneInfo(theirs)).date() <= got[1]
    assert (got[1] - got[0]).days <= days + 2


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("Asia/Dubai", "Europe/Moscow", ("2026-02-28", "2026-03-01")),
        ("Europe/Berlin", "Europe/Berlin", ("2026-03-01", "2026-03-01")),
        ("America/New_York", "UTC", ("2026-03-01", "2026-03-02")),
        ("UTC", "Pacific/Kiritimati", ("2026-03-01", "2026-03-02")),
    ],
)
def test_a_local_day_may_touch_two_days_of_a_network(
    ours: str, theirs: str, expected: tuple[str, str]
) -> None:
    day = date(2026, 3, 1)
    assert tuple(found.isoformat() for found in network_days(day, day, ours, theirs)) == expected
