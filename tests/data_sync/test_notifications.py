"""Who is told how a run ended, by which way, and what happens when nobody can be reached."""

from __future__ import annotations

import email
import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from email.message import Message
from typing import Any

import pytest

from data_sync import notifications
from data_sync.database import Database
from data_sync.ledger import steps
from data_sync.ledger.settle import Settled
from data_sync.runs.lookup import StoredRun, find_run
from data_sync.runs.opening import open_run
from tests.data_sync.kit import ACCOUNT, Airflow, claim, make_request, make_schedule, settle_run
from tests.services.web_hook import web_hook

TOKEN = "canary-of-the-hook"


class Mailbox(socketserver.StreamRequestHandler):
    """A mail server that takes everything (RFC 5321, as little of it as will do)."""

    letters: list[Message]

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "DATA":
                self._say("354 go on")
                text = iter(self.rfile.readline, b".\r\n")
                self.letters.append(email.message_from_bytes(b"".join(text)))
            self._say("221 bye" if word == "QUIT" else "250 fine")
            if word == "QUIT":
                return

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Message]]:
    found: list[Message] = []
    handler = type("Handler", (Mailbox,), {"letters": found})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        extra = {"from_email": "sync@example.com", "disable_ssl": True, "disable_tls": True}
        connection = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": server.server_address[1],
            "extra": extra,
        }
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        yield found
        server.shutdown()


def ended(db: Database, status: str, *rules: dict[str, Any]) -> tuple[StoredRun, Settled]:
    """A run of one unit that has ended in some way, with the schedule's rules."""
    open_run(db, make_request("r1", make_schedule(notifications=list(rules))))
    step = claim(db, "r1")
    with db.transaction() as cursor:
        error = {"verdict": "error", "message": "<The> reason.", "detail": ""} if status == "failed" else None
        reason = error["message"] if error else None
        steps.finish(cursor, step, status, reason=reason, error=error, is_complete=error is None)
    settled = settle_run(db, "r1", Airflow())
    with db.transaction() as cursor:
        run = find_run(cursor, "sync__daily", "r1")
    assert run is not None
    return run, settled


def use_hook(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    connection = {"conn_type": "http", "host": url, "password": TOKEN}
    monkeypatch.setenv("AIRFLOW_CONN_TEAM_HOOK", json.dumps(connection))


def test_a_failure_is_posted_with_its_reason_and_the_token(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, settled = ended(db, "failed", {"on": ["failure"], "to": ["team_hook"]})
    with web_hook() as (url, received):
        use_hook(monkeypatch, url)
        notifications.send(db, run, settled)
    ((path, authorization, told),) = received
    assert (path, authorization) == ("/told", f"Bearer {TOKEN}")
    assert (told["name"], told["run"], told["ended"]) == ("Daily", "r1", "failure")
    (log,) = told["logs"]
    assert (log["account"], log["status"], log["reason"]) == (ACCOUNT, "failed", "<The> reason.")


@pytest.mark.parametrize(
    ("status", "on"), [("completed", "failure"), ("failed", "success"), ("failed", "skipped")]
)
def test_nobody_is_told_what_they_did_not_ask_for(
    db: Database, monkeypatch: pytest.MonkeyPatch, status: str, on: str
) -> None:
    run, settled = ended(db, status, {"on": [on], "to": ["team_hook"]})
    with web_hook() as (url, received):
        use_hook(monkeypatch, url)
        notifications.send(db, run, settled)
    assert received == []


def test_a_run_that_is_not_over_is_told_to_nobody(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    run, settled = ended(db, "failed", {"on": ["failure"], "to": ["team_hook"]})
    with web_hook() as (url, received):
        use_hook(monkeypatch, url)
        notifications.send(db, run, Settled(False, False, settled.statuses, ()))
    assert received == []


def test_a_run_is_told_about_once(db: Database, letters: list[Message]) -> None:
    run, settled = ended(db, "completed", {"on": ["success"], "to": ["data@example.com"]})
    notifications.send(db, run, settled)
    notifications.send(db, run, settle_run(db, "r1", Airflow()))
    assert [letter["Subject"] for letter in letters] == ["Daily: success"]


def test_a_failure_is_sent_by_mail(db: Database, letters: list[Message]) -> None:
    run, settled = ended(db, "failed", {"on": ["failure"], "to": ["data@example.com"]})
    notifications.send(db, run, settled)
    (letter,) = letters
    assert (letter["To"], letter["From"]) == ("data@example.com", "sync@example.com")
    assert letter["Subject"] == "Daily: failure"
    (part,) = [part for part in letter.walk() if part.get_content_type() == "text/html"]
    text = part.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert "admitad_default: failed &lt;The&gt; reason." in text.decode()


def test_who_cannot_be_reached_keeps_nobody_else_from_being_told_and_shows_no_secret(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    targets = ["a_missing_one", "b_broken_one", "team_hook"]
    run, settled = ended(db, "failed", {"on": ["failure"], "to": targets})
    with web_hook(answer=500) as (broken, _), web_hook() as (url, received):
        use_hook(monkeypatch, url)
        connection = {"conn_type": "http", "host": broken, "password": TOKEN}
        monkeypatch.setenv("AIRFLOW_CONN_B_BROKEN_ONE", json.dumps(connection))
        with caplog.at_level(logging.WARNING):
            notifications.send(db, run, settled)
    assert len(received) == 1
    warned = [record.getMessage() for record in caplog.records if "was not sent" in record.getMessage()]
    assert [text.split(" was not")[0] for text in warned] == [
        "The notification to a_missing_one",
        "The notification to b_broken_one",
    ]
    assert TOKEN not in caplog.text
