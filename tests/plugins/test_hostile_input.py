"""Whatever is sent, the answer is a problem document of the caller's own making, and nothing has happened."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

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
