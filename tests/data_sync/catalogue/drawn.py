"""Schedules of every kind, drawn for property tests; and short ways to write one down."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from data_sync.database import Database
from data_sync.schedules.fields import KEY_PATTERN
from data_sync.schedules.model import Schedule
from data_sync.schedules.words import DateRange, Interval, NotifyOn, SyncType, Weekday
from tests.data_sync.kit import rows


def schedule(key: str, **words: Any) -> Schedule:
    """A schedule of yesterday's rows; ``words`` change it."""
    base = {"networks": ["admitad"], "interval": "1d", "date_range": "yesterday"}
    return Schedule.from_dict({**base, **words, "key": key})


def revision(db: Database) -> int:
    """What tells everybody that the catalogue has changed."""
    found: int = rows(db, "SELECT revision FROM data_sync.catalogue_state")[0]["revision"]
    return found


#: Words that YAML 1.1 takes for something else than text, and what needs quotes.
_AWKWARD = [
    "null",
    "~",
    "no",
    "on",
    "1e3",
    "06:00",
    "2026-03-01",
    "<<",
    "=",
    "-",
    "# a",
    "a: b",
    "'",
    '"',
    "@x",
]
lines = st.one_of(
    st.sampled_from(_AWKWARD),
    st.text(min_size=1, max_size=40).filter(str.isprintable),
)
keys = st.one_of(st.from_regex(KEY_PATTERN, fullmatch=True), st.sampled_from(["null", "no", "123", "1e3"]))
days = st.dates(min_value=date(1900, 1, 1), max_value=date(2999, 12, 31)).map(date.isoformat)
_clock_times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
_timings = st.one_of(
    st.fixed_dictionaries({"interval": st.sampled_from([*map(str, Interval)])}),
    st.fixed_dictionaries({"cron": st.sampled_from(["0 6 * * *", "*/10 * * * *", "15 7 2 * 1-5"])}),
    st.fixed_dictionaries(
        {"times": st.lists(_clock_times, min_size=1, max_size=5)},
        optional={"weekdays": st.lists(st.sampled_from([*map(str, Weekday)]), max_size=3)},
    ),
)
_ranges = st.one_of(
    st.sampled_from([name for name in map(str, DateRange) if name != "custom"]).map(
        lambda name: {"date_range": name}
    ),
    st.lists(days, min_size=2, max_size=2)
    .map(sorted)
    .map(lambda both: {"date_range": "custom", "from": both[0], "to": both[1]}),
)
_accounts = st.sampled_from(["admitad", "admitad:shop2", "boostiny", "boostiny:2"])
_notifications = st.fixed_dictionaries(
    {
        "on": st.lists(st.sampled_from([*map(str, NotifyOn)]), min_size=1, max_size=3),
        "to": st.lists(st.sampled_from(["ops@example.com", "slack_ops", "123"]), min_size=1, max_size=3),
    }
)
_others = st.fixed_dictionaries(
    {"networks": st.lists(_accounts, min_size=1, max_size=4, unique=True)},
    optional={
        "name": lines,
        "sync_type": st.sampled_from([*map(str, SyncType)]),
        "timezone": st.sampled_from(["UTC", "Asia/Dubai", "America/Argentina/Buenos_Aires"]),
        "max_runs_per_day": st.integers(1, 1440),
        "backfills_count": st.booleans(),
        "maturity_sweep": st.booleans(),
        "active": st.booleans(),
        "visible_to": st.one_of(st.just("everyone"), st.lists(lines, max_size=3)),
        "start_date": st.just("2026-01-01"),
        "end_date": st.just("2026-12-31"),
        "notifications": st.lists(_notifications, max_size=2),
    },
)
definitions = st.builds(lambda *parts: parts[0] | parts[1] | parts[2], _timings, _ranges, _others)
schedules = st.builds(lambda key, words: Schedule.from_dict({**words, "key": key}), keys, definitions)
