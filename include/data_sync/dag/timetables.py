"""A schedule's timing as an Airflow timetable: always with its zone, never as a cron string."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import CronTriggerTimetable, MultipleCronTriggerTimetable

if TYPE_CHECKING:
    from data_sync.schedules.timing import When

#: A new schedule waits for its next tick. ``False`` would not do: Airflow 3.3 then still runs the tick before
#: now, where that is no longer ago than a tenth of the time between two ticks (``_calc_first_run``).
_NOT_AT_ONCE = timedelta(microseconds=1)


def timetable_of(when: When) -> Any:
    """Return the timetable for a description of ticks; the first run waits for the first tick."""
    if len(when.crons) == 1:
        return CronTriggerTimetable(when.crons[0], timezone=when.zone, run_immediately=_NOT_AT_ONCE)
    return MultipleCronTriggerTimetable(*when.crons, timezone=when.zone, run_immediately=_NOT_AT_ONCE)
