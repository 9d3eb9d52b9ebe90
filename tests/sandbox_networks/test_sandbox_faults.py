"""Each fault on demand, as a client meets it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from tests.sandbox_networks.caller import Caller, Start

ACTIONS = "/statistics/actions/"
DAY = {"date_start": "01.02.2026", "date_end": "01.02.2026", "order_by": "datetime", "limit": 500}


@pytest.mark.parametrize("retry_after", [None, 0, 30])
@pytest.mark.parametrize(("kind", "status"), [("rate_limited", 503), ("too_many_requests", 429)])
def test_rate_limit_answers(sandbox: Caller, kind: str, status: int, retry_after: int | None) -> None:
    sandbox.fault(kind, path="/statistics/", retry_after=retry_after)
    answer = sandbox.get(ACTIONS)
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))
    if status == 503:
        assert answer.json()["error_code"] == 4
    assert sandbox.get(ACTIONS).status_code == 200, "the fault was for one call"


def test_a_server_error_in_the_middle_of_paging(sandbox: Caller) -> None:
    sandbox.fault("server_error", path="/statistics/", after=2, count=2, status=502)
    sandbox.get("/websites/v2/")
    codes = [sandbox.get(ACTIONS, offset=20 * page).status_code for page in range(5)]
    assert codes == [200, 200, 502, 502, 200]


def test_a_held_answer_runs_into_the_callers_time_out(sandbox: Caller) -> None:
    sandbox.fault("hold", path="/statistics/")
    with pytest.raises(requests.ReadTimeout):
        sandbox.get(ACTIONS, timeout=0.2)
    assert sandbox.get(ACTIONS).status_code == 200


def test_slow_pages_come_late_but_whole(sandbox: Caller) -> None:
    sandbox.fault("slow", seconds=0.2, count=None)
    answer = sandbox.get(ACTIONS)
    assert answer.elapsed.total_seconds() >= 0.2
    assert answer.json()["results"]


def test_pages_of_one_list_can_be_made_to_come_in_turn(sandbox: Caller) -> None:
    sandbox.fault("in_turn", path="/statistics/", seconds=0.3, count=None)
    with ThreadPoolExecutor(3) as pool:
        answers = [*pool.map(lambda offset: sandbox.get(ACTIONS, offset=offset, **DAY), (0, 5, 10))]
    took = sorted(answer.elapsed.total_seconds() for answer in answers)
    assert all(long >= 0.3 * place for place, long in enumerate(took, start=1))


def test_a_dropped_connection_breaks_the_body(sandbox: Caller) -> None:
    sandbox.fault("drop", path="/statistics/")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        sandbox.get(ACTIONS, **DAY)
    assert sandbox.get(ACTIONS, **DAY).status_code == 200


def test_truncated_json_is_a_whole_answer_that_cannot_be_read(sandbox: Caller) -> None:
    sandbox.fault("truncated", path="/statistics/")
    answer = sandbox.get(ACTIONS, **DAY)
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["Content-Length"])
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_all_tokens_expire_at_once(sandbox: Caller) -> None:
    sandbox.fault("expired_tokens", path="/statistics/", after=1)
    assert sandbox.get(ACTIONS).status_code == 200
    answer = sandbox.get(ACTIONS)
    assert (answer.status_code, answer.json()["error_code"]) == (401, 0)
    assert sandbox.log_in().get(ACTIONS).status_code == 200


def test_wrong_credentials_and_missing_scope(sandbox: Caller) -> None:
    sandbox.fault("wrong_credentials", path="/token/")
    sandbox.fault("missing_scope", path="/coupons/", count=None)
    refused = sandbox.ask_token()
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    for _ in range(2):
        answer = sandbox.get("/coupons/")
        assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert sandbox.get(ACTIONS).status_code == 200


def test_faults_are_listed_and_cleared(sandbox: Caller) -> None:
    sandbox.fault("server_error", count=None)
    assert sandbox.admin("/faults", method="GET")[0]["kind"] == "server_error"
    assert sandbox.admin("/faults", method="DELETE") == []
    assert sandbox.get(ACTIONS).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"network": "admitad", "kind": "nonsense"},
        {"network": "nowhere", "kind": "hold"},
        {"network": "admitad", "kind": "hold", "typo": 1},
        {"network": "admitad", "kind": "server_error", "status": 200},
    ],
)
def test_a_fault_that_cannot_be_is_refused(sandbox: Caller, body: dict[str, Any]) -> None:
    answer = requests.post(f"{sandbox.url}/_admin/faults", json=body, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_clock_moves_behind_a_page(sandbox: Caller) -> None:
    before = sandbox.admin("/clock", method="GET")["now"]
    sandbox.fault("move", path="/statistics/", after=1, seconds=3600)
    counts = [sandbox.get(ACTIONS).json()["_meta"]["count"] for _ in range(3)]
    assert counts[0] == counts[1] < counts[2], "the answer itself is of before"
    moved = datetime.fromisoformat(sandbox.admin("/clock", method="GET")["now"])
    assert moved - datetime.fromisoformat(before) == timedelta(hours=1)


def test_an_answer_that_comes_late_is_old_news(sandbox: Caller) -> None:
    fresh = sandbox.get(ACTIONS).json()["_meta"]["count"]
    sandbox.fault("late", path="/statistics/", seconds=60)
    with ThreadPoolExecutor() as pool:
        late = pool.submit(sandbox.get, ACTIONS)
        while sandbox.admin("/faults", method="GET"):
            time.sleep(0.02)
        sandbox.advance(seconds=3600)
        newer = requests.get(f"{sandbox.base}{ACTIONS}", headers=dict(sandbox.session.headers), timeout=30)
        assert not late.done()
        sandbox.admin("/faults", method="DELETE")
        assert late.result().json()["_meta"]["count"] == fresh < newer.json()["_meta"]["count"]


SPOILED = {
    "unknown_status": lambda row: row["status"] == "on_the_moon",
    "missing_currency": lambda row: row["currency"] is None,
    "missing_id": lambda row: "action_id" not in row and "id" not in row,
    "impossible_date": lambda row: row["action_date"] == "2026-02-31 10:00:00",
    "text_amount": lambda row: row["payment"] == "NaN",
    "nul_byte": lambda row: "\0" in row["order_id"],
    "null_change_time": lambda row: row["status_updated"] is None,
    "long_amount": lambda row: row["payment"] == "1234567890" * 4,
}


@pytest.mark.parametrize("kind", SPOILED)
def test_bad_rows_appear_until_they_are_cleared(sandbox: Caller, kind: str) -> None:
    good = sandbox.get(ACTIONS, **DAY).json()["results"]
    sandbox.fault(kind, every=10)
    rows = sandbox.get(ACTIONS, **DAY).json()["results"]
    bad = [row for row in rows if SPOILED[kind](row)]
    assert 0 < len(bad) <= 4
    assert len(rows) == len(good)
    assert sum(row in good for row in rows) == len(rows) - len(bad)
    sandbox.admin("/faults", method="DELETE")
    assert sandbox.get(ACTIONS, **DAY).json()["results"] == good


def test_totals_count_rows_that_nobody_can_store_apart(start: Start) -> None:
    sandbox = start(rows_per_day=100).log_in()
    sandbox.fault("missing_currency", every=10)
    sandbox.fault("unknown_status", every=10)
    days = {"from": "2026-02-01", "to": "2026-02-01"}
    rows = sandbox.get(ACTIONS, **DAY).json()["results"]
    totals = sandbox.totals(**days)
    assert totals["count"] == len(rows)
    assert totals["unstorable"] == {"missing_currency": sum(row["currency"] is None for row in rows)}
    moon = sum(total["rows"] for total in totals["statuses"]["on_the_moon"].values())
    assert moon == sum(row["status"] == "on_the_moon" for row in rows) > 0
