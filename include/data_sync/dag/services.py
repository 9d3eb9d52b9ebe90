"""How Airflow itself stands: its services, its queue, its database, and the DAGs that we cannot do without.

Works where Airflow's metadata database can be reached.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from data_sync.dag import reparse
from data_sync.dag.names import QUICK_SYNC, UPKEEP


class Health(StrEnum):
    """How a part of Airflow does."""

    HEALTHY = "healthy"
    """It says so itself, and has lately."""
    UNHEALTHY = "unhealthy"
    """It has stopped saying so."""
    ABSENT = "absent"
    """It has never been started."""
    UNKNOWN = "unknown"
    """Nothing tells."""


@dataclass(frozen=True)
class Service:
    """A kind of Airflow's processes.

    :param alive: how many of them are.
    :param heartbeat: the newest one of any of them.
    """

    name: str
    health: Health
    alive: int
    heartbeat: datetime | None


@dataclass(frozen=True)
class Queue:
    """Tasks of all DAGs, by what they wait for.

    :param scheduled: wait for a slot.
    :param queued: have a slot and wait for a worker.
    :param waiting: come back by themselves: deferred, rescheduled or up for another try.
    :param longest_queued_seconds: how long the first of those queued has waited.
    """

    scheduled: int
    queued: int
    running: int
    waiting: int
    longest_queued_seconds: float | None


@dataclass(frozen=True)
class Workers:
    """What tells whether workers work: the heartbeats of the tasks that they run.

    :param silent: running tasks that have not been heard of for longer than Airflow allows.
    """

    health: Health
    running: int
    silent: int
    heartbeat: datetime | None


class DagState(StrEnum):
    """Whether a DAG runs."""

    ACTIVE = "active"
    """It does."""
    PAUSED = "paused"
    """Somebody has turned it off."""
    MISSING = "missing"
    """Airflow has not built it."""


@dataclass(frozen=True)
class OwnDag:
    """A DAG that we need.

    :param last_run_at: when its newest run was due.
    """

    dag_id: str
    state: DagState
    last_run_at: datetime | None


@dataclass(frozen=True)
class Metadata:
    """Airflow's own database.

    :param revision: of its tables; ``None`` where they do not say.
    :param needed: by the Airflow that is installed here.
    """

    revision: str | None
    needed: str
    server_version: str


_SERVICES = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
_WAITING = ("deferred", "up_for_reschedule", "up_for_retry")


def list_services() -> list[Service]:
    """Return scheduler, dag-processor and triggerer, as each of them reports to Airflow's database."""
    with reparse.metadata() as session:
        return [_service(session, name, kind) for name, kind in _SERVICES.items()]


def _service(session: Any, name: str, kind: str) -> Service:
    from airflow.jobs.job import Job, JobState, most_recent_job
    from sqlalchemy import select

    newest = most_recent_job(kind, session=session)
    if newest is None:
        return Service(name, Health.ABSENT, 0, None)
    # One that was killed stays in the table as running.
    recent = select(Job).where(Job.job_type == kind, Job.state == JobState.RUNNING)
    alive = sum(
        job.is_alive() for job in session.scalars(recent.order_by(Job.latest_heartbeat.desc()).limit(50))
    )
    health = Health.HEALTHY if alive else Health.UNHEALTHY
    return Service(name, health, alive, newest.latest_heartbeat)


def read_queue() -> Queue:
    """Count the tasks that wait and run."""
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import func, select

    states = ("scheduled", "queued", "running", *_WAITING)
    with reparse.metadata() as session:
        found = session.execute(
            select(TaskInstance.state, func.count())
            .where(TaskInstance.state.in_(states))
            .group_by(TaskInstance.state)
        )
        counts = {str(state): int(count) for state, count in found}
        since = session.scalar(
            select(func.extract("epoch", func.now() - func.min(TaskInstance.queued_dttm))).where(
                TaskInstance.state == "queued"
            )
        )
    return Queue(
        counts.get("scheduled", 0),
        counts.get("queued", 0),
        counts.get("running", 0),
        sum(counts.get(state, 0) for state in _WAITING),
        None if since is None else max(0.0, round(float(since), 1)),
    )


def read_workers() -> Workers:
    """See by the running tasks how workers do; of workers that run none, Airflow's database knows nothing."""
    from airflow.configuration import conf
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import func, select, text

    patience = conf.getint("scheduler", "task_instance_heartbeat_timeout", fallback=300)
    heartbeat = TaskInstance.last_heartbeat_at
    silent = func.count().filter(heartbeat < func.now() - text(f"interval '{patience} seconds'"))
    with reparse.metadata() as session:
        running, silent_ones, newest = session.execute(
            select(func.count(), silent, func.max(heartbeat)).where(TaskInstance.state == "running")
        ).one()
    if not running:
        return Workers(Health.UNKNOWN, 0, 0, None)
    return Workers(Health.UNHEALTHY if silent_ones else Health.HEALTHY, running, silent_ones, newest)


def list_own_dags() -> list[OwnDag]:
    """Return ``data_sync_upkeep`` and ``quick_sync``."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from sqlalchemy import func, select

    with reparse.metadata() as session:
        known = session.execute(
            select(DagModel.dag_id, DagModel.is_paused, DagModel.is_stale).where(
                DagModel.dag_id.in_((UPKEEP, QUICK_SYNC))
            )
        )
        states = {row.dag_id: _state(row.is_paused, row.is_stale) for row in known}
        runs = select(DagRun.dag_id, func.max(DagRun.run_after)).where(
            DagRun.dag_id.in_((UPKEEP, QUICK_SYNC))
        )
        last = {dag_id: at for dag_id, at in session.execute(runs.group_by(DagRun.dag_id))}
    return [OwnDag(name, states.get(name, DagState.MISSING), last.get(name)) for name in (UPKEEP, QUICK_SYNC)]


def _state(is_paused: bool, is_stale: bool) -> DagState:
    if is_stale:
        return DagState.MISSING
    return DagState.PAUSED if is_paused else DagState.ACTIVE


def count_import_errors() -> int:
    """Count the DAG files that Airflow could not read, those of other people too."""
    from airflow.models.errors import ParseImportError
    from sqlalchemy import func, select

    with reparse.metadata() as session:
        return int(session.scalar(select(func.count()).select_from(ParseImportError)))


def read_metadata() -> Metadata:
    """Compare the revision of Airflow's tables with the one that the installed Airflow needs."""
    from sqlalchemy import text

    with reparse.metadata() as session:
        is_there = session.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
        revision = session.scalar(text("SELECT version_num FROM alembic_version")) if is_there else None
        version = str(session.scalar(text("SHOW server_version")))
    return Metadata(revision, _joined(_needed()), version)


@functools.cache
def _needed() -> tuple[str, ...]:
    """Read which revision ends the line of Airflow's migrations; takes a second, once per process."""
    import airflow
    from alembic.script import ScriptDirectory

    return tuple(ScriptDirectory(str(Path(airflow.__file__).parent / "migrations")).get_heads())


def _joined(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
