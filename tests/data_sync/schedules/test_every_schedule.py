"""Any schedule that is accepted becomes a DAG, and Airflow's scheduler starts it when an almanac says so.

The almanac is made of croniter and dateutil and knows nothing of ours. The scheduler is Airflow's own
calculation on the DAG as it comes back from the database, asked at the times when Airflow asks: when a run is
made, and at each parse in between.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any

import pytest
import time_machine
from airflow.serialization.serialized_objects import DagSerialization
from croniter import croniter
from dateutil import tz
from dateutil.relativedelta import relativedelta
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from data_sync.dag.builder import build_dag
from data_sync.dag.timetables import FIRST_TICK_GRACE
from data_sync.schedules.model import Schedule
from data_sync.schedules.words import DateRange, Interval, Weekday
from tests.data_sync.catalogue.drawn import schedules

_DAY = timedelta(days=1)
_ELAPSED = {"10m": 10, "30m": 30, "1h": 60}
_OF_DAY = {"2h": range(0, 24, 2), "6h": range(0, 24, 6), "12h": range(0, 24, 12), "1d": range(1)}

#: Clocks change at midnight in Cairo, at 22:00 on Easter Island, by half an hour on Lord Howe.
ZONES = [
    "UTC",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "America/New_York",
    "Africa/Cairo",
    "Pacific/Easter",
]
CHANGES = [
    *(date(2026, 3, 29), date(2026, 10, 25)),
    *(date(2026, 3, 8), date(2026, 11, 1)),
    *(date(2026, 4, 24), date(2026, 10, 29)),
    *(date(2026, 4, 4), date(2026, 9, 5)),
    *(date(2026, 4, 5), date(2026, 10, 4)),
]

Made = tuple[dict[str, Any], datetime]


# The almanac.


def almanac(words: dict[str, Any], since: datetime) -> Any:
    """All ticks that come at or after a moment, in UTC and in order, by the words of an entry alone."""
    zone = tz.gettz(words.get("timezone", "UTC"))
    minutes = _ELAPSED.get(words.get("interval", ""))
    cron = words.get("cron", "")
    if minutes:
        yield from _elapsed(since, zone, set(range(0, 60, minutes)))
    elif cron.split()[1:2] == ["*"]:
        yield from _elapsed(
            since, zone, {tick.minute for tick in _clock_readings(words, date(2026, 1, 1), 60)}
        )
    else:
        found, day = set[datetime](), since.astimezone(zone).date() - 2 * _DAY
        for reading in _clock_readings(words, day, None):
            if reading.date() > day:
                yield from (instant for instant in _kept(found, zone) if instant >= since)
                found, day = set(), reading.date()
            found.add(reading)


def _kept(readings: set[datetime], zone: Any) -> list[datetime]:
    """The ticks of a day. One that the clock skips is dropped when another one comes before its new time."""
    real = {_instant(reading, zone) for reading in readings if _exists(reading, zone)}
    for reading in sorted(readings):
        moved = change = _instant(reading, zone)
        while (
            not _exists(reading, zone)
            and change.astimezone(zone).utcoffset() == moved.astimezone(zone).utcoffset()
        ):
            change -= timedelta(minutes=1)
        if not any(change < tick < moved for tick in real):
            real.add(moved)
    return sorted(real)


def _exists(reading: datetime, zone: Any) -> bool:
    return bool(tz.datetime_exists(reading, zone))


def _elapsed(since: datetime, zone: Any, minutes: set[int]) -> Any:
    moment = since.replace(second=0, microsecond=0)
    while True:
        if moment >= since and moment.astimezone(zone).minute in minutes:
            yield moment
        moment += timedelta(minutes=1)


def _instant(reading: datetime, zone: Any) -> datetime:
    """A reading that the clock skips is moved on by the jump; one that it shows twice is the second one."""
    return tz.resolve_imaginary(reading.replace(tzinfo=zone, fold=1)).astimezone(UTC)


def _clock_readings(words: dict[str, Any], first: date, count: int | None) -> Any:
    if "cron" in words:
        ticks = croniter(words["cron"], datetime.combine(first, time.min) - timedelta(minutes=1))
        yield from islice(ticks.all_next(datetime), count)
        return
    names = [day[:3].lower() for day in words.get("weekdays", [])]
    hours = [time(hour) for hour in _OF_DAY.get(words.get("interval", ""), ())]
    times = sorted({*map(time.fromisoformat, words.get("times", [])), *hours})
    for number in range(4000):
        day = first + number * _DAY
        if not names or f"{day:%a}".lower() in names:
            yield from (datetime.combine(day, at) for at in times)


def expected(words: dict[str, Any], made: datetime, count: int, *, is_new: bool = True) -> list[datetime]:
    """When a schedule made at a moment runs: from the next tick on, within its first and its last day.

    A new one that was made just after a tick begins with that one, see FIRST_TICK_GRACE.
    """
    zone = tz.gettz(words.get("timezone", "UTC"))
    if not words.get("active", True):
        return []
    start = _one_before(words, made, made - FIRST_TICK_GRACE) if is_new else made
    if "start_date" in words:
        begins = _instant(datetime.combine(date.fromisoformat(words["start_date"]), time.min), zone)
        start = begins if words.get("catchup") or begins >= made else _one_before(words, made, begins)
    end = datetime.max.replace(tzinfo=UTC)
    if "end_date" in words:
        end = _instant(datetime.combine(date.fromisoformat(words["end_date"]) + _DAY, time.min), zone)
    return [tick for tick in islice(almanac(words, start), count) if tick < end]


def _one_before(words: dict[str, Any], made: datetime, begins: datetime) -> datetime:
    """Where the first day is over, Airflow makes up for the one tick that came last."""
    for days in (1, 8, 400):
        past = []
        for tick in almanac(words, max(begins, made - days * _DAY)):
            if tick > made:
                break
            past.append(tick)
        if past:
            return past[-1]
    return made


# The scheduler.


def stored(schedule: Schedule) -> Any:
    """The DAG as the scheduler reads it from Airflow's database."""
    written = DagSerialization.to_dict(build_dag(schedule))
    dag = DagSerialization.from_dict(written)
    assert dag.timetable.serialize() == written["dag"]["timetable"]["__var"]
    return dag


