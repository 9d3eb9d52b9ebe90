"""Who is told how a run ended: by a real POST to the address of an Airflow connection."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from data_sync import notifications
from data_sync.database import Database
from data_sync.ledger import steps
from data_sync.ledger.settle import Settled
from data_sync.runs.lookup import find_run
from data_sync.runs.opening import open_run
from tests.data_sync.kit import ACCOUNT, Airflow, claim, make_request, make_schedule, settle_run

Posts = list[tuple[str | None, dict[str, Any]]]
TELL = [{"on": ["failure"], "to": ["hook"]}, {"on": ["success", "failure"], "to": ["hook", "other_hook"]}]


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Posts]:
    """What arrives at a server that the connections ``hook`` and ``other_hook`` name, with its token."""
    found: Posts = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.append((self.headers["Authorization"], json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/ends"
    words = {"conn_type": "http", "host": address}
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW_CONN_HOOK", json.dumps({**words, "password": "canary"}))
    monkeypatch.setenv("AIRFLOW_CONN_OTHER_HOOK", json.dumps(words))
    monkeypatch.setenv("AIRFLOW_CONN_ADMITAD_DEFAULT", json.dumps({**words, "conn_type": "admitad"}))
    yield found
    server.shutdown()
    server.server_close()


def end(db: Database, status: str, tell: list[dict[str, Any]]) -> Settled:
    """A run that ends so, and is told about."""
    open_run(db, make_request("r1", make_schedule(notifications=tell)))
    with db.transaction() as cursor:
        steps.finish(cursor, claim(db, "r1"), status)  # type: ignore[arg-type]
    settled = settle_run(db, "r1", Airflow())
    with db.transaction() as cursor:
        run = find_run(cursor, "sync__daily", "r1")
    assert run is not None
    notifications.send(db, run, settled)
    return settled


@pytest.mark.parametrize(
    ("status", "ended", "tokens"),
    [("failed", "failure", ["Bearer canary", None]), ("completed", "success", ["Bearer canary", None])],
)
def test_each_target_is_told_once_how_the_run_ended(
    db: Database, posts: Posts, status: str, ended: str, tokens: list[str | None]
) -> None:
    end(db, status, TELL)
    assert [token for token, _ in posts] == tokens
    for _, message in posts:
        assert (message["run"], message["name"], message["ended"]) == ("r1", "Daily", ended)
        assert [(log["account"], log["status"]) for log in message["logs"]] == [(ACCOUNT, status)]


def test_who_wants_to_hear_of_failures_alone_hears_of_no_success(db: Database, posts: Posts) -> None:
    end(db, "completed", TELL[:1])
    assert posts == []


@pytest.mark.parametrize("target", ["nowhere", "admitad_default"])
def test_a_target_that_cannot_be_told_costs_the_others_nothing_and_gets_no_secret(
    db: Database, posts: Posts, target: str
) -> None:
    settled = end(db, "failed", [{"on": ["failure"], "to": [target, "hook"]}])
    assert settled.is_closed
    assert [token for token, _ in posts] == ["Bearer canary"]


def test_a_run_that_is_not_over_is_not_told_about(db: Database, posts: Posts) -> None:
    open_run(db, make_request("r1", make_schedule(notifications=TELL)))
    with db.transaction() as cursor:
        run = find_run(cursor, "sync__daily", "r1")
    assert run is not None
    notifications.send(db, run, Settled(False, {ACCOUNT: "failed"}, ()))
    assert posts == []
