"""A new schedule waits for its next tick, and does not lose the one that it was made for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import TimeRestriction

from data_sync.dag.timetables import timetable_of
from tests.data_sync.kit import make_schedule

TIMINGS = (
    {"interval": "10m"},
    {"interval": "1d"},
    {"times": ["06:00"]},
    {"times": ["06:00", "18:30"], "weekdays": ["mon", "tue", "wed"]},
    {"cron": "0 6 * * *"},
)


TICK = datetime(2026, 3, 10, 6, tzinfo=UTC)


def _first_run(timing: dict, moment: datetime) -> datetime:
    """Return when a schedule runs first that is parsed at this moment and has never run."""
    made = timetable_of(make_schedule(**timing).when)
    stored = decode_timetable(json.loads(json.dumps(encode_timetable(made))))
    with time_machine.travel(moment, tick=False):
        first = stored.next_dagrun_info(
            last_automated_data_interval=None, restriction=TimeRestriction(None, None, catchup=False)
        )
    assert first is not None
    return first.run_after


@pytest.mark.parametrize("timing", TIMINGS, ids=str)
@pytest.mark.parametrize(
    "late", [timedelta(seconds=61), timedelta(minutes=4), timedelta(hours=2, minutes=2)], ids=str
)
def test_a_new_schedule_waits_for_its_next_tick(timing: dict, late: timedelta) -> None:
    moment = TICK + late
    assert _first_run(timing, moment) > moment


@pytest.mark.parametrize("timing", [one for one in TIMINGS if one != {"interval": "1d"}], ids=str)
@pytest.mark.parametrize("late", [timedelta(milliseconds=1), timedelta(seconds=45)], ids=str)
def test_a_parse_between_the_first_tick_and_its_run_does_not_lose_it(timing: dict, late: timedelta) -> None:
    assert _first_run(timing, TICK + late) == TICK
