"""One client's stream of events: the newest state of everything that it has not been told yet.

A client that reads slowly finds fewer events, not a longer queue: a later state of a log or a unit takes the
place of an earlier one. All of this happens on the server's loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from data_sync.looking.progress import Position
from data_sync.looking.viewer import Viewer
from sync_api.shapes.base import Answer
from sync_api.shapes.events import StreamEnd, StreamEndCode

#: What an event is about: its kind, and which log and unit.
Key = tuple[str, int, int]

#: How many states may wait for a client; one that is further behind connects anew.
MOST_WAITING = 50_000


def block(event: str, data: Answer) -> str:
    """Return an event as it is sent, without the blank line that ends it."""
    return f"event: {event}\ndata: {data.model_dump_json()}\n"


def ending(code: StreamEndCode, detail: str) -> str:
    """Return the event that ends a stream."""
    return block("end", StreamEnd(code=code, detail=detail))


@dataclass(frozen=True)
class Burst:
    """What one look has found, for one client.

    :param blocks: events by what they are about, in their order.
    :param position: up to where this goes.
    """

    blocks: Mapping[Key, str]
    position: Position


class Stream:
    """A client that watches.

    :param since: what it was told before, if it was here before.
    :param seconds: how long it may watch.
    """

    def __init__(self, viewer: Viewer, since: Position | None, seconds: float) -> None:
        self.viewer = viewer
        self.since = since
        self.loop = asyncio.get_running_loop()
        #: Done with the first burst, or with the reason why there is none.
        self.started: asyncio.Future[None] = self.loop.create_future()
        self._until = time.monotonic() + seconds
        self._waiting: dict[Key, str] = {}
        self._position: Position | None = None
        self._last: str | None = None
        self._news = asyncio.Event()

    @property
    def seconds_left(self) -> float:
        """How long it may still watch."""
        return self._until - time.monotonic()

    def offer(self, burst: Burst) -> None:
        """Take what is new; what has not been sent yet gives way to it."""
        for key, text in burst.blocks.items():
            self._waiting.pop(key, None)
            self._waiting[key] = text
        self._position = burst.position
        if not self.started.done():
            self.started.set_result(None)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.clear()
            self._position = None
            self.end(
                ending(StreamEndCode.TOO_SLOW, "You read more slowly than things change: connect again.")
            )
        self._news.set()

    def end(self, last: str) -> None:
        """Send what is left and this, and no more."""
        self._last = self._last or last
        self._news.set()

    def refuse(self, error: Exception) -> None:
        """Begin with an error instead, or end with it when the stream has begun."""
        if not self.started.done():
            self.started.set_exception(error)

    async def next(self, seconds: float) -> tuple[str, bool]:
        """Wait for something to send.

        :param seconds: how long at most; then there is nothing.
        :return: events as they are sent, and whether they are the last ones.
        """
        if self.seconds_left <= 0:
            self.end(ending(StreamEndCode.TIME_OVER, "This stream has had its time: connect again."))
        try:
            await asyncio.wait_for(self._news.wait(), max(min(seconds, self.seconds_left), 0.001))
        except TimeoutError:
            return "", False
        self._news.clear()
        return self._take(), self._last is not None

    def _take(self) -> str:
        blocks, self._waiting = [*self._waiting.values()], {}
        if blocks and self._position is not None:
            # Only the last of them says how far this goes: a client that gets no further misses none of them.
            blocks[-1] = f"id: {self._position}\n{blocks[-1]}"
        if self._last is not None:
            blocks.append(self._last)
        return "".join(f"{text}\n" for text in blocks)
