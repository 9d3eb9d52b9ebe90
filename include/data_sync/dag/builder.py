"""The shape of a schedule's DAG: ``open_run``, one task group per account, ``close_run``.

A full parse builds the DAG from its definition. A worker builds only the skeleton that its one task
needs, from ids alone, so a task's start costs the same however many schedules there are (law 6).

Thousands of DAGs are built of the same three functions: what Airflow learns about a function by looking
at its signature and annotations is learned once per process, and each DAG gets its own operators of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import DAG, AssetAlias, TaskGroup, task

from data_sync.assets import ALIAS
from data_sync.dag import tasks
from data_sync.dag.names import CLOSE_RUN, OPEN_RUN, SYNC, dag_id_of
from data_sync.dag.retry import FIRST_DELAY, RETRIES, SyncRetryPolicy
from data_sync.dag.timetables import timetable_of
from data_sync.schedules.accounts import AccountRef

if TYPE_CHECKING:
    from data_sync.schedules.model import Schedule

#: Shown by Airflow as the owner of our DAGs.
OWNER = "data sync"
#: Ticks that come while a long run is going wait in ``open_run``; more than these never pile up.
MAX_ACTIVE_RUNS = 3
_OPEN_TIMEOUT = timedelta(minutes=10)
_SYNC_TIMEOUT = timedelta(hours=12)
_LABEL = "{{ task.op_kwargs['unit']['label'] }}"

#: A group that stands in for all of them where a worker parses for open_run or close_run: open_run
#: must see a mapped dependant, or Airflow does not record how many units there are.
_PLACEHOLDER = "network"


def build_dag(schedule: Schedule, also: Sequence[str] = ()) -> DAG:
    """Build the whole DAG of a schedule; the same definition gives the same DAG in every process."""
    with DAG(
        dag_id=dag_id_of(schedule.key),
        dag_display_name=schedule.name,
        description=f"{schedule.sync_type.value} of {', '.join(map(str, schedule.networks))}",
        doc_md=_doc(schedule),
        schedule=timetable_of(schedule.when) if schedule.active else None,
        # Without a start date the first run is the next tick; with one in the past, Airflow would also
        # run the tick before now.
        start_date=_at_midnight(schedule.start_date, schedule.timezone),
        end_date=_at_midnight(schedule.end_date, schedule.timezone, days=1),
        catchup=schedule.catchup,
        max_active_runs=MAX_ACTIVE_RUNS,
        is_paused_upon_creation=False,
        default_args={"owner": OWNER},
        tags=["data sync", *sorted({ref.network for ref in schedule.networks})],
    ) as dag:
        refs = [*schedule.networks, *map(AccountRef.parse, also)]
        _wire([(ref.group_id, ref.conn_id) for ref in refs])
    return dag


def build_skeleton(dag_id: str, task_id: str | None) -> DAG:
    """Build what a worker needs to run one task of a DAG, without its definition."""
    group, _, name = (task_id or "").rpartition(".")
    group = group if name == SYNC and group else _PLACEHOLDER
    with DAG(dag_id=dag_id, schedule=None) as dag:
        _wire([(group, tasks.account_of(group))])
    return dag


def _wire(groups: Sequence[tuple[str, str]]) -> None:
    units = open_run_task()
    close = close_run_task()
    made = [sync_group(group, account, units) for group, account in groups]
    # All groups at once: Airflow checks for each call that both ends are of one DAG, which takes long.
    units >> made
    made >> close


def open_run_task() -> Any:
    """Make the task whose result every sync task is mapped over."""
    return _open_run()()


def close_run_task() -> Any:
    """Make the task that settles the run: it runs after anything and never decides the run's state."""
    return _close_run()().as_teardown()


def sync_group(group: str, account: str, units: Any) -> TaskGroup:
    """Make the group of one account: its sync task, mapped over the run's units, in its network's pool."""
    with TaskGroup(group_id=group) as made:
        _sync(group, account).expand(unit=units)
    return made


@cache
def _open_run() -> Any:
    return task(
        task_id=OPEN_RUN,
        retries=RETRIES,
        retry_policy=SyncRetryPolicy(),
        retry_delay=FIRST_DELAY,
        execution_timeout=_OPEN_TIMEOUT,
    )(tasks.open_run)


@cache
def _close_run() -> Any:
    return task(
        task_id=CLOSE_RUN,
        retries=RETRIES,
        retry_delay=FIRST_DELAY,
        execution_timeout=_OPEN_TIMEOUT,
        outlets=[AssetAlias(ALIAS)],
    )(tasks.close_run)


@cache
def _sync(group: str, account: str) -> Any:
    made = task(
        task_id=SYNC,
        pool=f"network_{AccountRef.from_group_id(group).network}",
        retries=RETRIES,
        retry_policy=SyncRetryPolicy(),
        # Of a task whose process was killed: no error, so no policy, says when to go on.
        retry_delay=FIRST_DELAY,
        execution_timeout=_SYNC_TIMEOUT,
        map_index_template=_LABEL,
        do_xcom_push=False,
    )(tasks.sync)
    return made.partial(account=account)


def _at_midnight(day: Any, zone: str, *, days: int = 0) -> Any:
    """Return the start of a day in a zone; ``days=1`` makes the day itself the last one."""
    if day is None:
        return None
    return pendulum.datetime(day.year, day.month, day.day, tz=zone).add(days=days).subtract(microseconds=days)


def _doc(schedule: Schedule) -> str:
    limit = schedule.max_runs_per_day
    lines = [
        f"Syncs **{schedule.sync_type.value}** of **{', '.join(map(str, schedule.networks))}** "
        f"for **{schedule.date_range.value}**, in the zone {schedule.timezone}.",
        "Days are seen from the run's logical date, else from the time it was asked for.",
        f"At most {limit} runs a day." if limit else "",
        "" if schedule.active else "Inactive: it runs only when somebody starts it.",
        "Airflow's trigger form unpauses a paused DAG unless you untick it; "
        "`quick_sync` with this schedule's key runs it once and leaves it paused.",
    ]
    return "\n\n".join(line for line in lines if line)
