"""Which days a run reads: month ends, leap years, clock changes, several zones."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_sync.schedules.date_ranges import DayRange, resolve
from data_sync.schedules.words import DateRange

ZONES = [
    "Europe/Berlin",
    "Asia/Dubai",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "UTC",
]
NAMED = [name for name in DateRange if name is not DateRange.CUSTOM]

anchors = st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30), timezones=st.just(UTC))
zones = st.sampled_from(ZONES)


def days(name: str, day: str, zone: str = "UTC") -> str:
    moment = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    return str(resolve(DateRange(name), moment, zone))


@pytest.mark.parametrize(
    ("name", "day", "expected"),
    [
        ("today", "2026-03-31T00:00", "2026-03-31..2026-03-31"),
        ("yesterday", "2026-03-01T23:59", "2026-02-28..2026-02-28"),
        ("yesterday", "2024-03-01T12:00", "2024-02-29..2024-02-29"),
        ("last_7_days", "2026-03-03T12:00", "2026-02-25..2026-03-03"),
        ("last_30_days", "2026-03-30T12:00", "2026-03-01..2026-03-30"),
        ("current_month", "2026-03-01T12:00", "2026-03-01..2026-03-01"),
        ("current_month", "2026-03-31T12:00", "2026-03-01..2026-03-31"),
        ("previous_month", "2026-03-29T12:00", "2026-02-01..2026-02-28"),
        ("previous_month", "2026-03-30T12:00", "2026-02-01..2026-02-28"),
        ("previous_month", "2026-03-31T12:00", "2026-02-01..2026-02-28"),
        ("previous_month", "2024-03-31T12:00", "2024-02-01..2024-02-29"),
        ("previous_month", "2026-01-31T12:00", "2025-12-01..2025-12-31"),
        ("previous_month", "2026-10-31T12:00", "2026-09-01..2026-09-30"),
    ],
)
def test_named_ranges_at_the_ends_of_months(name: str, day: str, expected: str) -> None:
    assert days(name, day) == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("time", ["00:00", "01:30", "02:30", "03:00", "23:59"])
@pytest.mark.parametrize(
    "day", ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-10-04", "2026-04-05"]
)
def test_the_day_is_the_local_one_on_days_when_clocks_change(zone: str, time: str, day: str) -> None:
    assert days("today", f"{day}T{time}", zone) == f"{day}..{day}"


def test_one_instant_is_another_day_elsewhere() -> None:
    anchor = datetime(2026, 2, 28, 22, 0, tzinfo=UTC)
    assert str(resolve(DateRange.TODAY, anchor, "Asia/Dubai")) == "2026-03-01..2026-03-01"
    assert str(resolve(DateRange.PREVIOUS_MONTH, anchor, "Asia/Dubai")) == "2026-02-01..2026-02-28"
    assert str(resolve(DateRange.PREVIOUS_MONTH, anchor, "America/New_York")) == "2026-01-01..2026-01-31"


@settings(deadline=None)
@given(anchor=anchors, zone=zones, asked_in=zones)
def test_ranges_hold_their_promises_on_any_day(anchor: datetime, zone: str, asked_in: str) -> None:
    today = anchor.astimezone(ZoneInfo(zone)).date()
    got = {name: resolve(name, anchor.astimezone(ZoneInfo(asked_in)), zone) for name in NAMED}
    assert got[DateRange.TODAY] == DayRange(today, today)
    assert got[DateRange.YESTERDAY] == DayRange(today - timedelta(days=1), today - timedelta(days=1))
    for name, length in ((DateRange.LAST_7_DAYS, 7), (DateRange.LAST_30_DAYS, 30)):
        assert (got[name].days, got[name].last) == (length, today)
    assert got[DateRange.CURRENT_MONTH] == DayRange(date(today.year, today.month, 1), today)
    previous = got[DateRange.PREVIOUS_MONTH]
    assert previous.last + timedelta(days=1) == date(today.year, today.month, 1)
    assert previous.first.day == 1
    assert previous.days == calendar.monthrange(previous.first.year, previous.first.month)[1]


def test_custom_days_are_taken_as_they_are() -> None:
    anchor = datetime(2026, 3, 1, tzinfo=UTC)
    first, last = date(2024, 2, 29), date(2024, 3, 1)
    assert resolve(DateRange.CUSTOM, anchor, "UTC", first, last) == DayRange(first, last)
    with pytest.raises(ValueError, match="after its end"):
        resolve(DateRange.CUSTOM, anchor, "UTC", last, first)
    with pytest.raises(ValueError, match="its first and its last day"):
        resolve(DateRange.CUSTOM, anchor, "UTC", first)


def test_a_range_needs_an_aware_anchor() -> None:
    with pytest.raises(ValueError, match="aware"):
        resolve(DateRange.TODAY, datetime(2026, 3, 1), "UTC")
