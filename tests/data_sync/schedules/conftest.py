"""Airflow's own timetables, to compare ours with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from data_sync.schedules.timing import When


@pytest.fixture(scope="session")
def airflow_ticks(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[When, datetime, int], list[datetime]]:
    """The ticks that Airflow's scheduler goes through after a moment, one run after the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        from airflow.timetables.base import DataInterval, TimeRestriction
        from airflow.timetables.trigger import CronTriggerTimetable, MultipleCronTriggerTimetable
    import pendulum

    everything = TimeRestriction(earliest=None, latest=None, catchup=True)

    def timetable(when: When) -> Any:
        if len(when.crons) == 1:
            return CronTriggerTimetable(when.crons[0], timezone=when.zone, run_immediately=False)
        return MultipleCronTriggerTimetable(*when.crons, timezone=when.zone, run_immediately=False)

    def ticks(when: When, after: datetime, count: int) -> list[datetime]:
        table = timetable(when)
        table.validate()
        found: list[datetime] = []
        moment = pendulum.instance(after)
        for _ in range(count):
            info = table.next_dagrun_info(
                last_automated_data_interval=DataInterval.exact(moment), restriction=everything
            )
            moment = info.logical_date
            found.append(moment)
        return found

    return ticks
