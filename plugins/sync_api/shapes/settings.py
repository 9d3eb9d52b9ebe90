"""How the installation stands, and what is wrong with it."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from data_sync.checkup import Severity
from data_sync.dag.services import DagState, Health
from sync_api.shapes.base import Answer


class SettingsProblem(Answer):
    """Something that is wrong."""

    code: str = Field(description="A word for programs, stable over releases.")
    severity: Severity = Field(description="error: something does not run or is not safe. warning: it does.")
    message: str = Field(description="What is wrong.")
    fix: str = Field(description="What to do.")


class UnreadablePart(Answer):
    """A part of this answer that could not be found out."""

    part: str = Field(description="Its name in this answer.")
    reason: str


class Service(Answer):
    """A kind of Airflow's processes."""

    name: str
    health: Health
    alive: int = Field(description="How many of them report.")
    heartbeat: datetime | None = Field(description="The newest of any of them.")


class Workers(Answer):
    """What the running tasks tell about the workers."""

    health: Health = Field(
        description="healthy or unhealthy by the heartbeats of running tasks; unknown while none runs: "
        "Airflow's database does not know workers that have nothing to do."
    )
    note: str = Field(description="What that means with the executor that is set.")
    running: int = Field(description="Tasks that run.")
    silent: int = Field(description="Those that have not been heard of for longer than Airflow allows.")
    heartbeat: datetime | None = Field(description="The newest of any running task.")


class QueueDepth(Answer):
    """Tasks of all DAGs that wait and run."""

    scheduled: int = Field(description="They wait for a slot of a pool.")
    queued: int = Field(description="They wait for a worker.")
    running: int
    waiting: int = Field(description="They come back by themselves: deferred, rescheduled or tried again.")
    longest_queued_seconds: float | None = Field(description="How long the first of the queued ones waits.")


class NetworkPool(Answer):
    """The pool of a network: how many tasks may read it at once."""

    name: str
    network: str
    exists: bool = Field(description="Tasks of a missing pool wait for ever: run data-sync migrate.")
    slots: int | None = Field(description="-1: any number.")
    usual_slots: int = Field(description="What data-sync migrate gives it; a size that you change stays.")
    running: int
    queued: int
    scheduled: int


class OwnDagState(Answer):
    """A DAG that the system cannot do without."""

    dag_id: str
    state: DagState
    last_run_at: datetime | None = Field(description="When its newest run was due.")


class SyncDatabase(Answer):
    """The database data_sync."""

    revision: str
    needed_revision: str = Field(description="What this version of the code needs.")
    server_version: str
    clock: datetime = Field(description="Its time, by which everything is ordered.")
    schedules: int
    schedules_with_problems: int
    open_runs: int
    file_taken_over_at: datetime | None = Field(description="When schedules.yaml was last taken over.")


class AirflowDatabase(Answer):
    """Airflow's own database."""

    revision: str | None = Field(description="None where its tables do not say.")
    needed_revision: str = Field(description="What the installed Airflow needs.")
    server_version: str


class NetworkClientInfo(Answer):
    """The client of a network, which is part of data_sync and has its version."""

    network: str
    limits_verified: str = Field(description="The day on which the newest of its limits was looked up.")


class PackageVersion(Answer):
    """A package that is installed in the api-server."""

    name: str
    version: str


class InstalledVersions(Answer):
    """What the api-server runs."""

    data_sync: str
    airflow: str
    python: str
    packages: list[PackageVersion]
    networks: list[NetworkClientInfo]


class Settings(Answer):
    """The whole installation; what could not be found out is null, and named in unreadable."""

    checked_at: datetime
    is_sound: bool = Field(description="Whether no problem is an error.")
    problems: list[SettingsProblem] = Field(
        description="The worst first. Options are read in the api-server: other services may have others."
    )
    unreadable: list[UnreadablePart]
    executors: list[str]
    services: list[Service] | None
    workers: Workers | None
    queue: QueueDepth | None
    pools: list[NetworkPool] | None
    own_dags: list[OwnDagState] | None
    import_errors: int | None = Field(description="DAG files that Airflow could not read, all in all.")
    database: SyncDatabase | None
    airflow_database: AirflowDatabase | None
    versions: InstalledVersions
