"""Whatever is sent, the answer is a problem document of the caller's own making, and nothing has happened."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

import pytest

from data_sync.database import Database
from tests.plugins.airflow_app import App

SQL = "'; DROP TABLE data_sync.sync_schedules; --"
HTML = "<script>alert(1)</script>"
NEW = {"key": "evil", "networks": ["admitad"], "interval": "1h", "date_range": "today"}

PATHS = [
    f"/sync/schedules/{quote(SQL, safe='')}",
    f"/sync/schedules/{quote(HTML, safe='')}",
    "/sync/schedules/..%2f..%2f..%2fetc%2fpasswd",
    "/sync/schedules/%00",
    "/sync/schedules/%ff%fe",
    "/sync/schedules/" + "a" * 5000,
    "/sync/schedules?limit=999999999999999999999",
    "/sync/schedules?limit=-1",
    "/sync/schedules?offset=1e309",
    "/sync/schedules?search=%00",
    f"/sync/schedules?sort={quote(SQL)}",
    f"/sync/schedules?network={quote(SQL)}",
    "/sync/schedules?order=asc;select",
    "/sync/schedules?unknown=1",
    "/sync/networks/admitad_..%2f..%2fx/test",
    "/sync//schedules",
    "/sync/schedules/",
    "/sync/nothing",
]

DEEP = b'{"key":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
BODIES: dict[str, bytes] = {
    "deep": DEEP,
    "deep list": b"[" * 100_000,
    "no JSON": b"{'key': 1}",
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "empty": b"",
    "not a number": json.dumps(NEW).encode().replace(b'"1h"', b"NaN"),
    "a huge number": json.dumps(NEW).encode().replace(b'"1h"', b"9" * 10_000),
    "half a character": json.dumps({**NEW, "name": "\ud800"}).encode(),
    "no unicode": b'{"key": "\xff\xfe"}',
    "a NUL": json.dumps({**NEW, "name": "a\x00b"}).encode(),
    "SQL as a key": json.dumps({**NEW, "key": SQL}).encode(),
    "HTML as a key": json.dumps({**NEW, "key": HTML}).encode(),
    "a header in the name": json.dumps({**NEW, "name": "a\r\nSet-Cookie: a=b"}).encode(),
    "a path as a zone": json.dumps({**NEW, "timezone": "../../etc/passwd"}).encode(),
    "year 0": json.dumps({**NEW, "date_range": "custom", "from": "0000-01-01", "to": "0000-01-02"}).encode(),
    "year 9999": json.dumps(
        {**NEW, "date_range": "custom", "from": "2026-01-01", "to": "9999-12-31"}
    ).encode(),
    "a far start": json.dumps({**NEW, "start_date": "9999-12-31"}).encode(),
    "unknown fields": json.dumps({**NEW, "owner": "ada", "is_admin": True}).encode(),
    "many networks": json.dumps({**NEW, "networks": ["admitad"] * 10_000}).encode(),
    "a long list": json.dumps({**NEW, "times": ["00:00"] * 20_000}).encode(),
    "an address as an account": json.dumps({**NEW, "networks": ["http://169.254.169.254/"]}).encode(),
    "an endless cron": json.dumps({**NEW, "interval": None, "cron": "0 0 30 2 *"}).encode(),
    "an object as text": json.dumps({**NEW, "name": {"$gt": ""}}).encode(),
    "a taken word": json.dumps({**NEW, "key": "create"}).encode(),
}


def harmless(answer: Any) -> None:
    assert 400 <= answer.status_code < 500, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Set-Cookie" not in answer.headers
    assert "Traceback" not in answer.text
    assert "/plugins/" not in answer.text
    assert len(answer.content) < 20_000
    assert answer.json()["detail"]


@pytest.fixture(autouse=True)
def nothing_happens(stocked: App, db: Database) -> Any:
    yield
    with db.transaction() as cursor:
        kept = cursor.execute("SELECT key FROM data_sync.sync_schedules ORDER BY key").fetchall()
    assert [row["key"] for row in kept] == ["fresh", "nightly", "weekly"]
    assert stocked.airflow_rows("SELECT 1 FROM dag_run") == []


def test_addresses(stocked: App) -> None:
    for path in PATHS:
        method = "POST" if path.endswith("/test") else "GET"
        answer = stocked.call("ada", method, path)
        assert answer.status_code >= 400, path
        harmless(answer)


class Lines(logging.Handler):
    """What the api-server writes into its log about refusals."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        assert record.exc_info is None
        self.all.append(record.getMessage())


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, log = Lines(), logging.getLogger("sync_api.refusals")
    log.addHandler(handler)
    before, log.level = log.level, logging.INFO
    yield handler
    log.removeHandler(handler)
    log.setLevel(before)


PLAIN = re.compile(r"Refused: [A-Z]+ /[!-~]* with 4\d\d [a-z-]+, user [!-~]+")