def asked(dag: Any, now: datetime, last: Any) -> Any:
    with time_machine.travel(now, tick=False):
        return dag.next_dagrun_info(last_automated_run_info=last)


def runs(dag: Any, made: datetime, count: int, last: Any = None) -> list[Any]:
    """The runs that the scheduler makes of a DAG first seen at a moment, each a second late."""
    found: list[Any] = []
    now = made
    while len(found) < count and (info := asked(dag, now, last)) is not None:
        if info.run_after > now:
            # A parse just before does not change it, however long there was nothing to do.
            again = asked(dag, max(now, info.run_after - timedelta(seconds=1)), last)
            assert again == info
        found.append(info)
        now, last = max(now, info.run_after) + timedelta(seconds=1), info
    return found


def ticks(found: list[Any]) -> list[datetime]:
    assert all(info.logical_date == info.run_after for info in found)
    return [info.run_after.astimezone(UTC) for info in found]


# What is drawn.


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    return st.one_of(
        number.map(str),
        st.builds("{},{}".format, number, number),
        st.builds(lambda a, b: f"{min(a, b)}-{max(a, b)}" if a != b else str(a), number, number),
    )


_crons = st.one_of(
    st.builds("{} * * * *".format, st.one_of(_field(0, 59), st.integers(2, 59).map("*/{}".format))),
    st.builds(
        "{} {} {} {} {}".format,
        _field(0, 59),
        st.one_of(_field(0, 22), st.integers(2, 12).map("*/{}".format)),
        st.one_of(st.just("*"), _field(1, 28), st.just("L")),
        st.one_of(st.just("*"), st.just("*"), _field(1, 12), st.just("feb-may")),
        st.one_of(st.just("*"), _field(0, 6), st.just("mon-fri")),
    ),
)
_clock_times = st.lists(
    st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)), min_size=1, max_size=6
)
_timings = st.one_of(
    st.sampled_from([*map(str, Interval)]).map(lambda word: {"interval": word}),
    _crons.map(lambda cron: {"cron": cron}),
    st.fixed_dictionaries(
        {"times": _clock_times},
        optional={"weekdays": st.lists(st.sampled_from([*map(str, Weekday)]), min_size=1, max_size=4)},
    ),
)
_moments = st.one_of(
    st.builds(
        lambda day, seconds: datetime.combine(day, time.min, UTC) + timedelta(seconds=seconds),
        st.sampled_from(CHANGES),
        st.integers(-2 * 86_400, 2 * 86_400),
    ),
    st.datetimes(datetime(2021, 1, 1), datetime(2030, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    ),
)


@st.composite
def made_schedules(draw: st.DrawFn) -> Made:
    """The words of an entry, and the moment at which it is made."""
    made = draw(_moments)
    words = {"networks": ["admitad"], "date_range": "yesterday", **draw(_timings)}
    # Every hour of the day, in elapsed time, where the clock moves by half an hour: see timing.py.
    fixed = words.get("interval") not in _ELAPSED and words.get("cron", "").split()[1:2] != ["*"]
    words["timezone"] = draw(st.sampled_from([*ZONES, "Australia/Lord_Howe"] if fixed else ZONES))
    near = st.integers(-40, 40).map(lambda days: made.date() + days * _DAY)
    if draw(st.booleans()):
        words["start_date"] = draw(near)
        words["catchup"] = draw(st.booleans())
    if draw(st.booleans()):
        words["end_date"] = draw(near)
    assume("end_date" not in words or words.get("start_date", date.min) <= words["end_date"])
    # Of one that was over before it was made, Airflow may still make up for a tick of its last day.
    assume("start_date" not in words or words.get("end_date", date.max) > made.date() + _DAY)
    starts = datetime.combine(words.get("start_date", made), time.min, tz.gettz(words["timezone"]))
    assume(is_calm(made, words["timezone"]) and is_calm(starts, words["timezone"]))
    words = {word: value.isoformat() if isinstance(value, date) else value for word, value in words.items()}
    return words | ({"active": False} if draw(st.integers(0, 9)) == 0 else {}), made


def is_calm(moment: datetime, zone: str) -> bool:
    """Whether no clock changes within two hours: a schedule made just then may miss a tick of that night."""
    near = (moment + timedelta(hours=hours) for hours in (-2, 0, 2))
    return len({time.astimezone(tz.gettz(zone)).utcoffset() for time in near}) == 1


def schedule(words: dict[str, Any]) -> Schedule:
    return Schedule.from_dict({"networks": ["admitad"], "date_range": "yesterday", **words, "key": "any"})


# The proofs.


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schedules)
def test_any_schedule_becomes_a_dag_that_comes_back_from_airflows_database(drawn: Schedule) -> None:
    dag = stored(drawn)
    assert (dag.dag_id, dag.dag_display_name) == (f"sync__{drawn.key}", drawn.name)
    syncs = {f"{ref.group_id}.sync" for ref in drawn.networks}
    assert set(dag.task_dict) == {"open_run", "close_run", *syncs}
    assert dag.catchup is drawn.catchup
    assert DagSerialization.to_dict(build_dag(drawn)) == DagSerialization.to_dict(build_dag(drawn))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made_schedules())
