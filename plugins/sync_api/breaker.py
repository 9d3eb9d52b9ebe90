"""Our database as the api-server opens it: few connections, no endless wait, and a breaker when it is away.

Routes run in threads that Airflow's own routes do not share. A request gets its connection within
``FIRST_WAIT`` and the first answer within ``FIRST_ANSWER``, or is refused; a statement that gets no answer at
all is cut off, so that no thread stays behind. After a failure the breaker is open: requests are refused at
once, while one thread asks every second whether the database is back.
"""

from __future__ import annotations

import functools
import inspect
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ParamSpec, TypeVar

import anyio
import psycopg
from anyio.to_thread import run_sync
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from data_sync.database import Cursor, Database, connect
from data_sync.errors import DatabaseError
from data_sync.schema import require_current_schema
from sync_api.cutting import Watch

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: Connections per api-server process, at most.
POOL = 8
#: How long a request waits for a connection, and until it has the first answer over it, in seconds: below the
#: second within which a caller learns that the database is away.
FIRST_WAIT, FIRST_ANSWER = 0.4, 0.85
#: How long the statements of one request may take together, in seconds: what the server is told, and when the
#: connection is cut because even the server's refusal did not come.
LONGEST, _CUT_AFTER = 8.0, 10.0
#: A connection that has been idle for longer is asked whether it still lives, in seconds.
_FRESH = 1.0
_PROBE_SECONDS = 1.0
_PATIENCE = {"connect_timeout": 2, "tcp_user_timeout": 5_000}

#: Threads of ours for who asks, and as many for their work.
THREADS = 16

_AWAY = "The database data_sync does not answer. An admin must start it or mend its Airflow connection."
_BUSY = "The api-server has more requests than it can take now. Try again in a moment."


class DatabaseBusyError(DatabaseError):
    """Raised when all connections of this process are taken."""


class OurDatabase(Database):
    """The database ``data_sync``, shared by the requests of one process.

    :param opener: makes a connection; tests pass their own.
    """

    def __init__(self, opener: Callable[[], psycopg.Connection[Any]] | None = None) -> None:
        self._opener = opener or functools.partial(connect, patience=_PATIENCE)
        self._away: str | None = None
        self._checked = False
        self._guard = threading.Lock()
        self._watch = Watch()
        self._pool = self._new_pool()

    @contextmanager
    def transaction(self, *, first: bool = False) -> Iterator[Cursor]:
        """Run a block in one transaction: committed at its end, rolled back when it raises.

        :param first: whether a request learns by this whether the database is there at all.
        :raises DatabaseError: at once while the database is away.
        """
        if self._away is not None:
            raise DatabaseError(self._away)
        began = time.monotonic()
        connection = self._take()
        # A busy database may use what the connection has left of the time.
        left = max(FIRST_ANSWER - FIRST_WAIT, FIRST_ANSWER - (time.monotonic() - began))
        try:
            with self._watch.cut_after(connection, left if first else _CUT_AFTER) as cut:
                try:
                    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
                        if not first:
                            cursor.execute(f"SET LOCAL statement_timeout = {int(LONGEST * 1000)}")
                        yield cursor
                except psycopg.OperationalError as error:
                    if first or cut.is_done:
                        raise self._open_breaker(error) from error
                    raise
        finally:
            connection.last_used = time.monotonic()  # type: ignore[attr-defined]
            self._pool.putconn(connection)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close(timeout=1)

    def _new_pool(self) -> ConnectionPool[Any]:
        database = self

        class Ours(psycopg.Connection[Any]):
            """Opened as everywhere else: through the Postgres provider's hook."""

            @classmethod
            def connect(cls, conninfo: str = "", **kwargs: Any) -> Any:
                return database._opener()

        return ConnectionPool(
            connection_class=Ours, min_size=0, max_size=POOL, max_waiting=4 * POOL, timeout=FIRST_WAIT,
            check=self._check, max_idle=30.0, reconnect_timeout=2.0, num_workers=2, open=False,
        )  # fmt: skip

    def _take(self) -> psycopg.Connection[Any]:
        try:
            self._pool.open()
            self._require_schema()
            connection: psycopg.Connection[Any] = self._pool.getconn()
            return connection
        except (PoolTimeout, TooManyRequests) as error:
            if self._pool.get_stats().get("pool_size", 0) >= POOL:
                raise DatabaseBusyError(_BUSY) from None
            raise self._open_breaker(error) from error

    def _check(self, connection: Any) -> None:
        if time.monotonic() - getattr(connection, "last_used", 0.0) > _FRESH:
            with self._watch.cut_after(connection, FIRST_WAIT):
                ConnectionPool.check_connection(connection)

    def _require_schema(self) -> None:
        """Refuse tables of another revision, once per process and after each return of the database."""
        if self._checked:
            return
        connection = self._pool.getconn()
        try:
            with self._watch.cut_after(connection, FIRST_WAIT):
                require_current_schema(_Borrowed(connection))
            self._checked = True
        except (DatabaseError, psycopg.OperationalError) as error:
            raise self._open_breaker(error) from error
        finally:
            self._pool.putconn(connection)

    def _open_breaker(self, error: Exception) -> DatabaseError:
        """Refuse requests from now on, and have one thread ask when that is over."""
        reason = _reason(error)
        with self._guard:
            if self._away is None:
                log.error("Requests under /sync are refused: %s (%s)", reason, error)
                self._away, self._checked = reason, False
                self._watch.cut_all()
                threading.Thread(target=self._probe, name="data_sync breaker", daemon=True).start()
        return DatabaseError(reason)

    def _probe(self) -> None:
        while True:
            time.sleep(_PROBE_SECONDS)
            try:
                with self._opener() as connection, self._watch.cut_after(connection, 2.0):
                    require_current_schema(_Borrowed(connection))
            except (DatabaseError, psycopg.Error) as error:
                self._away = _reason(error)
                continue
            self._pool.drain()
            self._away = None
            log.warning("The database data_sync is back: requests under /sync are answered again.")
            return


class _Borrowed(Database):
    """A connection that somebody else opens and closes."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        super().__init__(lambda: connection)

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        connection = self._opener()
        with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            yield cursor


def _reason(error: BaseException) -> str:
    """Say why, without the host, the user and the folder that a driver's message names."""
    told = isinstance(error, DatabaseError) and not isinstance(error.__cause__, psycopg.Error)
    return str(error) if told else _AWAY


_threads: dict[str, anyio.CapacityLimiter] = {}


def _limiter(name: str, size: int) -> anyio.CapacityLimiter:
    with suppress(KeyError):
        return _threads[name]
    return _threads.setdefault(name, anyio.CapacityLimiter(size))


async def in_thread(function: Callable[..., T], *arguments: Any, of: str = "work") -> T:
    """Run something that blocks in a thread of ours.

    :param of: which threads: ``door`` for who asks and whether they may, so that those never wait for work.
    """
    return await run_sync(functools.partial(function, *arguments), limiter=_limiter(of, THREADS))


def off_the_loop(endpoint: Callable[P, T]) -> Callable[..., Any]:
    """Make a route that blocks run in a thread of ours; one that is ``async`` stays as it is."""
    if inspect.iscoroutinefunction(endpoint):
        return endpoint

    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return await in_thread(functools.partial(endpoint, *args, **kwargs))

    run.__name__, run.__doc__, run.__module__ = endpoint.__name__, endpoint.__doc__, endpoint.__module__
    run.__signature__ = inspect.signature(endpoint, eval_str=True)  # type: ignore[attr-defined]
    return run
