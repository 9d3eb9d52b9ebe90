"""A schedule's timing as an Airflow timetable: always with its zone, never as a cron string."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import CronTriggerTimetable, MultipleCronTriggerTimetable

if TYPE_CHECKING:
    from data_sync.schedules.timing import When


def timetable_of(when: When) -> Any:
    """Return the timetable for a description of ticks; the first run waits for the first tick."""
    if len(when.crons) == 1:
        return CronTriggerTimetable(when.crons[0], timezone=when.zone, run_immediately=False)
    return MultipleCronTriggerTimetable(*when.crons, timezone=when.zone, run_immediately=False)
