"""A schedule's timing as an Airflow timetable: always with its zone, never as a cron string.

Airflow's own form of the timetables is made, not the one of ``airflow.sdk``: of the latter Airflow would
make its own while it serializes each DAG, and describe its ticks in words again and again. That is a quarter
of what a DAG's serialization takes, and what it stores is the same.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.timetables.trigger import CronTriggerTimetable, MultipleCronTriggerTimetable

if TYPE_CHECKING:
    from data_sync.schedules.timing import When

#: How old a tick may be to be the first one of a schedule that never ran. Airflow (3.3.2,
#: ``CronTriggerTimetable._calc_first_run``) takes ``False`` for a tenth of the time between two ticks. No
#: time at all would lose the first run whenever a parse falls between its tick and the moment in which the
#: scheduler makes it: each parse works out anew what comes next. Less than a minute holds one tick at most.
FIRST_TICK_GRACE = timedelta(seconds=59)


@cache
def timetable_of(when: When) -> Any:
    """Return the timetable for a description of ticks; schedules of the same ticks share it.

    A schedule's first run is its next tick, or the one that passed less than :data:`FIRST_TICK_GRACE` ago.
    """
    if len(when.crons) == 1:
        return CronTriggerTimetable(when.crons[0], timezone=when.zone, run_immediately=FIRST_TICK_GRACE)
    return MultipleCronTriggerTimetable(*when.crons, timezone=when.zone, run_immediately=FIRST_TICK_GRACE)
