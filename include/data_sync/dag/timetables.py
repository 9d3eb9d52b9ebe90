"""A schedule's timing as an Airflow timetable: always with its zone, never as a cron string.

Airflow's own form of the timetables is made, not the one of ``airflow.sdk``: of the latter Airflow would
make its own while it serializes each DAG, and describe its ticks in words again and again. That is a quarter
of what a DAG's serialization takes, and what it stores is the same.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.timetables.trigger import CronTriggerTimetable, MultipleCronTriggerTimetable

if TYPE_CHECKING:
    from data_sync.schedules.timing import When


@cache
def timetable_of(when: When) -> Any:
    """Return the timetable for a description of ticks; schedules of the same ticks share it.

    A schedule's first run is its next tick. Where the tick before lies less than a tenth of the time between
    two of them back (at least 5 minutes), Airflow 3.3 runs that one, whatever ``run_immediately`` says: no
    parse between a tick and its run loses the run.
    """
    if len(when.crons) == 1:
        return CronTriggerTimetable(when.crons[0], timezone=when.zone, run_immediately=False)
    return MultipleCronTriggerTimetable(*when.crons, timezone=when.zone, run_immediately=False)