@example(({"times": ["02:30"], "timezone": "Europe/Berlin"}, datetime(2026, 3, 28, 12, tzinfo=UTC)))
@example(({"times": ["02:30"], "timezone": "Europe/Berlin"}, datetime(2026, 10, 24, 12, tzinfo=UTC)))
@example(({"interval": "1h", "timezone": "Europe/Berlin"}, datetime(2026, 10, 24, 23, tzinfo=UTC)))
@example(({"interval": "1d", "timezone": "Africa/Cairo"}, datetime(2026, 4, 23, 12, tzinfo=UTC)))
@example(({"cron": "0 0 L * *", "timezone": "Asia/Kathmandu"}, datetime(2024, 2, 1, tzinfo=UTC)))
@example(({"cron": "* 21-23 * * *", "timezone": "Pacific/Easter"}, datetime(2026, 9, 5, 12, tzinfo=UTC)))
@example(({"cron": "*/20 0-2 * * *", "timezone": "Europe/Berlin"}, datetime(2026, 10, 24, 12, tzinfo=UTC)))
@example(({"interval": "1d", "timezone": "UTC"}, datetime(2026, 1, 1, 0, 3, tzinfo=UTC)))
def test_its_next_five_runs_are_those_of_the_almanac(made: Made) -> None:
    words, moment = made
    found = runs(stored(schedule(words)), moment, 5)
    assert ticks(found) == expected(words, moment, 5)


@settings(max_examples=40, deadline=None)
@given(moment=_moments, name=st.sampled_from([*DateRange]), zone=st.sampled_from(ZONES))
def test_each_run_reads_the_days_that_its_own_tick_sees(moment: datetime, name: DateRange, zone: str) -> None:
    words = {"interval": "12h", "timezone": zone, "date_range": str(name)}
    if name is DateRange.CUSTOM:
        words |= {"from": "2026-01-01", "to": "2026-01-31"}
    made = schedule(words)
    for info in runs(stored(made), moment, 5):
        today = info.logical_date.astimezone(tz.gettz(zone)).date()
        first = today + relativedelta(day=1)
        days = {
            "today": (today, today),
            "yesterday": (today - _DAY, today - _DAY),
            "last_7_days": (today - 6 * _DAY, today),
            "last_30_days": (today - 29 * _DAY, today),
            "current_month": (first, today),
            "previous_month": (first + relativedelta(months=-1), first - _DAY),
            "custom": (date(2026, 1, 1), date(2026, 1, 31)),
        }
        resolved = made.days(info.logical_date)
        assert (resolved.first, resolved.last) == days[name]


