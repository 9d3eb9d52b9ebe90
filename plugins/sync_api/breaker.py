"""Our database as the api-server opens it: few connections, no endless wait, and a breaker when it is away.

Routes run in threads that Airflow's own routes do not share. A request that gets no connection within
``FIRST_WAIT`` or no first answer within ``FIRST_ANSWER`` is refused, by itself; while the database is seen to
answer, it waits for ``BUSY_WAIT``. A statement without any answer is cut off: no thread stays behind.

When answers are late, one thread asks over a connection of its own. Only when that gets no answer either is
the breaker open: all that is under way is cut and requests are refused at once, until the database is back.
"""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

import anyio
import psycopg
from anyio.to_thread import run_sync
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from data_sync.database import Cursor, Database, connect
from data_sync.errors import DatabaseError
from data_sync.schema import require_current_schema
from sync_api.cutting import Cut, Watch
from sync_api.turns import Turns

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Connections per api-server process, at most.
POOL = 8
#: How long a request waits for a connection, until it has its first answer, and until it is asked whether the
#: database is away, in seconds: its caller is to learn that within one.
FIRST_WAIT, FIRST_ANSWER, _DOUBT_AFTER = 0.5, 0.85, 0.25
#: How long it waits while others are answered, and for how long an answer shows that the database is there.
BUSY_WAIT, _RECENT = 3.0, 0.85
#: How long the statements of one request may take together, in seconds: what the server is told, and when the
#: connection is cut because even the server's refusal did not come.
LONGEST, _CUT_AFTER = 8.0, 10.0
#: A connection that has been idle for longer is asked whether it still lives, and must say so in time.
_FRESH, _ALIVE_WITHIN = 1.0, 0.3
#: How often it is thought over whether to wait on for a connection, in seconds.
_ASK_POOL = 0.1
#: How long a probe's statement may take, and how far apart probes are while the breaker is open, in seconds.
_PROBE_TAKES, _PROBE_EVERY = 2.0, 1.0
_PATIENCE = {"connect_timeout": 2, "tcp_user_timeout": 5_000}

#: Threads of ours for who asks, and as many for their work.
THREADS = 16
#: While answers are late, so many may wait for one: threads are left to refuse the others at once.
_MOST_TRYING = THREADS - 2

_AWAY = "The database data_sync does not answer. An admin must start it or mend its Airflow connection."
_BUSY = "The api-server has more requests than it can take now. Try again in a moment."
SLOW = "The database data_sync takes too long to answer. Try again in a moment."


class DatabaseBusyError(DatabaseError):
    """Raised when a request cannot be taken now, and the next one may be: all connections are taken."""


class DatabaseSlowError(DatabaseBusyError):
    """Raised when the database has not answered one request in time."""


