"""A schedule's timing as an Airflow timetable: always with its zone, never as a cron string."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import CronTriggerTimetable, MultipleCronTriggerTimetable

if TYPE_CHECKING:
    from data_sync.schedules.timing import When

#: How old a tick may be to be made up for when a schedule is new: not at all. Airflow (3.3.2,
#: ``CronTriggerTimetable._calc_first_run``) takes ``False`` for a tenth of the time between two ticks.
_NOT_AT_ONCE = timedelta(microseconds=1)


def timetable_of(when: When) -> Any:
    """Return the timetable for a description of ticks; the first run waits for the first tick."""
    if len(when.crons) == 1:
        return CronTriggerTimetable(when.crons[0], timezone=when.zone, run_immediately=_NOT_AT_ONCE)
    return MultipleCronTriggerTimetable(*when.crons, timezone=when.zone, run_immediately=_NOT_AT_ONCE)
