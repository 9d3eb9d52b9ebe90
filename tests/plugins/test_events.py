"""Live events: what runs is told within a second of its commit, to whom it concerns, and none is missed."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import jwt
import psycopg
import pytest

from data_sync.database import Cursor, Database
from data_sync.errors import UnitCancelledError
from data_sync.looking import progress
from data_sync.looking.progress import Position
from data_sync.runs.opening import open_run
from data_sync.runs.request import RunKind
from data_sync.schedules.model import Schedule
from data_sync.schedules.planning import WorkUnit
from sync_api.breaker import POOL
from tests.data_sync.kit import (
    Child,
    admitad_account,
    eventually,
    make_request,
    sync_unit,
)
from tests.plugins.airflow_app import App
from tests.plugins.log_stock import QUICK, make_log, stock_running_log
from tests.plugins.routes import DEFINITION
from tests.plugins.watching import Server, Watcher, serving
from tests.sandbox_networks.caller import Caller, process

MINE = Schedule.from_dict(DEFINITION)


@pytest.fixture
def server(stocked: App) -> Iterator[Server]:
    stocked.ours.state.longest_stream = 300.0
    with serving(stocked) as found:
        yield found


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Caller]:
    with process("--now", "2026-03-10T12:00:00Z", "--rows-per-day", "1200") as caller:
        yield caller


def write(db: Database, statement: str, *values: object) -> float:
    """Change something, and return when it was committed."""
    with db.transaction() as cursor:
        cursor.execute(statement, values)
    return time.monotonic()


def read_on(db: Database, log: int, pages: int = 1) -> float:
    """Let a log's unit store more pages."""
    return write(
        db, "UPDATE data_sync.sync_log_steps SET pages = pages + %s, rows_read = rows_read + 100 "
        "WHERE log_id = %s", pages, log,
    )  # fmt: skip


def end(db: Database, log: int, status: str = "completed") -> float:
    with db.transaction() as cursor:
        for table, key in (("sync_log_steps", "log_id"), ("sync_logs", "id")):
            cursor.execute(
                f"UPDATE data_sync.{table} SET status = %s, finished_at = clock_timestamp(), "
                f"updated_at = clock_timestamp() WHERE {key} = %s",
                [status, log],
            )
    return time.monotonic()


def test_who_connects_is_told_what_runs_and_then_each_change_within_a_second(
    server: Server, db: Database
) -> None:
    log = stock_running_log()
    watcher = server.watch("anna").until_ready()
    assert watcher.answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in watcher.answer.headers
    assert watcher.retry == 2000
    assert [event.name for event in watcher.events] == ["log", "step", "ready"]
    (step,) = watcher.named("step")
    assert (step["log_id"], step["pages"], step["items_expected"]) == (log, 2, 500)
    assert watcher.named("ready")[0]["is_whole"] is True
    server_hub = server._app.ours.state.events
    eventually(lambda: server_hub.is_listening)
    late = []
    for pages in range(3, 9):
        committed = read_on(db, log)
        watcher.until(lambda pages=pages: watcher.named("step")[-1]["pages"] == pages)
        late.append(watcher.events[-1].at - committed)
        time.sleep(0.3)
    print("seconds from commit to event:", [round(seconds, 3) for seconds in late])
    # Without a message of Postgres it would look every five seconds.
    assert statistics.median(late) < 4.0
    end(db, log)
    watcher.until(lambda: watcher.named("log")[-1]["status"] == "completed")


def test_many_changes_at_once_come_as_the_last_of_them(server: Server, db: Database) -> None:
    log = stock_running_log()
    watcher = server.watch("anna").until_ready()
    began = time.monotonic()
    for _ in range(200):
        read_on(db, log)
    took = time.monotonic() - began
    watcher.until(lambda: watcher.named("step")[-1]["pages"] == 202)
    assert len(watcher.named("step")) <= 2 + (took + 1) / 0.25
    numbers = [step["pages"] for step in watcher.named("step")]
    assert numbers == sorted(numbers)