def test_each_refusal_is_one_line_without_what_was_sent(stocked: App, lines: Lines) -> None:
    for path in PATHS:
        stocked.call("ada", "POST" if path.endswith("/test") else "GET", path)
    for body in BODIES.values():
        headers = {"Content-Type": "application/json"}
        stocked.call("ada", "POST", "/sync/schedules", content=body, headers=headers)
    assert len(lines.all) == len(PATHS) + len(BODIES)
    assert "Refused: POST /sync/schedules with 422 invalid, user ada" in lines.all
    assert "Refused: GET /sync/nothing with 404 no-such-address, user ada" in lines.all
    for line in lines.all:
        assert PLAIN.fullmatch(line), line
        assert len(line) < 700
    written = "\n".join(lines.all)
    for sent in (
        "Set-Cookie",
        "is_admin",
        "etc/passwd/",
        "limit=",
        "unknown",
        "evil",
        "Bearer",
        stocked.tokens["ada"],
    ):
        assert sent not in written


@pytest.mark.parametrize("end", ["%0d%0a", "%0a", "%0d", "%e2%80%a8", "%c2%85", "%1b%5b2K", "%00"])
def test_an_address_cannot_write_a_line_of_its_own(stocked: App, lines: Lines, end: str) -> None:
    """Asked directly: some of these Airflow refuses before they come to us."""
    forged = f"/schedules/nightly{end}Refused:%20GET%20/forged%20with%20404%20none,%20user%20ben"
    scope = {
        "type": "http", "method": "GET\r\nX: Y", "path": unquote(forged), "raw_path": forged.encode(),
        "root_path": "", "query_string": b"token=canary", "headers": [], "app": stocked.app,
    }  # fmt: skip

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    for method in ("GET", "GET\r\nX: Y"):
        stocked.portal.call(stocked.ours, {**scope, "method": method}, receive, send)
    assert len(lines.all) == 2
    for line in lines.all:
        assert line.splitlines() == [line]
        assert line.isascii()
        assert line.isprintable()
        assert " user ben" not in line
        assert "canary" not in line


def test_refusals_name_who_was_refused(stocked: App, lines: Lines) -> None:
    stocked.call(None, "GET", "/sync/schedules", headers={"Authorization": "Bearer canary"})
    stocked.call("vera", "DELETE", "/sync/schedules/nightly")
    stocked.call("anna", "POST", "/sync/schedules", content=b" " * 10_000_000)
    stocked.call("ben", "PATCH", "/sync/schedules/nightly")
    assert lines.all == [
        "Refused: GET /sync/schedules with 401 not-logged-in, user -",
        "Refused: DELETE /sync/schedules/nightly with 403 not-allowed, user vera",
        "Refused: POST /sync/schedules with 413 too-large, user anna",
        "Refused: PATCH /sync/schedules/nightly with 405 no-such-method, user ben",
    ]


def test_half_a_character_is_looked_for_and_not_found(stocked: App) -> None:
    answer = stocked.call("ada", "GET", "/sync/schedules?search=%ed%a0%80")
    assert answer.status_code == 422 or answer.json()["items"] == []


def test_a_header_in_an_address(stocked: App) -> None:
    answer = stocked.call("ada", "GET", "/sync/schedules/nightly%0d%0aSet-Cookie:%20a=b")
    # No route of Airflow's takes a line break: it does not come to us.
    assert answer.status_code == 404
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("name", BODIES)
def test_bodies(stocked: App, name: str) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/sync/schedules", "/sync/manual", "/sync/plan"):
        harmless(stocked.call("ada", "POST", path, content=BODIES[name], headers=headers))
    edit = {**headers, "If-Match": '"1"'}
    harmless(stocked.call("ada", "PUT", "/sync/schedules/nightly", content=BODIES[name], headers=edit))


def test_ten_megabytes_are_refused_unread(stocked: App) -> None:
    headers = {"Content-Type": "application/json"}
    answer = stocked.call("anna", "POST", "/sync/schedules", content=b" " * 10_000_000, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")

    async def pieces() -> Any:
        for _ in range(1000):
            yield b" " * 10_000

    streamed = stocked.call("anna", "POST", "/sync/schedules", content=pieces(), headers=headers)
    assert streamed.status_code == 413


@pytest.mark.parametrize("value", ["a b", "x" * 201, "short", "a\u00fc" * 8])
def test_keys_of_requests(stocked: App, value: str) -> None:
    token = f"Bearer {stocked.tokens['anna']}"
    headers = {b"Idempotency-Key": value.encode(), b"Authorization": token.encode()}
    harmless(stocked.call(None, "POST", "/sync/schedules/nightly/run", headers=headers))


def test_what_is_shown_was_never_markup(stocked: App, db: Database) -> None:
    body = {"networks": ["admitad"], "interval": "1h", "date_range": "today", "name": HTML}
    headers = {"If-Match": '"1"'}
    answer = stocked.call("anna", "PUT", "/sync/schedules/nightly", json=body, headers=headers)
    assert answer.json()["name"] == HTML
    assert answer.headers["content-type"] == "application/json"
    found = stocked.call("anna", "GET", "/sync/schedules", params={"search": "<script>"})
    assert [item["key"] for item in found.json()["items"]] == ["nightly"]
    none = stocked.call("anna", "GET", "/sync/schedules", params={"search": "%"})
    assert none.json()["items"] == []
