"""The database ``data_sync``: how it is opened, and the one connection that a task may hold.

Every statement runs in a transaction of its own block; nothing relies on session state, so that a
transaction-mode pooler may stand in between. The database's clock is the only clock of the product.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from data_sync.errors import DatabaseError

Row = dict[str, Any]
Cursor = psycopg.Cursor[Row]

#: How long a server may take to answer a new connection (seconds), and to confirm what was sent to it
#: (milliseconds), unless the Airflow connection's extra says otherwise: one that hangs must not hold a task.
_PATIENCE = {"connect_timeout": 10, "tcp_user_timeout": 60_000}

#: A connection is closed when nobody used it for this long (seconds): law 16 allows 5.
IDLE_SECONDS = 4.0


def connection_id() -> str:
    """Return the id of the Airflow connection of our database: ``[data_sync] conn_id``."""
    from airflow.sdk.configuration import conf

    return str(conf.get("data_sync", "conn_id", fallback="data_sync"))


def connect(patience: Mapping[str, int] = _PATIENCE) -> psycopg.Connection[Any]:
    """Open the database through the Postgres provider's hook.

    :param patience: time-outs, as the connection's extra has them, for what that leaves open.
    :raises DatabaseError: when the Airflow connection is missing or the server does not answer.
    """
    from airflow.providers.postgres.hooks.postgres import PostgresHook
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    conn_id = connection_id()
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
        self._timer: threading.Timer | None = None

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Run a block in one transaction: committed at its end, rolled back when it raises.

        :raises DatabaseError: when the server does not answer.
        """
        with self._lock:
            self._stop_timer()
            connection = self._connection
            if connection is None or connection.closed:
                connection = self._connection = self._opener()
            try:
                with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
                    yield cursor
            except psycopg.OperationalError:
                self.close()
                raise
            finally:
                self._start_timer()

    def clock(self) -> datetime:
        """Return the database's time, now."""
        with self.transaction() as cursor:
            return now(cursor)

    def close(self) -> None:
        """Close the connection, if one is open."""
        with self._lock:
            self._stop_timer()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _start_timer(self) -> None:
        if self._connection is not None:
            self._timer = threading.Timer(self._idle_seconds, self.close)
            self._timer.daemon = True
            self._timer.start()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


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