class OurDatabase(Database):
    """Shared by the requests of one process; tests pass what makes a connection."""

    def __init__(self, opener: Callable[[], psycopg.Connection[Any]] | None = None) -> None:
        self._opener = opener or functools.partial(connect, patience=_PATIENCE)
        self._away: str | None = None
        self._checked = False
        self._answered_at = -math.inf
        self._is_slow = self._is_asking = False
        self._trying = 0
        self._guard = threading.Lock()
        self._watch = Watch()
        self._turns = Turns(POOL, 4 * POOL)
        self._pool = self._new_pool()

    @contextmanager
    def transaction(self, *, first: bool = False) -> Iterator[Cursor]:
        """Run a block in one transaction: committed at its end, rolled back when it raises.

        :param first: whether a request learns by this whether the database is there at all.
        :raises DatabaseError: at once while the database is away.
        """
        now = time.monotonic()
        began = _asked_at.get(now) if first else now
        for_turn = functools.partial(self._has_patience, began, FIRST_WAIT)
        for_answer = functools.partial(self._has_patience, began, FIRST_ANSWER)
        with self._admitted(first, began), self._turn(for_turn):
            connection = self._take(for_turn)
            patience = (FIRST_ANSWER - FIRST_WAIT, for_answer) if first else (_CUT_AFTER,)
            try:
                with (
                    self._watch.cut_after(connection, *patience) as cut,
                    self._judging(connection, cut, first),
                ):
                    self._require_schema(connection)
                    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
                        if not first:
                            cursor.execute(f"SET LOCAL statement_timeout = {int(LONGEST * 1000)}")
                            self._answered_at = time.monotonic()
                        yield cursor
                self._note_answer()
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
                connection = database._opener()
                database._answered_at = time.monotonic()
                return connection

        return ConnectionPool(
            connection_class=Ours, min_size=0, max_size=POOL, timeout=_ASK_POOL, check=self._check,
            max_idle=30.0, reconnect_timeout=2.0, num_workers=2, open=False,
        )  # fmt: skip

    @contextmanager
    def _admitted(self, first: bool, began: float) -> Iterator[None]:
        """Refuse at once while the database is away, and while answers are late and many wait for one."""
        has_waited = time.monotonic() - began > FIRST_WAIT
        with self._guard:
            if self._away is not None:
                raise DatabaseError(self._away)
            if first and self._is_slow and (has_waited or self._trying >= _MOST_TRYING):
                raise DatabaseSlowError(SLOW)
            self._trying += first
        try:
            yield
        finally:
            with self._guard:
                self._trying -= first

    @contextmanager
    def _turn(self, has_patience: Callable[[], bool]) -> Iterator[None]:
        if not self._turns.take(has_patience):
            raise DatabaseBusyError(_BUSY) if self._answers_now() else self._late()
        try:
            yield
        finally:
            self._turns.give_back()

    def _take(self, has_patience: Callable[[], bool]) -> psycopg.Connection[Any]:
        self._pool.open()
        while True:
            try:
                connection: psycopg.Connection[Any] = self._pool.getconn()
                return connection
            except PoolTimeout:
                if not has_patience():
                    raise self._late() from None

    @contextmanager
    def _judging(self, connection: psycopg.Connection[Any], cut: Cut, first: bool) -> Iterator[None]:
        """Tell a connection that was cut or lost from a statement that failed."""
        try:
            yield
        except psycopg.OperationalError as error:
            if cut.is_done:
                raise self._late() from error
            if connection.closed:
                self._doubt()
                if first:
                    raise DatabaseSlowError(SLOW) from error
            raise

    def _check(self, connection: Any) -> None:
        if time.monotonic() - getattr(connection, "last_used", 0.0) > _FRESH:
            with self._watch.cut_after(connection, _ALIVE_WITHIN):
                ConnectionPool.check_connection(connection)
                self._answered_at = time.monotonic()

    def _require_schema(self, connection: psycopg.Connection[Any]) -> None:
        """Refuse tables of another revision, once per process and after each return of the database."""
        if self._checked:
            return
        try:
            require_current_schema(_Borrowed(connection))
        except DatabaseError as error:
            raise self._open_breaker(error) from error
        self._checked = True

    def _answers_now(self) -> bool:
        return time.monotonic() - self._answered_at < _RECENT

    def _note_answer(self) -> None:
        self._answered_at, self._is_slow = time.monotonic(), False

    def _has_patience(self, began: float, usual: float) -> bool:
        """Tell whether a request that began then waits on; in doubt, have the database asked."""
        if self._away is not None:
            return False
        waited = time.monotonic() - began
        # Before the last answer is too long ago to show anything.
        if min(waited, time.monotonic() - self._answered_at) > _DOUBT_AFTER:
            self._doubt()
        return waited < (BUSY_WAIT if self._answers_now() else usual)

    def _late(self) -> DatabaseError:
        self._is_slow = True
        self._doubt()
        return DatabaseSlowError(SLOW) if self._away is None else DatabaseError(self._away)

    def _doubt(self) -> None:
        """Have one thread ask over a connection of its own whether the database is there."""
        with self._guard:
            if self._away is not None or self._is_asking:
                return
            self._is_asking = True
        threading.Thread(target=self._ask, name="data_sync doubt", daemon=True).start()

    def _ask(self) -> None:
        began = time.monotonic()
        try:
            self._probe()
            self._answered_at = time.monotonic()
        except Exception as error:
            # One that is refused while others are answered says nothing about the database.
            if self._answered_at < began:
                self._open_breaker(error)
        finally:
            self._is_asking = False

    def _probe(self) -> None:
        with self._opener() as connection, self._watch.cut_after(connection, _PROBE_TAKES):
            require_current_schema(_Borrowed(connection))

    def _open_breaker(self, error: Exception) -> DatabaseError:
        """Refuse requests from now on, and have one thread ask when that is over."""
        reason = _reason(error)
        with self._guard:
            if self._away is not None:
                return DatabaseError(self._away)
            self._away, self._checked = reason, False
        log.error("Requests under /sync are refused: %s (%s)", reason, error)
        self._watch.cut_all()
        threading.Thread(target=self._wait_for_return, name="data_sync breaker", daemon=True).start()
        return DatabaseError(reason)

    def _wait_for_return(self) -> None:
        while True:
            time.sleep(_PROBE_EVERY)
            try:
                self._probe()
            except Exception as error:
                # Whatever it is, also a secrets backend that is away: it may pass.
                self._away = _reason(error)
                continue
            self._pool.drain()
            self._note_answer()
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


#: When it was asked for what runs in this thread: it may have waited for the thread.
_asked_at: ContextVar[float] = ContextVar("_asked_at")
_threads: dict[str, anyio.CapacityLimiter] = {}


def _limiter(name: str, size: int) -> anyio.CapacityLimiter:
    with suppress(KeyError):
        return _threads[name]
    return _threads.setdefault(name, anyio.CapacityLimiter(size))


async def in_thread(function: Callable[..., T], *arguments: Any, of: str = "work") -> T:
    """Run something that blocks in a thread of ours.

    :param of: which threads: ``door`` for who asks and whether they may, so that those never wait for work.
    """
    _asked_at.set(time.monotonic())
    return await run_sync(functools.partial(function, *arguments), limiter=_limiter(of, THREADS))
