"""A new schedule waits for its next tick: Airflow makes up for none that was before it."""

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


@pytest.mark.parametrize("timing", TIMINGS, ids=str)
@pytest.mark.parametrize(
    "late", [timedelta(seconds=1), timedelta(minutes=4), timedelta(hours=2, minutes=1)], ids=str
)
def test_a_new_schedule_waits_for_its_next_tick(timing: dict, late: timedelta) -> None:
    made = timetable_of(make_schedule(**timing).when)
    stored = decode_timetable(json.loads(json.dumps(encode_timetable(made))))
    moment = datetime(2026, 3, 10, 6, tzinfo=UTC) + late
    with time_machine.travel(moment, tick=False):
        first = stored.next_dagrun_info(
            last_automated_data_interval=None, restriction=TimeRestriction(None, None, catchup=False)
        )
    assert first is not None
    assert first.run_after > moment
