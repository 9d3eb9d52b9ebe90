"""Looking at every part, each apart from the others."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import psycopg

from data_sync import __version__
from data_sync.checkup import advice, options
from data_sync.dag import services as airflow
from data_sync.dag.connections import PoolUse, pool_use
from data_sync.dag.services import Metadata, OwnDag, Queue, Service, Workers
from data_sync.database import Database
from data_sync.errors import AirflowUnreachableError, DatabaseError
from data_sync.looking.installation import Tables, read_tables
from data_sync.schema import require_current_schema
from network_clients import registry

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Packages whose versions decide how the system behaves; those that are not installed are left out.
_PACKAGES = (
    "apache-airflow-providers-postgres",
    "apache-airflow-providers-celery",
    "apache-airflow-providers-cncf-kubernetes",
    "apache-airflow-providers-fab",
    "apache-airflow-providers-git",
    "fastapi",
    "psycopg",
    "pydantic",
    "sqlalchemy",
)


@dataclass(frozen=True)
class Versions:
    """What runs here.

    :param networks: by slug, the day on which the newest of its limits was looked up: its client is part of
        this package and has no version of its own.
    """

    data_sync: str
    airflow: str
    python: str
    packages: Mapping[str, str]
    networks: Mapping[str, str]


@dataclass(frozen=True)
class Report:
    """Everything that was found; a part that could not be read is ``None``.

    :param unreadable: why, by the part.
    :param checked_at: by the clock of this process.
    """

    checked_at: datetime
    executors: tuple[str, ...]
    versions: Versions
    services: list[Service] | None
    workers: Workers | None
    queue: Queue | None
    pools: Mapping[str, PoolUse] | None
    own_dags: list[OwnDag] | None
    import_errors: int | None
    airflow_database: Metadata | None
    tables: Tables | None
    unreadable: Mapping[str, str]
    advice: tuple[advice.Advice, ...] = field(default=())

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong that keeps syncs from running."""
        return not any(found.severity is advice.Severity.ERROR for found in self.advice)


def make_report(db: Database) -> Report:
    """Look at all parts and say what is wrong; whatever fails, this does not raise."""
    unreadable: dict[str, str] = {}

    def read(part: str, look: Callable[[], T]) -> T | None:
        try:
            return look()
        except Exception as error:
            unreadable[part] = _reason(part, error)
            return None

    report = Report(
        checked_at=datetime.now(UTC),
        executors=options.executors(),
        versions=_versions(),
        services=read("services", airflow.list_services),
        workers=read("workers", airflow.read_workers),
        queue=read("queue", airflow.read_queue),
        pools=read("pools", pool_use),
        own_dags=read("own_dags", airflow.list_own_dags),
        import_errors=read("import_errors", airflow.count_import_errors),
        airflow_database=read("airflow_database", airflow.read_metadata),
        tables=read("database", lambda: _tables(db)),
        unreadable=unreadable,
    )
    return advice.with_advice(report)


def _tables(db: Database) -> Tables:
    require_current_schema(db)
    with db.transaction() as cursor:
        return read_tables(cursor)


def _reason(part: str, error: Exception) -> str:
    """Say why, without the address that a driver's message names."""
    if isinstance(error, DatabaseError) and not isinstance(error.__cause__, psycopg.Error):
        return str(error)
    log.warning("The part %s of the report could not be read: %s", part, error)
    if isinstance(error, DatabaseError):
        return "The database data_sync does not answer. Start it, or mend its Airflow connection."
    if isinstance(error, AirflowUnreachableError):
        return "Airflow's metadata database cannot be reached from here."
    return f"It could not be read ({type(error).__name__}); the log says why."


def _versions() -> Versions:
    return Versions(
        data_sync=__version__,
        airflow=version("apache-airflow"),
        python=platform.python_version(),
        packages={name: found for name in _PACKAGES if (found := _installed(name)) is not None},
        networks={slug: _looked_up(slug) for slug in registry.all_networks()},
    )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _looked_up(slug: str) -> str:
    return max((limit.last_verified for limit in registry.facts_of(slug).limits), default="")
