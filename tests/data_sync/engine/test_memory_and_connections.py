"""However much is read: memory stays flat, and no connection is held while the network is waited for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import msgspec

from data_sync.database import Database
from data_sync.runs.opening import open_run
from network_clients.facts import Order
from network_clients.interface import Slice
from network_clients.records import Kind, Page
from tests.data_sync.engine.scripted import ScriptedClient, action, actions, sent
from tests.data_sync.kit import claim, connect, counts, eventually, make_request, reader_of, step_row

PAGES, SIZE = 100, 1000
#: All rows together would be ten times as much.
MOST_GROWTH = 40 * 2**20


class Endless(ScriptedClient):
    """Makes each page when it is asked for, so that only the reader could use up memory."""

    resident: list[int]

    def pages(self, kind: Kind, part: Slice, cursor: Mapping[str, object] | None = None) -> Iterator[Page]:
        self.resident = []
        for number in range(PAGES):
            self.resident.append(resident())
            numbers = range(number * SIZE, (number + 1) * SIZE)
            made = [msgspec.Raw(sent(action(n, order_id="x" * 3000))) for n in numbers]
            reading = self.readers[kind].tell_apart(made)
            last = number == PAGES - 1
            yield Page(
                records=tuple(reading.records),
                cursor=None if last else {"page": number + 1},
                counted=SIZE,
                total=PAGES * SIZE,
            )


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def read_endlessly() -> list[int]:
    """Read all pages; return how much memory was in use before each."""
    db = Database()
    open_run(db, make_request("r1"))
    step = claim(db, "r1")
    client = Endless([], order=Order.APPEND_STABLE)
    reader_of(db, step, client).run()
    assert counts(step_row(db, step.id)) == {"read": PAGES * SIZE, "inserted": PAGES * SIZE}
    db.close()
    return client.resident


def test_memory_stays_flat_over_a_hundred_thousand_rows(database: str) -> None:
    # In a new process, as a task is one: what other tests left behind would move these figures.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        used = fresh.submit(read_endlessly).result()
    assert max(used) - used[10] < MOST_GROWTH


def connections(database: str) -> int:
    """How many connections others hold to the test's database, as Postgres sees it."""
    with connect(database) as outside:
        row = outside.execute(
            "SELECT count(*) AS n FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        ).fetchone()
    assert row is not None
    return int(row["n"])


def test_a_read_holds_one_connection_and_none_while_the_network_takes_its_time(
    db: Database, database: str
) -> None:
    seen: list[int] = []

    def slow(number: int) -> None:
        seen.append(connections(database))
        if number == 1:
            eventually(lambda: connections(database) == 0, seconds=8)

    open_run(db, make_request("r1"))
    step = claim(db, "r1")
    reader_of(db, step, ScriptedClient(actions(*range(10)), before=slow)).run()
    assert counts(step_row(db, step.id)) == {"read": 10, "inserted": 10}
    assert max(seen) == 1


def test_a_connection_that_is_used_stays_open_and_one_that_is_not_is_closed(database: str) -> None:
    db = Database(idle_seconds=0.2)
    for _ in range(5):
        with db.transaction() as cursor:
            cursor.execute("SELECT pg_sleep(0.3)")
    db.clock()
    assert connections(database) == 1
    eventually(lambda: connections(database) == 0)
    started = time.monotonic()
    db.clock()
    assert time.monotonic() - started < 30
    db.close()
    eventually(lambda: connections(database) == 0)
