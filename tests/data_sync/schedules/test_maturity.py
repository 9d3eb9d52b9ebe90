"""When a day with unsettled purchases is read again, and how a sweep is cut into units."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_sync.schedules.date_ranges import DayRange
from data_sync.schedules.maturity import OpenDay, plan_sweep
from data_sync.schedules.planning import MOST_WINDOWS, SweepPart, WorkUnit, plan_sweep_units, plan_units
from data_sync.schedules.words import SyncType
from network_clients.records import Kind

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
TODAY = NOON.date()


def ago(days: float) -> datetime:
    return NOON - timedelta(days=days)


def day(age: int) -> date:
    return TODAY - timedelta(days=age)


@pytest.mark.parametrize(
    ("age", "pace"), [(0, 1), (7, 1), (8, 7), (90, 7), (91, 30), (180, 30)], ids=lambda n: str(n)
)
def test_the_older_a_day_the_rarer_it_is_read(age: int, pace: int) -> None:
    def is_due(read: float) -> bool:
        return bool(plan_sweep([OpenDay(day(age), ago(read))], NOON, "UTC", by_change=False).days)

    assert not is_due(pace - 1)
    assert is_due(pace)
    assert not is_due(0)


def test_days_are_those_of_the_schedules_calendar() -> None:
    last_night = OpenDay(day(1), datetime(2026, 3, 30, 23, tzinfo=UTC))
    assert plan_sweep([last_night], datetime(2026, 3, 31, 0, 30, tzinfo=UTC), "UTC", by_change=False).days
    assert not plan_sweep(
        [last_night], datetime(2026, 3, 31, 0, 30, tzinfo=UTC), "America/New_York", by_change=False
    ).days


def test_a_day_that_was_never_read_whole_is_due() -> None:
    assert plan_sweep([OpenDay(day(3))], NOON, "UTC", by_change=False).days == (day(3),)
    # Not even where changes can be asked for: nobody knows since when.
    known_by_change = OpenDay(day(3), changes=ago(0))
    assert plan_sweep([known_by_change], NOON, "UTC", by_change=True).days == (day(3),)


def test_one_question_for_changes_stands_for_all_open_days_once_one_is_due() -> None:
    young, old = OpenDay(day(5), ago(1)), OpenDay(day(60), ago(20), ago(3))
    plan = plan_sweep([old, young], NOON, "UTC", by_change=True)
    assert plan.days == ()
    assert plan.since == ago(3)
    assert plan.known == (old.day, young.day)
    assert plan_sweep([old], NOON, "UTC", by_change=True).since is None, "alone it would have waited"


def test_a_day_is_read_whole_once_a_month_where_changes_can_be_asked_for() -> None:
    days = [OpenDay(day(60), ago(30), ago(1)), OpenDay(day(50), ago(29), ago(7))]
    plan = plan_sweep(days, NOON, "UTC", by_change=True)
    assert plan.days == (day(60),)
    assert plan.known == (day(50),)


moments = st.one_of(st.none(), st.integers(0, 60).map(ago))
open_days = st.lists(
    st.builds(OpenDay, st.integers(0, 180).map(day), moments, moments), unique_by=lambda found: found.day
)


@given(days=open_days, by_change=st.booleans())
def test_whatever_is_read_is_known_up_to_now_and_nothing_is_left_out(
    days: list[OpenDay], by_change: bool
) -> None:
    plan = plan_sweep(days, NOON, "UTC", by_change=by_change)
    assert not set(plan.days) & set(plan.known)
    assert (plan.since is None) is (not plan.known)
    after = []
    for found in days:
        if found.day in plan.days:
            after.append(OpenDay(found.day, NOON, found.changes))
        elif found.day in plan.known:
            assert found.known is not None
            assert plan.since is not None
            assert plan.since <= found.known, "no change is missed in between"
            after.append(OpenDay(found.day, found.whole, NOON))
        else:
            after.append(found)
    again = plan_sweep(after, NOON, "UTC", by_change=by_change)
    assert (again.days, again.since) == ((), None), "read once, nothing is due on the same day"


ranges = st.builds(
    lambda first, days: DayRange(first, first + timedelta(days=days)),
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.integers(0, 800),
)


@given(day_range=ranges, days=st.sets(st.integers(0, 400).map(day)), changes=st.booleans())
def test_a_run_never_has_more_windows_than_allowed_and_sweeps_every_day_once(
    day_range: DayRange, days: set[date], changes: bool
) -> None:
    own = plan_units(SyncType.ALL, day_range, max_windows=MOST_WINDOWS - 2)
    units = plan_sweep_units(own, days, changes=changes)
    everything = [*own, *units]
    assert [unit.index for unit in everything] == list(range(len(everything)))
    assert sum(unit.kind is Kind.PURCHASES for unit in everything) <= MOST_WINDOWS
    assert sum(unit.sweep is SweepPart.CHANGES for unit in units) == changes
    spans = [(unit.first, unit.last) for unit in units if unit.sweep is SweepPart.DAYS]
    for found in days:
        assert sum(str(first) <= found.isoformat() <= str(last) for first, last in spans) == 1
    assert all(date.fromisoformat(str(edge)) in days for span in spans for edge in span)
    for unit in units:
        assert WorkUnit.from_dict(json.loads(json.dumps(unit.to_dict()))) == unit


def test_units_of_a_sweep_are_named_so_that_people_recognise_them() -> None:
    units = plan_sweep_units([], [day(120), day(60), day(50)], changes=True)
    assert [unit.label for unit in units] == [
        "unsettled purchases 2025-12-01..2025-12-01",
        "unsettled purchases 2026-01-30..2026-02-09",
        "unsettled purchases, changes",
    ]