def test_a_real_sync_is_followed_from_its_opening_to_its_cancellation(
    server: Server, db: Database, sandbox: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process reads the sandbox over HTTP, page by page."""
    monkeypatch.setattr("data_sync.engine.batch.MOST_ROWS", 1)
    # One page after the other: of pages that travel together the last is there with the first.
    monkeypatch.setattr("network_clients.interface.NetworkClient.pages_at_once", 1)
    sandbox.fault("slow", path="/statistics/actions/", count=None, seconds=0.3)
    watcher = server.watch("anna").until_ready()
    days = {**DEFINITION, "date_range": "custom", "from": "2026-03-01", "to": "2026-03-08"}
    schedule = Schedule.from_dict({**days, "sync_type": "purchases"})
    request = make_request("r1", schedule, kind=RunKind.SCHEDULED, schedule_key="nightly")
    opened = open_run(db, request)
    # What changes twice within a quarter of a second is told once.
    watcher.until(lambda: watcher.named("log"))
    db.close()

    def work() -> None:
        with pytest.raises(UnitCancelledError):
            sync_unit(Database(), "r1", WorkUnit.from_dict(opened.units[0]), admitad_account(sandbox.base))

    child = Child(work)
    watcher.until(lambda: watcher.named("step") and watcher.named("step")[-1]["pages"] >= 4)
    log = watcher.named("log")[-1]
    assert server._app.call("anna", "POST", f"/sync/logs/{log['id']}/cancel").status_code == 202
    assert child.wait() == 0
    watcher.until(lambda: watcher.named("log")[-1]["status"] == "cancelled")
    assert watcher.named("log")[-1]["cancel_requested_by"] == "anna"
    states = list(dict.fromkeys(log["status"] for log in watcher.named("log")))
    assert states == ["pending", "processing", "cancelled"]
    steps = watcher.named("step")
    assert [s["status"] for s in steps] == sorted(
        (s["status"] for s in steps), key=["pending", "processing", "cancelled"].index
    )
    assert all(one["rows_read"] <= other["rows_read"] for one, other in pairwise(steps))
    assert steps[-1]["items_expected"] > steps[-1]["rows_read"] > 0
    (limit,) = watcher.named("log")[-1]["limits"]
    assert limit["left"] == limit["allowed"] - limit["used"]
    assert limit["used"] >= 4


def test_a_wait_says_for_what_and_until_when(server: Server, db: Database) -> None:
    log = stock_running_log()
    watcher = server.watch("anna").until_ready()
    write(
        db, "UPDATE data_sync.sync_log_steps SET status = 'waiting', reason = 'the gate is closed', "
        "waiting_until = '2030-01-01 12:00+00' WHERE log_id = %s", log,
    )  # fmt: skip
    watcher.until(lambda: watcher.named("step")[-1]["status"] == "waiting")
    step = watcher.named("step")[-1]
    assert (step["reason"], step["waiting_until"]) == ("the gate is closed", "2030-01-01T12:00:00Z")


def test_what_happens_while_nobody_is_connected_is_told_to_who_comes_back(
    server: Server, db: Database
) -> None:
    ends, goes_on = stock_running_log(), stock_running_log()
    first = server.watch("anna").until_ready()
    first.close()
    end(db, ends, "failed")
    came_and_went = stock_running_log()
    end(db, came_and_went)
    read_on(db, goes_on)
    again = server.watch("anna", first.last_id).until_ready()
    told = {log["id"]: log["status"] for log in again.named("log")}
    assert told == {ends: "failed", came_and_went: "completed", goes_on: "processing"}
    assert again.named("ready")[0]["is_whole"] is True
    third = server.watch("anna", again.last_id).until_ready()
    assert [log["id"] for log in third.named("log")] == [goes_on], "what has ended is told once"


def test_a_change_that_is_committed_late_is_not_missed_though_its_transaction_is_older(
    server: Server, db: Database, database: str
) -> None:
    late, soon = stock_running_log(), stock_running_log()
    with psycopg.connect(database) as slow:
        slow.execute("UPDATE data_sync.sync_log_steps SET pages = 77 WHERE log_id = %s", [late])
        watcher = server.watch("anna").until_ready()
        read_on(db, soon)
        watcher.until(lambda: watcher.named("step")[-1]["pages"] == 3)
        gone = watcher.last_id
        slow.execute(
            "UPDATE data_sync.sync_logs SET status = 'completed', updated_at = now() WHERE id = %s", [late]
        )
        watcher.close()
        slow.commit()
    again = server.watch("anna", gone).until_ready()
    assert {log["id"]: log["status"] for log in again.named("log")}[late] == "completed"
    assert [s["pages"] for s in again.named("step") if s["log_id"] == late] == [77]


def test_nobody_is_told_what_they_do_not_see(server: Server, db: Database) -> None:
    log = stock_running_log()
    anna, ben, ada = (server.watch(who).until_ready() for who in ("anna", "ben", "ada"))
    with db.transaction() as cursor:
        bens = make_log(cursor, MINE, who="ben", status="processing")
    read_on(db, log)
    read_on(db, bens)
    for watcher, seen in ((anna, {log}), (ben, {bens}), (ada, {log, bens})):
        watcher.until(lambda w=watcher, s=seen: {entry["id"] for entry in w.named("log")} == s)
        watcher.until(lambda w=watcher, s=seen: {entry["log_id"] for entry in w.named("step")} == s)
    time.sleep(0.6)
    assert {entry["id"] for entry in ben.named("log")} == {bens}
    assert QUICK not in {entry["id"] for entry in ben.named("log")}


def test_one_look_serves_all_who_watch(server: Server, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    log = stock_running_log()
    watchers = [server.watch(who).until_ready() for who in ("anna", "anna", "ada", "ben", "vera")]
    looks = []
    usual = progress.changes

    def count(cursor: Cursor, viewers: Any, since: Any) -> Any:
        looks.append(list(viewers))
        return usual(cursor, viewers, since)

    monkeypatch.setattr(progress, "changes", count)
    read_on(db, log)
    for watcher in watchers[:3]:
        watcher.until(lambda w=watcher: w.named("step")[-1]["pages"] == 3)
    assert len(looks) <= 2
    assert len(looks[0]) == 4, "anna is one person"
    with db.transaction() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        )
        assert len(cursor.fetchall()) == 1


def test_where_nothing_can_listen_it_is_asked_twice_a_second(
    stocked: App, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DATA_SYNC__LISTEN_CONN_ID", "direct")
    monkeypatch.setenv("AIRFLOW_CONN_DIRECT", "postgresql://nobody:none@127.0.0.1:9/nothing")
    stocked.ours.state.longest_stream = 300.0
    log = stock_running_log()
    with serving(stocked) as server:
        watcher = server.watch("anna").until_ready()
        assert watcher.named("ready")[0]["by"] == "asking"
        for pages in (3, 4, 5):
            committed = read_on(db, log)
            watcher.until(lambda pages=pages: watcher.named("step")[-1]["pages"] == pages)
            assert watcher.events[-1].at - committed < 4.0


def test_a_database_that_goes_away_is_told_and_ends_the_stream(
    server: Server, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = server.watch("anna").until_ready()
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", "postgresql://nobody:none@127.0.0.1:9/nothing")
    ours = server._app.ours.state
    ours.database.close()
    from sync_api.breaker import OurDatabase

    ours.database = OurDatabase()
    watcher.until(lambda: watcher.is_over)
    assert watcher.named("end") == [
        {
            "code": "database-away",
            "detail": "The database data_sync does not answer any more. Connect again in a moment.",
        }
    ]
    refused = server.watch("anna")
    assert refused.answer.status_code == 503
    assert json.loads(refused.answer.read())["code"] == "database-away"


def test_a_change_that_a_busy_look_did_not_tell_is_told_as_soon_as_there_is_a_connection(
    server: Server, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = stock_running_log()
    watcher = server.watch("anna").until_ready()
    ours = server._app.ours.state
    eventually(lambda: ours.events.is_listening)
    monkeypatch.setattr("sync_api.breaker.BUSY_WAIT", 0.3)
    monkeypatch.setattr("sync_api.breaker.FIRST_WAIT", 0.3)
    over = threading.Event()

    def hold() -> None:
        with ours.database.transaction():
            over.wait()

    holders = [threading.Thread(target=hold, daemon=True) for _ in range(POOL)]
    for holder in holders:
        holder.start()
    try:
        eventually(lambda: ours.database._turns._free == 0)
        read_on(db, log)
        time.sleep(1)
    finally:
        over.set()
    free = time.monotonic()
    watcher.until(lambda: watcher.named("step")[-1]["pages"] == 3)
    # Not at the next look of its own accord, five seconds later.
    assert watcher.events[-1].at - free < 4.0
    assert not watcher.named("end")
    for holder in holders:
        holder.join()


def test_a_listener_that_breaks_holds_no_event_back(server: Server, db: Database) -> None:
    log = stock_running_log()
    watcher = server.watch("anna").until_ready()
    eventually(lambda: server._app.ours.state.events.is_listening)
    # From here on nothing else wakes who waits for a message.
    read_on(db, log)
    watcher.until(lambda: watcher.named("step")[-1]["pages"] == 3)
    time.sleep(0.5)
    write(
        db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query LIKE 'LISTEN%%' AND datname = current_database()",
    )  # fmt: skip
    time.sleep(0.2)
    committed = read_on(db, log)
    watcher.until(lambda: watcher.named("step")[-1]["pages"] == 4)
    assert watcher.events[-1].at - committed < 4.0


def test_what_one_client_makes_up_ends_no_other_stream(
    server: Server, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = stock_running_log()
    watcher = server.watch("anna").until_ready()
    # Past the check of what an id looks like: Postgres refuses this one.
    monkeypatch.setattr("sync_api.events.Position.parse", lambda text: Position(int(time.time()), "7:6:"))
    refused = server.watch("ben", "1-5:6:")
    assert refused.answer.status_code == 422
    read_on(db, log)
    watcher.until(lambda: bool(watcher.named("step")) and watcher.named("step")[-1]["pages"] == 3)
    assert not watcher.named("end")


def test_a_client_that_leaves_is_forgotten(server: Server) -> None:
    hub = server._app.ours.state.events
    watchers = [server.watch("anna").until_ready() for _ in range(3)]
    assert hub.watching == 3
    for watcher in watchers:
        watcher.close()
    eventually(lambda: hub.watching == 0, seconds=5)


def test_a_user_has_so_many_streams_and_no_more(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync_api.hub.MOST_PER_USER", 2)
    watchers = [server.watch("anna").until_ready() for _ in range(2)]
    refused = server.watch("anna")
    assert (refused.answer.status_code, json.loads(refused.answer.read())["code"]) == (
        429,
        "too-many-streams",
    )
    assert refused.answer.headers["Retry-After"]
    assert server.watch("ben").answer.status_code == 200
    watchers[0].close()
    eventually(lambda: server.watch("anna").answer.status_code == 200, seconds=10)


def test_a_stream_ends_with_its_time_and_with_its_token(server: Server) -> None:
    app = server._app
    app.ours.state.longest_stream = 1.0
    watcher = server.watch("anna")
    watcher.until(lambda: watcher.is_over, 5)
    assert watcher.named("end")[0]["code"] == "time-over"
    app.ours.state.longest_stream = 300.0
    claims = jwt.decode(app.tokens["anna"], options={"verify_signature": False})
    soon = datetime.now(UTC) + timedelta(seconds=3)
    from airflow.configuration import conf

    token = jwt.encode({**claims, "exp": soon}, conf.get("api_auth", "jwt_secret"), algorithm="HS512")
    short = Watcher(server.url, token)
    assert short.answer.status_code == 200
    short.until(lambda: short.is_over, 10)
    assert short.named("end")[0]["code"] == "time-over"


def test_silence_is_filled_with_comments(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync_api.events.HEARTBEAT", 0.2)
    watcher = server.watch("anna").until_ready()
    watcher.until(lambda: watcher.comments >= 3, 5)


def test_open_streams_do_not_hold_up_the_end_of_the_server(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_api.hub._server_ends", lambda: server.uvicorn.should_exit)
    watcher = server.watch("anna").until_ready()
    server.uvicorn.should_exit = True
    began = time.monotonic()
    server._thread.join(10)
    assert not server._thread.is_alive()
    assert time.monotonic() - began < 5
    watcher.until(lambda: watcher.is_over)
    assert watcher.named("end")[0]["code"] == "shutdown"


def test_a_client_that_does_not_read_costs_no_queue(server: Server, db: Database) -> None:
    log = stock_running_log()
    server.watch("anna").until_ready()
    (stream,) = server._app.ours.state.events._streams
    # As while the client's window is full: nobody takes anything.
    taken = threading.Event()
    usual = stream._take
    stream._take = lambda: usual() if taken.is_set() else ""
    for _ in range(12):
        read_on(db, log)
        time.sleep(0.26)
    assert set(stream._waiting) == {("log", log, 0), ("step", log, 0)}
    taken.set()
