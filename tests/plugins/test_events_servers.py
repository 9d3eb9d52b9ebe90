"""Live events on real api-servers, which end in time, and through a pooler, behind which none can listen."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from data_sync.database import Database
from data_sync.local.postgres import EmbeddedPostgres
from tests.data_sync.kit import eventually
from tests.plugins.airflow_app import App
from tests.plugins.log_stock import stock_running_log
from tests.plugins.servers import api_servers
from tests.plugins.watching import Watcher, serving
from tests.torture.site import Pooler

pytestmark = [pytest.mark.prove, pytest.mark.timeout(900)]

#: How soon a server that is told to end ends its streams, in seconds; else it waits for two minutes.
_ENDS = 5


def read_on(db: Database, log: int) -> tuple[int, float]:
    """Let a log's unit store a page; return how many it has, and when that was committed."""
    with db.transaction() as cursor:
        row = cursor.execute(
            "UPDATE data_sync.sync_log_steps SET pages = pages + 1 WHERE log_id = %s RETURNING pages", [log]
        ).fetchone()
    assert row is not None
    return row["pages"], time.monotonic()


def require_soon(db: Database, log: int, *watchers: Watcher) -> list[float]:
    """Let something change a few times; return how long each watcher took to be told, in seconds."""
    late = []
    for _ in range(5):
        pages, committed = read_on(db, log)
        for watcher in watchers:
            watcher.until(lambda w=watcher, n=pages: w.named("step")[-1]["pages"] == n)
            late.append(watcher.events[-1].at - committed)
        time.sleep(0.3)
    assert max(late) < 1.0, late
    return late


@pytest.mark.airflow
def test_two_servers_tell_the_same_and_end_without_waiting_for_who_watches(
    stocked: App, db: Database, tmp_path: Path
) -> None:
    log = stock_running_log()
    with api_servers(2, tmp_path, {}) as addresses:
        watchers = [Watcher(address, stocked.tokens["anna"]).until_ready() for address in addresses]
        # Somebody listens for three seconds before that is relied on.
        time.sleep(4)
        late = require_soon(db, log, *watchers)
        print("seconds from commit to event, two servers:", sorted(round(seconds, 3) for seconds in late))
        told_to_end = time.monotonic()
    for watcher in watchers:
        watcher.until(lambda w=watcher: w.is_over)
        assert watcher.named("end")[-1]["code"] == "shutdown"
        assert watcher.events[-1].at - told_to_end < _ENDS


@pytest.fixture
def pooler(postgres: EmbeddedPostgres, folder: Path) -> Iterator[Pooler]:
    before = SimpleNamespace(socket_folder=postgres.socket_folder, user=postgres._initialised().system_user)
    found = Pooler(folder, before)  # type: ignore[arg-type]
    found.begin()
    yield found
    found.crash()


def test_behind_a_pooler_it_is_asked_by_the_clock_unless_a_way_around_it_is_named(
    stocked: App, db: Database, database: str, pooler: Pooler, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = os.environ["AIRFLOW_CONN_DATA_SYNC"]
    name = database.rsplit("/", 1)[1].split("?")[0]
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", pooler.url(name))
    stocked.forget_connections()
    stocked.ours.state.longest_stream = 300.0
    log = stock_running_log()
    with serving(stocked) as server:
        watcher = server.watch("anna").until_ready()
        time.sleep(4)
        assert not stocked.ours.state.events.is_listening
        print("through pgbouncer:", [round(seconds, 3) for seconds in require_soon(db, log, watcher)])
    monkeypatch.setenv("AIRFLOW_CONN_DIRECT", direct)
    monkeypatch.setenv("AIRFLOW__DATA_SYNC__LISTEN_CONN_ID", "direct")
    stocked.forget_connections()
    with serving(stocked) as server:
        watcher = server.watch("anna").until_ready()
        eventually(lambda: stocked.ours.state.events.is_listening, seconds=10)
        print("around it:", [round(seconds, 3) for seconds in require_soon(db, log, watcher)])
