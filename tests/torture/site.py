"""A Postgres that can be crashed, a pooler before it, and sandbox networks, all of the test's own."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import psycopg
import requests

from data_sync import migrate
from data_sync.local.postgres import EmbeddedPostgres
from sandbox_networks.settings import SandboxSettings

_TEMPLATE = "torture_template"
_NUMBERS = itertools.count(1)

#: The machine never loses power here, only Postgres dies: its files are safe in the system's cache, but what
#: it has confirmed must have left its memory.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "on", "log_lock_waits": "on"}

NO_POOLER = (
    "pgbouncer is not installed, so syncs through a transaction-mode pooler cannot be proved here. Install "
    "the Debian package pgbouncer: apt-get install pgbouncer"
)


class CrashingPostgres(EmbeddedPostgres):
    """An embedded Postgres that can be ended as a crash would."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "postgres", _SETTINGS)
        self.log = folder / "postgres.log"

    def begin(self) -> None:
        """Start it, after a crash too."""
        self.start(self.log)

    def crash(self) -> None:
        """End it in immediate mode: no transaction ends, nothing is written out."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    @property
    def user(self) -> str | None:
        """The system user that it runs as, where this process is root."""
        found: str | None = self._initialised().system_user
        return found


class Pooler:
    """Debian's pgbouncer in transaction mode, with few server connections, so that clients share them."""

    def __init__(self, folder: Path, postgres: CrashingPostgres) -> None:
        found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if found is None:
            raise RuntimeError(NO_POOLER)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._log = folder / "pgbouncer.log"
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            f"""[databases]
* = host={postgres.socket_folder} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 6
max_client_conn = 200
server_login_retry = 1
query_wait_timeout = 60
"""
        )
        folder.chmod(0o755)
        user = ["-u", postgres.user] if postgres.user else []
        self._command = [found, *user, str(settings)]
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"pgbouncer does not answer:\n{self._log.read_text()}") from None
                time.sleep(0.02)

    def crash(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def url(self, database: str) -> str:
        """Return the address of a database as an Airflow connection has it."""
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"


class Sandbox:
    """The sandbox networks in a process of their own, with a clock that stands where it is put."""

    def __init__(self, settings: SandboxSettings, folder: Path) -> None:
        file = folder / "sandbox.json"
        file.write_bytes(msgspec.json.encode(settings))
        command = [sys.executable, "-m", "sandbox_networks", "--port", "0", "--settings", str(file)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line
        self.url = found[0]
        assert settings.now is not None
        self.now: datetime = settings.now

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()

    def admin(self, path: str, body: Any = None, method: str = "POST") -> Any:
        """Ask the sandbox's admin path."""
        answer = requests.request(method, f"{self.url}/_admin{path}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def advance(self, seconds: int) -> datetime:
        """Move the clock on; return what it shows then."""
        self.now = datetime.fromisoformat(self.admin("/clock", {"advance_seconds": seconds})["now"])
        return self.now

    def state(self, network: str) -> dict[str, Any]:
        """Return what the sandbox has counted of a network's traffic."""
        found: dict[str, Any] = self.admin("/state", method="GET")["networks"][network]
        return found

    def totals(self, network: str, days: tuple[Any, Any]) -> dict[str, Any]:
        """Return the sandbox's own sums over some days."""
        path = f"/totals/{network}?from={days[0]}&to={days[1]}"
        found: dict[str, Any] = self.admin(path, method="GET")
        return found


@dataclass
class Site:
    """Everything that the rounds of one seed run on."""

    folder: Path
    postgres: CrashingPostgres
    pooler: Pooler | None
    sandbox: Sandbox
    database: str

    def connect(self) -> psycopg.Connection[dict[str, Any]]:
        """Open a connection of the test's own, past the pooler."""
        return psycopg.connect(
            self.postgres.url(self.database), autocommit=True, row_factory=psycopg.rows.dict_row
        )


@contextmanager
def servers(*, pooled: bool) -> Iterator[tuple[Path, CrashingPostgres, Pooler | None]]:
    """Start a Postgres with our tables in a template, and a pooler before it where one is wanted.

    :raises RuntimeError: where there is no pgbouncer on this machine; the message names the package.
    """
    with tempfile.TemporaryDirectory(prefix="data-sync-torture-") as name:
        folder = Path(name)
        postgres = CrashingPostgres(folder)
        pooler = Pooler(folder, postgres) if pooled else None
        postgres.begin()
        try:
            with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
                admin.execute(f"CREATE DATABASE {_TEMPLATE}")
            with mock.patch.dict(os.environ, AIRFLOW_CONN_DATA_SYNC=postgres.airflow_url(_TEMPLATE)):
                migrate.migrate()
            if pooler:
                pooler.begin()
            yield folder, postgres, pooler
        finally:
            if pooler:
                pooler.crash()
            postgres.stop()


@contextmanager
def site(
    folder: Path, postgres: CrashingPostgres, pooler: Pooler | None, settings: SandboxSettings
) -> Iterator[Site]:
    """Make a fresh database and a sandbox, and let tasks find them as Airflow connections."""
    database = f"torture_{next(_NUMBERS)}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {database} TEMPLATE {_TEMPLATE}")
    sandbox = Sandbox(settings, folder)
    try:
        with mock.patch.dict(
            os.environ,
            AIRFLOW_CONN_DATA_SYNC=pooler.url(database) if pooler else postgres.airflow_url(database),
            AIRFLOW_CONN_ADMITAD_DEFAULT=_connection(
                "admitad", f"{sandbox.url}/admitad", login="sandbox-admitad-id",
                password="sandbox-admitad-secret",
            ),
            AIRFLOW_CONN_BOOSTINY_DEFAULT=_connection(
                "boostiny", f"{sandbox.url}/boostiny", password="sandbox-boostiny-secret",
                extra={"pace_seconds": "0.001", "reread_months": "0"},
            ),
        ):  # fmt: skip
            yield Site(folder, postgres, pooler, sandbox, database)
    finally:
        sandbox.stop()


def _connection(network: str, host: str, **fields: Any) -> str:
    return json.dumps({"conn_type": f"affiliate_{network}", "host": host, **fields})
