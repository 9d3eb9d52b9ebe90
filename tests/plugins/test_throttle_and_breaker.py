"""A user's requests are counted in Postgres; without Postgres the answer comes within a second."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest

from sync_api.breaker import THREADS, OurDatabase
from sync_api.throttle import Throttle
from tests.plugins.airflow_app import App


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
    # The 20 of this test, and those of ours that ask who comes in: never one more for each request.
    assert during <= before + 20 + THREADS


def timed(app: App, path: str) -> float:
    started = time.monotonic()
    assert app.call("anna", "GET", path).status_code == 200
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
