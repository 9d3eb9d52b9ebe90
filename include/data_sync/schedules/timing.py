"""When a schedule runs: a pure description as cron expressions in a zone, its checks and its preview.

The description is what Airflow's ``CronTriggerTimetable`` (one expression) or
``MultipleCronTriggerTimetable`` (several) take. :func:`next_runs` calculates the ticks without Airflow
and gives the same answers as Airflow 3.3.2, also around daylight saving (its ``timetables/_cron.py``):

- Clock times, and every expression that does not run in all 24 hours: each tick of the wall clock
  happens once. In the hour that comes twice it happens the second time; a tick in the hour that is
  left out moves on by the size of the jump (02:30 in Berlin runs at 03:30), unless another one runs
  between the jump and then.
- Expressions that run in every hour of the day keep their distance in elapsed time through the change,
  so the hour that comes twice has its ticks twice. Such an expression limited to some days (``*/10 * *
  * mon``) has its first tick after a change one hour off; Airflow does the same. ``times`` never does
  this.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, croniter

from data_sync.schedules.words import Interval, RefusedValueError, Weekday, choice, shown

_INTERVALS = {
    Interval.EVERY_10_MINUTES: "*/10 * * * *",
    Interval.EVERY_30_MINUTES: "*/30 * * * *",
    Interval.HOURLY: "0 * * * *",
    Interval.EVERY_2_HOURS: "0 */2 * * *",
    Interval.EVERY_6_HOURS: "0 */6 * * *",
    Interval.EVERY_12_HOURS: "0 */12 * * *",
    Interval.DAILY: "0 0 * * *",
}
#: The words that both Airflow and other crons know, as five fields.
_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
_CRON_HELP = (
    'write five fields (minute, hour, day of month, month, weekday) such as "30 6 * * *" for 06:30 every day'
)
#: Those that are left out or come twice somewhere (all zones of tzdata 2026, years 2024 to 2032): midnight in
#: Cairo and Havana, 22:00 on Easter Island, 03:00 in Athens.
_HOURS_OF_CHANGE = frozenset({21, 22, 23, 0, 1, 2, 3})
_FIELD_SIZES = (60, 24, 31, 12, 7)
_LONGEST_CRON = 200
#: Leap days and all weekdays of all dates lie within the years that croniter searches from here.
_PROBE = datetime(2024, 1, 1)
CLOCK_TIME_PATTERN = r"([01]?\d|2[0-3]):([0-5]\d)"
#: Names in some time zone databases whose meaning depends on the machine.
_MACHINE_ZONES = frozenset({"localtime", "Factory"})


@dataclass(frozen=True)
class When:
    """When a schedule runs: cron expressions, all in one IANA zone; none for what never runs by itself.

    Ticks that several expressions share happen once.
    """

    crons: tuple[str, ...]
    zone: str


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones()) - _MACHINE_ZONES


@cache
def _packaged_zone_names() -> frozenset[str]:
    """Return those of the package tzdata: all that matter, without opening every file of the system's."""
    return frozenset((files("tzdata") / "zones").read_text("utf-8").split()) - _MACHINE_ZONES


def check_zone(name: str) -> str:
    """Return an IANA zone's name as given, if it exists.

    :raises RefusedValueError: for a name that does not exist, offsets and wrong letter case included.
    """
    if name in _packaged_zone_names() or name in _zone_names():
        return name
    by_lower_case = {known.lower(): known for known in sorted(_zone_names())}
    near = by_lower_case.get(name.strip().lower().replace(" ", "_"))
    meant = f"write {near}" if near else choice(name, by_lower_case)
    if meant.startswith("write one of"):
        meant = "write an IANA name such as Europe/Berlin, Asia/Dubai or UTC"
    elif near is None:
        meant = f"write {by_lower_case[meant.removeprefix('write ')]}"
    raise RefusedValueError(f"there is no time zone {shown(name)}", meant)


@lru_cache(maxsize=4096)
def check_cron(expression: str) -> str:
    """Return a cron expression in its canonical form: five fields, single spaces.

    ``@hourly``, ``@daily``, ``@weekly``, ``@monthly``, ``@quarterly`` and ``@yearly`` become their five
    fields. What fires never, by seconds, at random or at start-up is refused.

    :raises RefusedValueError: for an expression that Airflow could not run as it is meant.
    """
    text = " ".join(_PRESETS.get(expression.strip().lower(), expression).split())
    fields = text.split(" ")
    if text.startswith("@"):
        raise RefusedValueError(f"{shown(text)} is not a time", _CRON_HELP)
    if len(fields) != 5:
        seconds = ", and seconds are not supported" if len(fields) in (6, 7) else ""
        raise RefusedValueError(f"{shown(text)} has {len(fields) if text else 0} fields{seconds}", _CRON_HELP)
    if len(text) > _LONGEST_CRON:
        raise RefusedValueError(f"the expression is longer than {_LONGEST_CRON} characters", _CRON_HELP)
    _check_fields(text, fields)
    try:
        croniter(text, _PROBE).get_next(datetime)
    except CroniterBadDateError:
        raise RefusedValueError(f"{shown(text)} never comes", "write a day that its months have") from None
    except (ValueError, KeyError, IndexError) as error:
        reason = str(error).replace(f"[{text}] ", "")
        raise RefusedValueError(f"{shown(text)} is not a cron expression ({reason})", _CRON_HELP) from None
    return text