@pytest.mark.parametrize(
    ("timing", "on_spring_day", "on_autumn_day"),
    [
        ({"interval": "10m"}, 138, 150),
        ({"interval": "30m"}, 46, 50),
        ({"interval": "1h"}, 23, 25),
        ({"interval": "2h"}, 12, 12),
        ({"interval": "6h"}, 4, 4),
        ({"interval": "12h"}, 2, 2),
        ({"interval": "1d"}, 1, 1),
        ({"times": ["02:30"]}, 1, 1),
        ({"times": ["02:30", "03:30"]}, 1, 2),
        ({"times": ["01:59", "02:00", "02:59", "03:00"], "weekdays": ["sun"]}, 2, 4),
        ({"times": ["02:30"], "weekdays": ["mon"]}, 0, 0),
        ({"cron": "15,45 2 * * *"}, 1, 2),
        ({"cron": "*/10 0-2 * * *"}, 13, 18),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)], ids=["spring", "autumn"]
)
def test_on_the_days_when_clocks_change_it_runs_this_often_and_reads_the_day_before(
    timing: dict[str, Any], on_spring_day: int, on_autumn_day: int, day: date, hours: int
) -> None:
    made = schedule({**timing, "timezone": "Europe/Berlin"})
    midnight = datetime.combine(day, time.min, tz.gettz("Europe/Berlin")).astimezone(UTC)
    found = runs(stored(made), midnight - timedelta(seconds=1), 160)
    of_the_day = [info for info in found if info.run_after < midnight + timedelta(hours=hours)]
    assert len(of_the_day) == (on_spring_day if hours == 23 else on_autumn_day)
    assert {str(made.days(info.logical_date)) for info in of_the_day} <= {f"{day - _DAY}..{day - _DAY}"}
    assert len(set(ticks(of_the_day))) == len(of_the_day)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    before=_timings,
    after=_timings,
    zone=st.sampled_from(ZONES),
    made=_moments,
    away=st.integers(0, 45 * 86_400).map(lambda seconds: timedelta(seconds=seconds)),
)
@example(
    before={"interval": "1d"},
    after={"interval": "10m"},
    zone="Europe/Berlin",
    made=datetime(2026, 3, 1, 23, tzinfo=UTC),
    away=timedelta(days=31),
)
@example(  # It comes back in the very second of a tick.
    before={"interval": "10m"},
    after={"cron": "1 * * * *"},
    zone="UTC",
    made=datetime(2026, 3, 29, tzinfo=UTC),
    away=timedelta(hours=4, seconds=59),
)
def test_neither_a_changed_interval_nor_a_long_pause_makes_more_than_one_run_at_once(
    before: dict[str, Any], after: dict[str, Any], zone: str, made: datetime, away: timedelta
) -> None:
    """The scheduler makes up for the one tick that came last, as a person would expect of a late start."""
    (last,) = runs(stored(schedule({**before, "timezone": zone})), made, 1)
    back = datetime.fromtimestamp(last.run_after.timestamp(), UTC) + timedelta(seconds=1) + away
    assume(is_calm(made, zone) and is_calm(back, zone))
    for timing in (before, after):
        words = {**timing, "timezone": zone}
        found = ticks(runs(stored(schedule(words)), back, 4, last))
        at_once = [tick for tick in found if tick <= back]
        assert len(at_once) <= 1
        later = back + timedelta(seconds=1)
        assert found[len(at_once) :] == expected(words, later, 4 - len(at_once), is_new=False)
        assert all(tick > last.run_after for tick in found)


def test_a_schedule_with_catchup_makes_up_for_every_tick_since_its_first_day() -> None:
    words = {"interval": "1d", "timezone": "Asia/Dubai", "start_date": "2026-02-26", "catchup": True}
    found = ticks(runs(stored(schedule(words)), datetime(2026, 3, 2, 12, tzinfo=UTC), 6))
    assert [f"{tick.astimezone(tz.gettz('Asia/Dubai')):%d %H:%M}" for tick in found] == [
        "26 00:00", "27 00:00", "28 00:00", "01 00:00", "02 00:00", "03 00:00",
    ]  # fmt: skip
