"""The Postgres that everything is loaded into, set up as the demo's is, and what a load costs it."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import psycopg

from data_sync import migrate
from data_sync.local.postgres import EmbeddedPostgres

_TEMPLATE = "with_tables"

#: Whether Postgres tidies up within a load or after it would be chance: it does so between loads instead.
_SETTINGS = {"autovacuum": "off"}


@dataclass(frozen=True)
class Cost:
    """What a load cost the server.

    :param cpu: seconds of one core, of all its processes.
    :param wal: MB of write-ahead log.
    :param dead: row versions that were made obsolete, those of the catalogue included.
    """

    cpu: float
    wal: float
    dead: int


class Server:
    """A running server as it is by default (fsync on, 128 MB of shared buffers) but for autovacuum.

    :ivar folder: a folder that goes away with it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._postgres = EmbeddedPostgres(folder / "data", _SETTINGS)
        self._postgres.start(folder / "log", [_TEMPLATE])
        self._numbers = itertools.count(1)
        self._process = _postmaster(folder / "data")
        os.environ["AIRFLOW_CONN_DATA_SYNC"] = self._postgres.airflow_url(_TEMPLATE)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        migrate.migrate()

    def stop(self) -> None:
        """End it."""
        self._postgres.stop()

    @contextmanager
    def database(self, *, empty: bool = False) -> Iterator[Database]:
        """Make a database with our tables, or an empty one, and take it away afterwards."""
        name = f"load_{next(self._numbers)}"
        template = "template1" if empty else _TEMPLATE
        with psycopg.connect(self._postgres.url("postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            try:
                yield Database(self._postgres, name, self._process)
            finally:
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Database:
    """One database of the server."""

    def __init__(self, postgres: EmbeddedPostgres, name: str, process: psutil.Process) -> None:
        self.name = name
        self.airflow_url = postgres.airflow_url(name)
        #: For libraries that insist on a host and a password.
        self.plain_url = f"postgresql://postgres:none@localhost:5432/{name}?host={postgres.socket_folder}"
        self._url = postgres.url(name)
        self._process = process

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """Ask it."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def costs(self) -> Iterator[list[Cost]]:
        """Measure what a block costs; the one cost is in the list when it has ended.

        It begins with tables that are vacuumed and a checkpoint: nobody pays for what another has left.
        """
        found: list[Cost] = []
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")
        before = self._counts()
        yield found
        after = self._counts()
        cpu, wal, dead = (new - old for old, new in zip(before, after, strict=True))
        found.append(Cost(cpu, wal / 1e6, int(dead)))

    def _counts(self) -> tuple[float, float, float]:
        wal, dead = self.rows(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8, tup_updated + tup_deleted "
            "FROM pg_stat_database WHERE datname = current_database()"
        )[0]
        return server_cpu(self._process), wal, dead


@contextmanager
def running() -> Iterator[Server]:
    """Start a server, and end it; what is set in the environment meanwhile is as it was afterwards."""
    with patch.dict(os.environ), tempfile.TemporaryDirectory(prefix="data-sync-bench-") as name:
        os.environ["AIRFLOW_HOME"] = str(Path(name) / "airflow")
        server = Server(Path(name))
        try:
            yield server
        finally:
            server.stop()


def _postmaster(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))


def server_cpu(postmaster: psutil.Process) -> float:
    """Sum up the processor time of a server: those of its processes that have ended are counted by it.

    A process that ends meanwhile would be counted twice or not at all: then it is summed up again.
    """
    while True:
        living = postmaster.children()
        with contextlib.suppress(psutil.NoSuchProcess):
            total = sum(map(_used, living))
            times = postmaster.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
            if postmaster.children() == living:
                return total


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
