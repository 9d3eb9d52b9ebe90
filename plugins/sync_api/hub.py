"""All streams of one api-server process: one connection that listens, one look per change, for all of them.

A thread waits until Postgres says that something was written, asks once what has changed for all who watch,
and hands it to the server's loop. At most four times a second; a look takes in all that was written since the
one before. While Postgres's messages do not come, it looks twice a second. It ends when nobody watches.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg

from data_sync.errors import DatabaseError
from data_sync.listening import Listener
from data_sync.looking import progress
from data_sync.looking.progress import Position, Progress
from data_sync.looking.viewer import Viewer
from sync_api.breaker import DatabaseBusyError, OurDatabase
from sync_api.networks import budget_of
from sync_api.problems import Problem
from sync_api.shapes.events import LogProgress, NoticedBy, StepProgress, StreamEndCode, StreamReady
from sync_api.streams import Burst, Key, Stream, block, ending

log = logging.getLogger(__name__)

#: Looks are at least so far apart, in seconds.
APART = 0.25
#: How long to wait for a message at most: while they come, and while they do not.
_LISTENING, _ASKING = 5.0, 0.5
#: How many new clients are told how everything is before the others hear what has changed.
_GREETED_AT_ONCE = 20
#: How long the thread stays when nobody watches.
_IDLE = 20.0
#: How often it is looked whether the server is to end, in seconds.
_SERVER_LOOKS = 0.5

#: Streams of one user, and of all, in one process.
MOST_PER_USER, MOST = 10, 1_000

_AWAY = "The database data_sync does not answer any more. Connect again in a moment."
_SHUTDOWN = "The api-server ends. Connect again."


class Hub:
    """Keeps the streams.

    :param database: the process's own access to our tables, as it is at the moment.
    """

    def __init__(self, database: Callable[[], OurDatabase]) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._joining: list[Stream] = []
        self._streams: list[Stream] = []
        self._thread: threading.Thread | None = None
        self._watch: asyncio.Task[None] | None = None
        self._position: Position | None = None
        self._is_closed = False
        #: Whether changes are noticed by messages of Postgres at the moment.
        self.is_listening = False

    def close(self) -> None:
        """End the thread soon."""
        self._is_closed = True
        self._woken.set()

    def join(self, stream: Stream) -> None:
        """Let a client watch; its first burst comes soon.

        :raises Problem: when this user, or this process, has too many streams.
        """
        with self._lock:
            everybody = [*self._streams, *self._joining]
            if sum(other.viewer.name == stream.viewer.name for other in everybody) >= MOST_PER_USER:
                raise Problem(
                    429, "too-many-streams",
                    f"You have {MOST_PER_USER} streams of events here already: close one of them first.",
                    headers={"Retry-After": "30"},
                )  # fmt: skip
            if len(everybody) >= MOST:
                raise Problem(503, "too-many-streams", "This api-server has too many streams of events.",
                              headers={"Retry-After": "30"})  # fmt: skip
            self._joining.append(stream)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="data_sync events", daemon=True)
                self._thread.start()
        self._woken.set()
        if self._watch is None or self._watch.done():
            self._watch = stream.loop.create_task(self._end_with_server())

    def leave(self, stream: Stream) -> None:
        """Forget a client that watches no more."""
        with self._lock:
            for those in (self._streams, self._joining):
                if stream in those:
                    those.remove(stream)

    @property
    def watching(self) -> int:
        """How many clients watch."""
        with self._lock:
            return len(self._streams) + len(self._joining)

    def _run(self) -> None:
        self._position = None
        listener = Listener(self._database, self._woken.set)
        listener.start()
        idle_since = looked_at = time.monotonic()
        while not self._ends(idle_since):
            self.is_listening = listener.is_listening
            self._woken.wait(_LISTENING if listener.is_listening else _ASKING)
            time.sleep(max(looked_at + APART - time.monotonic(), 0.0))
            self._woken.clear()
            looked_at = time.monotonic()
            if self.watching:
                idle_since = looked_at
                self._look()
        listener.stop()

    def _ends(self, idle_since: float) -> bool:
        with self._lock:
            is_idle = not self._streams and not self._joining and time.monotonic() - idle_since > _IDLE
            is_over = is_idle or self._is_closed
            if is_over:
                self._thread = None
            return is_over

    def _look(self) -> None:
        """Tell everybody what has changed, and those who are new how everything is."""
        with self._lock:
            streams = [*self._streams]
            joining, self._joining = self._joining[:_GREETED_AT_ONCE], self._joining[_GREETED_AT_ONCE:]
            self._streams += joining
            if self._joining:
                self._woken.set()
        try:
            self._tell(streams)
        except DatabaseBusyError as error:
            for stream in joining:
                self._on_loop(stream, stream.refuse, error)
            # What was to be told may have been the last change: look again, APART from now.
            self._woken.set()
            return
        except Exception as error:
            # Also a fault of ours must not leave clients before a silent stream.
            log.warning("Streams of events end: %s", error, exc_info=not _is_of_database(error))
            self._position = None
            for stream in (*streams, *joining):
                self._on_loop(stream, self._give_up, stream, error)
            return
        for stream in joining:
            # Who has given up waiting needs nothing any more.
            if not stream.started.done():
                self._greet_alone(stream)

    def _greet_alone(self, stream: Stream) -> None:
        """Tell a new client how everything is; what goes wrong with that is nobody else's concern."""
        try:
            self._greet(stream)
        except DatabaseBusyError as error:
            self._on_loop(stream, stream.refuse, error)
        except Exception as error:
            log.warning("A stream of events does not begin: %s", error, exc_info=not _is_of_database(error))
            self._on_loop(stream, self._give_up, stream, error)

    def _give_up(self, stream: Stream, error: Exception) -> None:
        stream.refuse(error)
        stream.end(ending(StreamEndCode.DATABASE_AWAY, _AWAY))

    def _tell(self, streams: Sequence[Stream]) -> None:
        viewers = list(dict.fromkeys(stream.viewer for stream in streams))
        with self._database().transaction() as cursor:
            found = progress.changes(cursor, viewers, self._position)
        self._position = found.position
        bursts = _bursts(found, viewers)
        for stream in streams:
            if (burst := bursts[stream.viewer]).blocks:
                self._on_loop(stream, stream.offer, burst)

    def _greet(self, stream: Stream) -> None:
        with self._database().transaction() as cursor:
            found = progress.begin(cursor, stream.viewer, stream.since)
        burst = _bursts(found, [stream.viewer])[stream.viewer]
        by = NoticedBy.LISTENING if self.is_listening else NoticedBy.ASKING
        ready = StreamReady(is_whole=found.is_whole, by=by)
        blocks = {**burst.blocks, ("ready", 0, 0): block("ready", ready)}
        self._on_loop(stream, stream.offer, Burst(blocks, burst.position))

    def _on_loop(self, stream: Stream, call: Callable[..., None], *arguments: Any) -> None:
        try:
            stream.loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            # The loop has ended, and the stream with it.
            self.leave(stream)

    async def _end_with_server(self) -> None:
        """End all streams when the server is told to end, which would else wait for them."""
        while self.watching:
            if _server_ends():
                with self._lock:
                    streams = [*self._streams, *self._joining]
                for stream in streams:
                    stream.end(ending(StreamEndCode.SHUTDOWN, _SHUTDOWN))
            await asyncio.sleep(_SERVER_LOOKS)


def _is_of_database(error: Exception) -> bool:
    return isinstance(error, DatabaseError | psycopg.Error)


def _server_ends() -> bool:
    """Tell whether uvicorn was told to end: what handles the signal is a method of its server."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return bool(getattr(server, "should_exit", False))


def _bursts(found: Progress, viewers: Sequence[Viewer]) -> Mapping[Viewer, Burst]:
    """Write down each event once, and give it to those who see it."""
    blocks: list[dict[Key, str]] = [{} for _ in viewers]
    for row in found.logs:
        limits = [budget_of(budget) for budget in row["limits"]]
        text = block("log", LogProgress.model_validate({**row, "limits": limits}))
        for place in row["seen_by"]:
            blocks[place]["log", row["id"], 0] = text
    for row in found.steps:
        text = block("step", StepProgress.model_validate(row))
        for place in row["seen_by"]:
            blocks[place]["step", row["log_id"], row["unit_index"]] = text
    return {viewer: Burst(mine, found.position) for viewer, mine in zip(viewers, blocks, strict=True)}
