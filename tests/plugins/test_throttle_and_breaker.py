"""A user's requests are counted in Postgres; without Postgres the answer comes within a second."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from data_sync.database import connect
from sync_api.breaker import POOL, THREADS, DatabaseSlowError, OurDatabase
from sync_api.throttle import Throttle
from tests.data_sync.kit import eventually
from tests.plugins.airflow_app import App


@pytest.fixture(autouse=True)
def impatient(app: App) -> Iterator[None]:
    """What is told of a slow database is what these look at."""
    usual, app.patience = app.patience, 0
    yield
    app.patience = usual


@pytest.fixture
def three_only(app: App) -> Iterator[App]:
    usual = app.ours.state.throttle
    app.ours.state.throttle = Throttle(per_minute=1, at_once=3)
    yield app
    app.ours.state.throttle = usual


def test_too_many_requests_are_told_when_to_come_back(three_only: App) -> None:
    codes = [three_only.call("anna", "GET", "/sync/schedules").status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    answer = three_only.call("anna", "GET", "/sync/schedules")
    assert 30 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["code"] == "too-many"
    assert three_only.call("ben", "GET", "/sync/schedules").status_code == 200


def test_what_is_refused_counts_too(three_only: App) -> None:
    codes = [three_only.call("vera", "POST", "/sync/schedules", json={}).status_code for _ in range(4)]
    assert codes == [403, 403, 403, 429]
    # Who is not known yet has no count.
    assert {three_only.call(None, "GET", "/sync/schedules").status_code for _ in range(4)} == {401}


def test_the_throttle_is_exact_however_many_ask_at_once(three_only: App) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: three_only.call("anna", "GET", "/sync/schedules").status_code, range(16))
    assert sorted(answers) == [200] * 3 + [429] * 13


def test_without_postgres_the_reason_comes_within_a_second(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = max(timed(app, "/sync/schedules") for _ in range(3))
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", "postgresql://nobody:canary-password@127.0.0.1:9/nothing")
    app.forget_connections()
    times = []
    for _ in range(5):
        started = time.monotonic()
        answer = app.call("anna", "GET", "/sync/schedules")
        times.append(time.monotonic() - started)
        assert (answer.status_code, answer.json()["code"]) == (503, "database-away")
        assert answer.headers["Retry-After"]
        assert "canary-password" not in answer.text
        assert "127.0.0.1" not in answer.text
    # The first one waits for a connection; the others are refused at once. On a machine that is busy with
    # other things any answer takes longer.
    assert times[0] < 1 + usual
    assert sorted(times)[2] < 0.5 + usual
    assert app.call("anna", "GET", "/api/v2/dags").status_code == 200


class BlackHole:
    """A server that takes connections and never says a word."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._socket.getsockname()[1]
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                self._taken.append(self._socket.accept()[0])

    def close(self) -> None:
        for each in (self._socket, *self._taken):
            each.close()


@pytest.fixture
def black_hole() -> Iterator[BlackHole]:
    found = BlackHole()
    yield found
    found.close()


def test_a_server_that_never_answers_is_refused_in_time_and_keeps_no_thread(
    app: App, black_hole: BlackHole, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = max(timed(app, "/sync/schedules") for _ in range(3))
    address = f"postgresql://nobody:canary-password@127.0.0.1:{black_hole.port}/nothing"
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", address)
    app.forget_connections()
    started = time.monotonic()
    answer = app.call("anna", "GET", "/sync/schedules")
    took = time.monotonic() - started
    assert (answer.status_code, answer.json()["code"]) == (503, "database-away")
    assert "canary-password" not in answer.text
    # A machine that is busy with other things takes longer for any answer.
    assert took < 1 + usual
    # Many at the very moment in which nobody knows yet that it is silent.
    app.forget_connections()
    before = threading.active_count()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: app.call("anna", "GET", "/sync/schedules").status_code, range(200)))
        during = threading.active_count()
        assert app.call("anna", "GET", "/api/v2/dags").status_code == 200
    assert set(answers) == {503}
    # The 20 of this test, ours that ask who comes in, and the pool's own: never one more for each request.
    assert during <= before + 20 + THREADS + 5
    # Once a probe has got no answer either, nobody waits at all.
    eventually(lambda: app.ours.state.database._away is not None, seconds=10)
    assert timed(app, "/sync/schedules", 503) < 0.5 + usual


def timed(app: App, path: str, expected: int = 200) -> float:
    started = time.monotonic()
    assert app.call("anna", "GET", path).status_code == expected
    return time.monotonic() - started


