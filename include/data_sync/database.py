"""The database ``data_sync``: how it is opened, and the one connection that a task may hold.

Every statement runs in a transaction of its own block; nothing relies on session state, so that a
transaction-mode pooler may stand in between. The database's clock is the only clock of the product.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from data_sync.errors import DatabaseError

Row = dict[str, Any]
Cursor = psycopg.Cursor[Row]

#: How long a server may take to answer a new connection (seconds), and to confirm what was sent to it
#: (milliseconds), unless the Airflow connection's extra says otherwise: one that hangs must not hold a task.
_PATIENCE = {"connect_timeout": 10, "tcp_user_timeout": 60_000}

#: What psycopg files under ``InternalError`` and is trouble that may pass: a server that has become a standby
#: (read-only), and a transaction that the server has given up because it took too long.
_LOST = frozenset({"25006", "25P03", "25P04"})

#: A connection is closed when nobody used it for this long (seconds): law 16 allows 5.
IDLE_SECONDS = 4.0


def connection_id() -> str:
    """Return the id of the Airflow connection of our database: ``[data_sync] conn_id``."""
    from airflow.sdk.configuration import conf

    return str(conf.get("data_sync", "conn_id", fallback="data_sync"))


def connect(patience: Mapping[str, int] = _PATIENCE, conn_id: str | None = None) -> psycopg.Connection[Any]:
    """Open the database through the Postgres provider's hook.

    :param patience: time-outs, as the connection's extra has them, for what that leaves open.
    :param conn_id: another Airflow connection than the usual one.
    :raises DatabaseError: when the Airflow connection is missing or the server does not answer.
    """
    from airflow.providers.postgres.hooks.postgres import PostgresHook
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    conn_id = conn_id or connection_id()
    try:
        found = BaseHook.get_connection(conn_id)
        found.extra = json.dumps({**patience, **found.extra_dejson})
        hook = PostgresHook(postgres_conn_id=conn_id, connection=found)
        connection: psycopg.Connection[Any] = hook.get_conn()
    except AirflowNotFoundException as error:
        raise DatabaseError(
            f"The Airflow connection {conn_id!r} is not visible here. Set AIRFLOW_CONN_{conn_id.upper()} "
            "to a postgresql:// address, or name another connection in [data_sync] conn_id."
        ) from error
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise DatabaseError(
            f"The database behind the Airflow connection {conn_id!r} does not answer ({reason}). "
            "Start it, or mend the connection."
        ) from error
    # A transaction-mode pooler may hand the next transaction to another server process, which does
    # not know this one's prepared statements.
    connection.prepare_threshold = None
    return connection


class Database:
    """At most one open connection, closed by itself when it is not used for a few seconds.

    :param opener: makes a connection; tests pass their own.
    :param idle_seconds: how long an unused connection stays open.
    """

    def __init__(
        self,
        opener: Callable[[], psycopg.Connection[Any]] = connect,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._opener = opener
        self._idle_seconds = idle_seconds
        self._connection: psycopg.Connection[Any] | None = None
        self._lock = threading.RLock()
        self._used_at = 0.0
        self._closed = threading.Event()

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Run a block in one transaction: committed at its end, rolled back when it raises.

        :raises DatabaseError: when the server does not answer, or not any more.
        """
        with self._lock:
            connection = self._open()
            try:
                with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
                    yield cursor
            except psycopg.OperationalError:
                self.close()
                raise
            except psycopg.InternalError as error:
                # Without a code, the answers did not fit the questions: a pooler that lost its server while
                # it was idle sends that news first (pgbouncer 1.18, seen).
                if error.sqlstate is not None and error.sqlstate not in _LOST:
                    raise
                self.close()
                raise DatabaseError(
                    f"The connection to the database was lost ({error}). The next try opens a new one."
                ) from error
            finally:
                self._used_at = time.monotonic()

    def clock(self) -> datetime:
        """Return the database's time, now."""
        with self.transaction() as cursor:
            return now(cursor)

    def close(self) -> None:
        """Close the connection, if one is open."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
                self._closed.set()

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._closed.set()
            self._connection, self._closed = self._opener(), threading.Event()
            watch = (self._connection, self._closed)
            threading.Thread(target=self._close_when_idle, args=watch, daemon=True).start()
        return self._connection

    def _close_when_idle(self, connection: psycopg.Connection[Any], closed: threading.Event) -> None:
        """Watch over one connection until it is closed; a thread of its own, started with it."""
        left = self._idle_seconds
        while not closed.wait(left):
            with self._lock:
                left = self._used_at + self._idle_seconds - time.monotonic()
                if left <= 0 and self._connection is connection:
                    self.close()


def now(cursor: Cursor) -> datetime:
    """Return the database's wall-clock time, which moves on within a transaction."""
    row = cursor.execute("SELECT clock_timestamp() AS now").fetchone()
    found: datetime = one(row)["now"]
    return found


def one(row: Row | None) -> Row:
    """Return the row of a statement that always returns one.

    :raises DatabaseError: when there is none, which means that the tables were changed by hand.
    """
    if row is None:
        raise DatabaseError("A row that must exist is gone from the database data_sync.")
    return row


def storable(text: str) -> str:
    """Return text that Postgres can hold: NUL characters and halves of characters are written out."""
    whole = text.encode("utf-8", "backslashreplace").decode()
    return whole.replace("\x00", "\\x00")


def storable_all(texts: Sequence[str]) -> Sequence[str]:
    """Return texts that Postgres can hold, see :func:`storable`; mostly they are what they were."""
    whole = "".join(texts)
    return texts if whole.isascii() and "\x00" not in whole else [*map(storable, texts)]


class ServerClock:
    """The database's time, carried on between two looks at it by this process's monotonic clock.

    What :meth:`at` returns is never later than the database's time at that moment, and earlier by no more
    than the last look took.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._seen: tuple[datetime, float] | None = None

    def note(self, moment: datetime) -> tuple[datetime, float]:
        """Take a time over that the database has just told; return it with the process's own."""
        self._seen = (moment, time.monotonic())
        return self._seen

    def at(self, instant: float) -> datetime:
        """Return the database's time at an instant of :func:`time.monotonic`, which may lie in the past."""
        moment, noted = self._seen or self.note(self._db.clock())
        return moment + timedelta(seconds=instant - noted)