def _check_fields(text: str, fields: list[str]) -> None:
    for part, size in zip(fields, _FIELD_SIZES, strict=True):
        if part[0] in "rRhH":
            raise RefusedValueError(f"{shown(text)} has a random or hashed part, {part}", "write a number")
        for step in re.findall(r"/(\d+)", part):
            if int(step) >= size:
                raise RefusedValueError(
                    f"the step in {part} is longer than its field", f"write a step below {size}, or no step"
                )
        if empty := re.search(r"(?<!\d)(\d+)-\1(?!\d)", part):
            # croniter, and so Airflow, would run it at every value (tried with croniter 7.0).
            raise RefusedValueError(f"{empty[0]} is a range of one", f"write {empty[1]}")


def check_clock_time(value: object) -> str:
    """Return a clock time as ``HH:MM``.

    :raises RefusedValueError: for anything but a text from ``0:00`` to ``23:59``.
    """
    match = re.fullmatch(CLOCK_TIME_PATTERN, value) if isinstance(value, str) else None
    if match is None:
        raise RefusedValueError(
            f"{shown(value)} is not a clock time", 'write hours and minutes from "00:00" to "23:59"'
        )
    return f"{int(match[1]):02}:{match[2]}"


def interval_crons(interval: Interval) -> tuple[str, ...]:
    """Describe an interval: ticks of the wall clock, counted from midnight."""
    return (_INTERVALS[interval],)


def cron_crons(cron: str) -> tuple[str, ...]:
    """Describe a cron expression: as it is, or by expressions of one minute each where clocks change.

    Airflow (3.3.2, ``CronMixin._align_to_prev``) looks back from the hour that is left out, or comes twice,
    to a tick that is yet to come. Of several ticks of one expression in that hour it forgets all but the
    last; of several expressions none.
    """
    named, hours = croniter(cron, _PROBE).expanded[:2]
    minutes = range(60) if named == ["*"] else named
    if len(minutes) == 1 or _HOURS_OF_CHANGE.isdisjoint(hours):
        return (cron,)
    rest = cron.split(" ", 1)[1]
    return tuple(f"{minute} {rest}" for minute in minutes)


def clock_crons(times: Iterable[str], weekdays: Iterable[Weekday] = ()) -> tuple[str, ...]:
    """Describe fixed clock times (``HH:MM``) on some weekdays; no weekday means every day.

    Hours with the same minute share an expression, minutes never do: see :func:`cron_crons`. Neither do all
    24 hours: an expression that runs in every hour is no fixed clock time for Airflow any more (see the
    module's text).
    """
    hours_of: defaultdict[int, set[int]] = defaultdict(set)
    for time in times:
        hour_word, minute_word = time.split(":")
        hours_of[int(minute_word)].add(int(hour_word))
    days = _day_field(weekdays)
    return tuple(
        f"{minute} {','.join(map(str, part))} * * {days}"
        for minute, hours in sorted(hours_of.items())
        for part in ((range(12), range(12, 24)) if len(hours) == 24 else (sorted(hours),))
    )


def _day_field(weekdays: Iterable[Weekday]) -> str:
    numbers = sorted({day.cron_number for day in weekdays})
    if len(numbers) in (0, 7):
        return "*"
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))


def next_runs(when: When, after: datetime, count: int) -> list[datetime]:
    """Return the ``count`` ticks that follow ``after`` (aware), in UTC; none where nothing ticks.

    In UTC, because Python calls two times of different zones unequal in an hour that comes twice.

    :raises ValueError: when ``after`` has no zone.
    """
    if after.utcoffset() is None:
        raise ValueError("next_runs needs an aware datetime")
    zone = ZoneInfo(when.zone)
    moment = after.astimezone(UTC)
    found = []
    for _ in range(count if when.crons else 0):
        moment = min(_next_tick(cron, moment, zone) for cron in when.crons)
        found.append(moment)
    return found


def _next_tick(cron: str, moment: datetime, zone: ZoneInfo) -> datetime:
    clock = moment.astimezone(zone).replace(tzinfo=None)
    ticks = croniter(cron, clock)
    tick: datetime = ticks.get_next(datetime)
    if ticks.expanded[1] == ["*"]:
        return moment + (tick - clock)
    return _second_instant(tick, zone)


def _second_instant(clock: datetime, zone: ZoneInfo) -> datetime:
    """Turn a reading of the wall clock into UTC: the later of two, and moved on by a jump that skips it."""
    offsets = [clock.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1)]
    return (clock - min(offsets)).replace(tzinfo=UTC)
