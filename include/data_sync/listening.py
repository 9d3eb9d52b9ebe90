"""Learning at once that running syncs have written something: Postgres's LISTEN, on its own connection.

LISTEN belongs to one server process, so it needs a connection that leads straight to it. Behind a pooler it
would be taken and nothing would ever come: a pooler shows by naming another server process than the one that
answers. Then, and whenever messages do not come, nobody listens for a while, and whoever waits asks by the
clock instead.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import psycopg

from data_sync.database import Database, connect, connection_id

log = logging.getLogger(__name__)

#: What triggers on logs and steps send, once per transaction.
CHANNEL = "data_sync_progress"
#: The value of ``[data_sync] listen_conn_id`` that means: never listen.
NEVER = "none"

#: How often it is tried whether messages still come, and how long one may take, in seconds.
_PROBE_EVERY, _PROBE_TAKES = 15.0, 2.0
#: For how long messages are sent to somebody who was lost.
_LEASE = timedelta(seconds=45)
#: When listening has begun, somebody must ask by the clock for so many seconds still: what was being written
#: then sends no message.
_OVERLAP = 3.0
#: After a failure, nobody listens for so many seconds.
_PAUSE = 30.0
_PATIENCE = {"connect_timeout": 2, "tcp_user_timeout": 5_000}


def listen_connection_id() -> str:
    """Return the Airflow connection to listen on: ``[data_sync] listen_conn_id``, else our usual one."""
    from airflow.sdk.configuration import conf

    return str(conf.get("data_sync", "listen_conn_id", fallback="")).strip() or connection_id()


class NotListeningError(Exception):
    """Raised when messages would not come over a connection."""


class Listener:
    """Calls back whenever something was written, from a thread of its own.

    :param db: over which it tries whether messages come.
    :param heard: called for each message, and when messages do not come any more.
    """

    def __init__(self, db: Callable[[], Database], heard: Callable[[], None]) -> None:
        self._db = db
        self._heard = heard
        self._stopped = threading.Event()
        self._holder = uuid.uuid4().hex
        self._since: float | None = None
        self._thread = threading.Thread(target=self._run, name="data_sync listener", daemon=True)

    @property
    def is_listening(self) -> bool:
        """Whether messages come; while they do not, somebody must ask by the clock."""
        since = self._since
        return since is not None and time.monotonic() - since > _OVERLAP

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; what is heard meanwhile is of no importance."""
        self._stopped.set()

    def _run(self) -> None:
        if listen_connection_id() == NEVER:
            return
        while not self._stopped.is_set():
            try:
                with _open() as connection:
                    self._listen(connection)
            except Exception as error:
                # Whatever it is, also a secrets backend that is away: it may pass.
                log.warning("Live events are asked for by the clock for %g s: %s", _PAUSE, error)
            finally:
                was_listening, self._since = self._since is not None, None
                if was_listening:
                    # What was written meanwhile has sent no message.
                    self._heard()
            self._stopped.wait(_PAUSE)

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        while not self._stopped.is_set():
            self._probe(connection)
            self._since = self._since or time.monotonic()
            until = time.monotonic() + _PROBE_EVERY
            while not self._stopped.is_set() and time.monotonic() < until:
                # In short turns, so that it ends soon when nobody watches any more.
                for _ in connection.notifies(timeout=1.0, stop_after=1):
                    self._heard()
        connection.execute("DELETE FROM data_sync.event_listeners WHERE holder = %s", [self._holder])

    def _probe(self, connection: psycopg.Connection[Any]) -> None:
        """Ask for messages, send one and wait for it.

        :raises NotListeningError: when it does not come.
        """
        word = uuid.uuid4().hex
        with self._db().transaction() as cursor:
            cursor.execute(
                """
                WITH lost AS (DELETE FROM data_sync.event_listeners
                              WHERE until < clock_timestamp() AND holder <> %(holder)s)
                INSERT INTO data_sync.event_listeners VALUES (%(holder)s, clock_timestamp() + %(lease)s)
                ON CONFLICT (holder) DO UPDATE SET until = excluded.until
                """,
                {"holder": self._holder, "lease": _LEASE},
            )
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, word])
        until = time.monotonic() + _PROBE_TAKES
        while (left := until - time.monotonic()) > 0:
            for message in connection.notifies(timeout=left, stop_after=1):
                if message.payload == word:
                    return
                self._heard()
        raise NotListeningError(f"messages of Postgres do not come within {_PROBE_TAKES:g} s")


def _open(patience: Mapping[str, int] = _PATIENCE) -> psycopg.Connection[Any]:
    """Open a connection that leads straight to the server.

    :raises NotListeningError: when a pooler stands in between.
    """
    connection = connect(patience, listen_connection_id())
    try:
        connection.autocommit = True
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        if row is None or row[0] != connection.info.backend_pid:
            raise NotListeningError(
                "a pooler stands before Postgres; name a connection that leads straight to it in [data_sync] "
                "listen_conn_id"
            )
    except BaseException:
        connection.close()
        raise
    return connection