def test_when_postgres_is_back_so_are_the_routes(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as away:
        away.setenv("AIRFLOW_CONN_DATA_SYNC", "postgresql://nobody:none@127.0.0.1:9/nothing")
        app.forget_connections()
        assert app.call("anna", "GET", "/sync/schedules").status_code == 503
    deadline = time.monotonic() + 60
    while app.call("anna", "GET", "/sync/schedules").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_database_that_falls_silent_keeps_no_thread(app: App, database: str) -> None:
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE data_sync.installation IN ACCESS EXCLUSIVE MODE")
        before = threading.active_count()
        with ThreadPoolExecutor(20) as pool:
            answers = list(
                pool.map(lambda _: app.call("anna", "GET", "/sync/schedules").status_code, range(40))
            )
        assert set(answers) == {503}
        assert threading.active_count() <= before + 20


def test_a_slow_moment_is_one_requests_own_and_cuts_nobody(app: App, database: str) -> None:
    assert app.call("anna", "GET", "/sync/schedules").status_code == 200
    ours: OurDatabase = app.ours.state.database
    with ThreadPoolExecutor(1) as pool:
        with psycopg.connect(database) as other:
            other.execute("LOCK TABLE data_sync.installation IN ACCESS EXCLUSIVE MODE")
            (export,) = taken(ours, pool, 1, 6)
            answer = app.call("anna", "GET", "/sync/schedules")
            assert answer.status_code == 503
            assert "takes too long" in answer.json()["detail"]
            assert answer.headers["Retry-After"]
        # Nobody is refused because of it, not even a moment later.
        assert app.call("anna", "GET", "/sync/schedules").status_code == 200
        assert export.result() == 1
    assert ours._away is None


def test_connections_that_are_slow_to_open_are_no_reason_to_cut_the_others(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = 0.0

    def opener() -> psycopg.Connection[Any]:
        time.sleep(pause)
        return connect()

    ours = OurDatabase(opener)
    with ThreadPoolExecutor(1) as pool:
        with ours.transaction(first=True) as cursor:
            cursor.execute("SELECT 1")
        (export,) = taken(ours, pool, 1, 4)
        time.sleep(0.9)
        pause = 1.3
        with pytest.raises(DatabaseSlowError, match="takes too long"), ours.transaction(first=True):
            pass
        pause = 0.3
        time.sleep(1)
        with ours.transaction(first=True) as cursor:
            assert cursor.execute("SELECT 1").fetchone()
        assert export.result() == 1
    assert ours._away is None
    ours.close()


def test_who_finds_all_connections_taken_waits_until_one_comes_back(app: App) -> None:
    ours: OurDatabase = app.ours.state.database
    with ThreadPoolExecutor(POOL) as pool:
        those = taken(ours, pool, POOL, 2)
        assert app.call("anna", "GET", "/sync/schedules").status_code == 200
        assert [each.result() for each in those] == [1] * POOL


def test_who_finds_them_taken_for_long_is_told_that_we_are_busy(app: App) -> None:
    ours: OurDatabase = app.ours.state.database
    with ThreadPoolExecutor(POOL) as pool:
        those = taken(ours, pool, POOL, 6)
        answer = app.call("anna", "GET", "/sync/schedules")
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
        assert "more requests than it can take" in answer.json()["detail"]
        assert [each.result() for each in those] == [1] * POOL


def taken(ours: OurDatabase, pool: ThreadPoolExecutor, count: int, seconds: float) -> list[Future[int]]:
    """Have connections used for so long, as exports do; return when they are, one after the other."""
    those = []
    for _ in range(count):
        begun = threading.Event()
        those.append(pool.submit(sleep_in, ours, seconds, begun))
        eventually(lambda begun=begun, last=those[-1]: begun.is_set() or last.done())
        assert begun.is_set(), those[-1].exception()
    return those


def sleep_in(ours: OurDatabase, seconds: float, begun: threading.Event) -> int:
    with ours.transaction() as cursor:
        begun.set()
        row = cursor.execute("SELECT 1 AS one, pg_sleep(%s)", [seconds]).fetchone()
    assert row is not None
    return int(row["one"])


class Cable:
    """Leads to Postgres, until it is unplugged: then nothing comes over it any more, not even an end."""

    def __init__(self, database: str) -> None:
        with psycopg.connect(database) as connection:
            self._path = f"{connection.info.host}/.s.PGSQL.{connection.info.port}"
            user, name = connection.info.user, connection.info.dbname
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address = f"postgresql://{user}@127.0.0.1:{self._socket.getsockname()[1]}/{name}"
        self.plugged = threading.Event()
        self.plugged.set()
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                ours = self._socket.accept()[0]
                theirs = socket.socket(socket.AF_UNIX)
                theirs.connect(self._path)
                for ends in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=self._lead, args=ends, name="cable", daemon=True).start()

    def _lead(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.plugged.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.plugged.set()
        self._socket.close()


def ours_at_work() -> int:
    return sum(thread.name != "cable" for thread in threading.enumerate())


def test_a_database_that_falls_silent_is_told_within_a_second_and_found_again(
    app: App, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cable = Cable(database)
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", cable.address)
    app.forget_connections()
    usual = max(timed(app, "/sync/schedules") for _ in range(3))
    threads = ours_at_work()
    cable.plugged.clear()
    with ThreadPoolExecutor(20) as pool:
        took = list(pool.map(lambda _: timed(app, "/sync/schedules", 503), range(60)))
        assert ours_at_work() <= threads + 20 + THREADS + 5
    print("seconds until 503:", round(max(took), 2), "usual:", round(usual, 2))
    # Twenty at once share the machine, which may be busy with other things.
    assert sorted(took)[len(took) // 2] < 1 + 10 * usual
    eventually(lambda: app.ours.state.database._away is not None, seconds=10)
    assert timed(app, "/sync/schedules", 503) < 0.5 + usual
    cable.plugged.set()
    eventually(lambda: app.call("anna", "GET", "/sync/schedules").status_code == 200, seconds=20)
    cable.close()


def test_tables_that_are_behind_are_named(app: App, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("UPDATE data_sync.schema_version SET version_num = '0001'")
    answer = app.call("anna", "GET", "/sync/schedules")
    assert answer.status_code == 503
    assert "data-sync migrate" in answer.json()["detail"]


def test_an_idle_connection_that_died_is_not_noticed(app: App, database: str) -> None:
    assert app.call("anna", "GET", "/sync/schedules").status_code == 200
    ours: OurDatabase = app.ours.state.database
    time.sleep(1.1)
    with psycopg.connect(database, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert app.call("anna", "GET", "/sync/schedules").status_code == 200
    assert ours._away is None
