"""Everybody watches running syncs while they ask other things: how long after its commit a change arrives."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import httpx
import psycopg

#: Between two changes, in seconds: as often as a unit stores a batch.
_APART = 1.0

_RUNNING = """
SELECT s.log_id, s.unit_index, s.pages FROM data_sync.sync_log_steps s
JOIN data_sync.sync_logs l ON l.id = s.log_id
WHERE s.status = 'processing' AND l.status = 'processing' ORDER BY s.id DESC LIMIT 1
"""


@dataclass
class Changes:
    """What was changed and when that was committed.

    :param pages: of the step, after each change.
    :param committed: moments of :func:`time.perf_counter`.
    """

    log: int
    unit: int
    pages: list[int] = field(default_factory=list)
    committed: list[float] = field(default_factory=list)


@contextmanager
def changing(address: str) -> Iterator[Changes]:
    """Let a running unit store a page once a second, as its task does.

    :param address: of our database.
    """
    ended = threading.Event()
    with psycopg.connect(address, autocommit=True) as connection:
        row = connection.execute(_RUNNING).fetchone()
        if row is None:
            raise RuntimeError("no log of the stock is running")
        changes, first = Changes(row[0], row[1]), row[2]

        def change() -> None:
            while not ended.wait(_APART):
                changes.pages.append(first + len(changes.pages) + 1)
                connection.execute(
                    "UPDATE data_sync.sync_log_steps SET pages = %s, rows_read = rows_read + 500 "
                    "WHERE log_id = %s AND unit_index = %s",
                    [changes.pages[-1], changes.log, changes.unit],
                )
                changes.committed.append(time.perf_counter())

        thread = threading.Thread(target=change)
        thread.start()
        try:
            yield changes
        finally:
            ended.set()
            thread.join()


@dataclass
class Watcher:
    """Somebody who holds a stream of events open.

    :param seen: how many pages of the step that changes were told, in order, and when.
    :param refused: why there is no stream, if there is none.
    """

    token: str
    seen: list[tuple[int, float]] = field(default_factory=list)
    refused: str = ""

    async def watch(self, http: httpx.AsyncClient, changes: Changes) -> None:
        """Read events until this is cancelled or the server ends the stream."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with http.stream("GET", "/events", headers=headers, timeout=None) as answer:
            if answer.status_code != 200:
                self.refused = str(answer.status_code)
                return
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    self._note(json.loads(line[6:]), changes)

    def _note(self, told: Mapping[str, object], changes: Changes) -> None:
        if (told.get("log_id"), told.get("unit_index")) == (changes.log, changes.unit):
            self.seen.append((int(str(told["pages"])), time.perf_counter()))

    def latencies(self, changes: Changes) -> list[float]:
        """Return how many seconds after its commit each change was told; an event may tell several at once.

        The last change may have come too late to be waited for, and does not count.
        """
        if not self.seen:
            return []
        pages = [page for page, _ in self.seen]
        found = []
        for page, committed in list(zip(changes.pages, changes.committed, strict=False))[:-1]:
            at = bisect_left(pages, page)
            arrived = self.seen[at][1] if at < len(pages) else float("inf")
            if page > pages[0]:
                found.append(max(0.0, arrived - committed))
        return found


@asynccontextmanager
async def watching(
    http: httpx.AsyncClient, tokens: Mapping[str, str], changes: Changes
) -> AsyncIterator[list[Watcher]]:
    """Have everybody watch for as long as the block goes on."""
    watchers = [Watcher(token) for token in tokens.values()]
    tasks = [asyncio.create_task(watcher.watch(http, changes)) for watcher in watchers]
    try:
        yield watchers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
