"""When schedules run, compared with Airflow's own timetables, also on the days that clocks change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from data_sync.schedules.timing import When, check_cron, check_zone, clock_crons, interval_crons, next_runs
from data_sync.schedules.words import Interval, RefusedValueError, Weekday

#: The fixture in ``conftest.py``: the ticks of Airflow itself.
AirflowTicks = Callable[[When, datetime, int], list[datetime]]

ZONES = ["Europe/Berlin", "Asia/Dubai", "America/New_York", "Australia/Lord_Howe", "UTC"]
#: Days on which clocks change: Berlin, New York, Lord Howe, each in spring and in autumn.
CHANGES = [
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 10, 3, tzinfo=UTC),
    datetime(2026, 4, 4, tzinfo=UTC),
]

zones = st.sampled_from(ZONES)
moments = st.one_of(
    st.builds(
        lambda day, minutes: day + timedelta(minutes=minutes),
        st.sampled_from(CHANGES),
        st.integers(-2880, 2880),
    ),
    st.datetimes(datetime(2020, 1, 1), datetime(2032, 1, 1)).map(
        lambda moment: moment.replace(second=0, microsecond=0, tzinfo=UTC)
    ),
)
clock_times = st.lists(
    st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)),
    min_size=1,
    max_size=8,
    unique=True,
)
weekdays = st.lists(st.sampled_from(Weekday), unique=True)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.builds("{},{}".format, number, number),
        st.builds(lambda a, b: f"{min(a, b)}-{max(a, b)}", number, number),
        st.integers(1, high).map("*/{}".format),
    )


crons = st.builds(
    "{} {} {} {} {}".format, field(0, 59), field(0, 23), field(1, 28), st.just("*"), field(0, 6)
)


@settings(max_examples=150, deadline=None)
@given(times=clock_times, days=weekdays, zone=zones, after=moments)
@example(times=["02:30"], days=[], zone="Europe/Berlin", after=datetime(2026, 3, 28, 12, tzinfo=UTC))
@example(times=["02:30"], days=[], zone="Europe/Berlin", after=datetime(2026, 10, 24, 12, tzinfo=UTC))
@example(
    times=["01:45", "02:15"], days=[], zone="Australia/Lord_Howe", after=datetime(2026, 4, 4, tzinfo=UTC)
)
def test_clock_times_tick_as_in_airflow(
    airflow_ticks: AirflowTicks, times: list[str], days: list[Weekday], zone: str, after: datetime
) -> None:
    when = When(clock_crons(times, days), zone)
    assert next_runs(when, after, 12) == airflow_ticks(when, after, 12)


@settings(max_examples=80, deadline=None)
@given(interval=st.sampled_from(Interval), zone=zones, after=moments)
def test_intervals_tick_as_in_airflow(
    airflow_ticks: AirflowTicks, interval: Interval, zone: str, after: datetime
) -> None:
    when = When(interval_crons(interval), zone)
    assert next_runs(when, after, 20) == airflow_ticks(when, after, 20)


@settings(max_examples=150, deadline=None)
@given(cron=crons, zone=zones, after=moments)
@example(cron="*/10 * * * 1", zone="Europe/Berlin", after=datetime(2026, 3, 27, tzinfo=UTC))
def test_cron_expressions_tick_as_in_airflow(
    airflow_ticks: AirflowTicks, cron: str, zone: str, after: datetime
) -> None:
    try:
        when = When((check_cron(cron),), zone)
    except RefusedValueError:
        assume(False)
    assert next_runs(when, after, 10) == airflow_ticks(when, after, 10)


@settings(max_examples=60, deadline=None)
@given(times=clock_times, days=weekdays, zone=st.sampled_from(["Asia/Dubai", "UTC"]), after=moments)
def test_clock_times_come_exactly_when_the_wall_clock_shows_them(
    times: list[str], days: list[Weekday], zone: str, after: datetime
) -> None:
    first = after.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0)
    wanted = []
    for number in range(15):
        day = first + timedelta(days=number)
        if not days or [*Weekday][day.weekday()] in days:
            wanted += [day.replace(hour=int(t[:2]), minute=int(t[3:])) for t in sorted(times)]
    wanted = [tick for tick in wanted if tick > after]
    assert next_runs(When(clock_crons(times, days), zone), after, len(wanted)) == wanted


@settings(max_examples=100, deadline=None)
@given(times=clock_times, zone=zones, after=moments)
def test_clock_times_come_once_per_day_however_long_the_day_is(
    times: list[str], zone: str, after: datetime
) -> None:
    assume(len({time[:2] for time in times}) == len(times))
    midnight = after.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, fold=0) + timedelta(days=1)
    ticks = next_runs(When(clock_crons(times), zone), midnight - timedelta(seconds=1), 7 * len(times))
    per_day: dict[object, int] = {}
    for tick in ticks:
        day = tick.astimezone(ZoneInfo(zone)).date()
        per_day[day] = per_day.get(day, 0) + 1
    # Two times may meet where one of them is moved out of the hour that is left out.
    assert all(len(times) - 1 <= count <= len(times) for count in list(per_day.values())[:-1])
    assert all(one < other for one, other in pairwise(ticks))


def local(when: When, after: str, count: int) -> list[str]:
    moment = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(when.zone))
    ticks = next_runs(when, moment, count)
    return [tick.astimezone(ZoneInfo(when.zone)).isoformat(timespec="minutes") for tick in ticks]


def test_half_past_two_in_berlin_on_the_days_the_clocks_change() -> None:
    when = When(clock_crons(["02:30"]), "Europe/Berlin")
    assert local(when, "2026-03-28T12:00", 2) == ["2026-03-29T03:30+02:00", "2026-03-30T02:30+02:00"]
    assert local(when, "2026-10-24T12:00", 2) == ["2026-10-25T02:30+01:00", "2026-10-26T02:30+01:00"]


def test_every_hour_runs_in_the_repeated_hour_too() -> None:
    when = When(interval_crons(Interval.HOURLY), "Europe/Berlin")
    assert local(when, "2026-10-25T01:00", 3) == [
        "2026-10-25T02:00+02:00",
        "2026-10-25T02:00+01:00",
        "2026-10-25T03:00+01:00",
    ]


@pytest.mark.parametrize(
    ("times", "days", "expected"),
    [
        (["06:00"], [], ("0 6 * * *",)),
        (["18:00", "06:00"], [], ("0 6,18 * * *",)),
        (["06:00", "06:30", "18:00", "18:30"], [], ("0 6,18 * * *", "30 6,18 * * *")),
        (["06:00", "18:30"], ["mon", "tue", "wed", "thu", "fri"], ("0 6 * * 1-5", "30 18 * * 1-5")),
        (["06:00"], ["sun", "sat"], ("0 6 * * 0,6",)),
        (["06:00"], ["mon", "thu"], ("0 6 * * 1,4",)),
        (["06:00"], list(Weekday), ("0 6 * * *",)),
    ],
)
def test_clock_times_share_expressions_where_they_can(
    times: list[str], days: list[str], expected: tuple[str, ...]
) -> None:
    assert clock_crons(times, [Weekday(day) for day in days]) == expected


def test_all_hours_by_clock_times_stay_clock_times() -> None:
    when = When(clock_crons([f"{hour:02}:00" for hour in range(24)], [Weekday.MON]), "Europe/Berlin")
    assert local(when, "2026-10-23T12:00", 1) == ["2026-10-26T00:00+01:00"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("  0   6 * * *  ", "0 6 * * *"),
        ("@daily", "0 0 * * *"),
        ("@Weekly", "0 0 * * 0"),
        ("0 6 * * mon-fri", "0 6 * * mon-fri"),
        ("0 6 L * *", "0 6 L * *"),
        ("0 6 29 2 *", "0 6 29 2 *"),
        ("0 6 * * 1#2", "0 6 * * 1#2"),
    ],
)
def test_cron_expressions_have_one_canonical_form(
    airflow_ticks: AirflowTicks, written: str, kept: str
) -> None:
    assert check_cron(written) == kept
    after = datetime(2026, 1, 1, tzinfo=UTC)
    assert next_runs(When((kept,), "UTC"), after, 3) == airflow_ticks(When((kept,), "UTC"), after, 3)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text("0123456789*/,-LW#RHJanFebMonSun@ ?", max_size=25), st.text(max_size=12)))
def test_any_text_is_either_refused_with_advice_or_runs_in_airflow(
    airflow_ticks: AirflowTicks, text: str
) -> None:
    try:
        when = When((check_cron(text),), "Europe/Berlin")
    except RefusedValueError as error:
        advice = error.instead
    else:
        advice = "none is needed"
        assert airflow_ticks(when, datetime(2026, 1, 1, tzinfo=UTC), 2)
    assert advice


def test_zones_are_iana_names_and_nothing_else() -> None:
    assert check_zone("Asia/Dubai") == "Asia/Dubai"
    for name in ["", "Berlin/Europe", "../UTC", "/etc/localtime", "localtime", "GMT+25", "asia/dubai"]:
        with pytest.raises(RefusedValueError, match="there is no time zone"):
            check_zone(name)


def test_a_preview_needs_an_aware_moment() -> None:
    with pytest.raises(ValueError, match="aware"):
        next_runs(When(("0 6 * * *",), "UTC"), datetime(2026, 1, 1), 1)
