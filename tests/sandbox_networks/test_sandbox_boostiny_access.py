"""Boostiny's keys, limits, lock-outs, refusals and pages."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from sandbox_networks.boostiny.options import BoostinyOptions
from sandbox_networks.server import build_app
from sandbox_networks.settings import SandboxSettings, SettingsError
from tests.sandbox_networks.boostiny_caller import (
    CAMPAIGNS,
    COUPON,
    COUPONS,
    KEY,
    LINK,
    Publisher,
    boostiny,
    days,
)

ALL = (CAMPAIGNS, COUPONS, COUPON, LINK)
DAY = days("2026-03-04")
REFUSED = "Too many requests. Please retry after 10 minutes."


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Publisher]:
    with boostiny() as publisher:
        yield publisher


def message(answer: requests.Response) -> str:
    body = answer.json()
    assert list(body) == ["payload"]
    assert list(body["payload"]) == ["errors"]
    return str(body["payload"]["errors"]["message"])


@pytest.mark.parametrize("path", ALL)
def test_the_bare_key_opens_every_list(sandbox: Publisher, path: str) -> None:
    assert sandbox.get(path, **DAY).status_code == 200


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"Basic {KEY}", KEY.upper(), KEY[:-1], "nonsense", None])
def test_anything_but_the_bare_key_is_refused(sandbox: Publisher, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = requests.get(sandbox.base + path, params=DAY, headers=headers, timeout=10)
    assert answer.status_code == 401
    assert message(answer)


def test_a_planted_key_is_the_one_that_counts() -> None:
    with boostiny(keys=["canary-1"]) as publisher:
        assert publisher.get(CAMPAIGNS).status_code == 401
        assert Publisher(publisher.url, "canary-1").get(CAMPAIGNS).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/publisher/orders", "/v2/publisher/campaigns", "/publisher/campaigns/"]
)
def test_what_does_not_exist_is_404(sandbox: Publisher, path: str) -> None:
    answer = sandbox.get(path)
    assert answer.status_code == 404
    assert message(answer)


@pytest.mark.parametrize("path", [COUPON, LINK])
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"from": "2026-03-04"},
        {"to": "2026-03-04"},
        {"from": "04.03.2026", "to": "2026-03-04"},
        {"from": "2026-02-31", "to": "2026-03-04"},
        {"from": "20260304", "to": "2026-03-04"},
        {"from": "2026-W10-3", "to": "2026-03-04"},
        {"from": "2026-03-04", "to": "2026-03-03"},
        {"from": "2026-03-04T00:00:00", "to": "2026-03-04"},
    ],
)
def test_days_that_cannot_be_read_or_are_inverted_are_refused(
    sandbox: Publisher, path: str, query: dict[str, str]
) -> None:
    answer = sandbox.get(path, **query)
    assert answer.status_code == 422
    assert message(answer)


def test_the_server_chooses_the_size_of_a_page(sandbox: Publisher) -> None:
    plain = sandbox.page(COUPONS)
    for limit in (1, 1000, 10**9, "many"):
        assert sandbox.page(COUPONS, limit=limit) == plain
    assert plain["pagination"] == {"total": plain["pagination"]["total"], "perPage": 50, "currentPage": 1}
    assert len(plain["data"]) == 50 < plain["pagination"]["total"]
    with boostiny(per_page=7) as publisher:
        for path in ALL:
            assert publisher.page(path, **DAY)["pagination"]["perPage"] == 7


@pytest.mark.parametrize("path", ALL)
def test_a_page_behind_the_last_is_empty(sandbox: Publisher, path: str) -> None:
    payload = sandbox.page(path, 9, **DAY)
    assert payload["data"] == []
    assert payload["pagination"]["currentPage"] == 9
    assert payload["pagination"]["total"] > 0


@pytest.mark.parametrize("page", ["0", "-1", "x", "", "1.5", "9" * 5000])
def test_a_page_that_cannot_be_is_the_first(sandbox: Publisher, page: str) -> None:
    assert sandbox.get(COUPONS, page=page).json() == sandbox.get(COUPONS).json()


def test_a_call_too_many_locks_the_key_out_of_everything() -> None:
    with boostiny(calls=3, per_seconds=3600) as publisher:
        assert [publisher.get(path, **DAY).status_code for path in ALL] == [200, 200, 200, 429]
        assert publisher.violations() == {"calls_per_key": 1, "locked_out": 0, "parallel": 0}
        for path in ALL:
            answer = publisher.get(path, **DAY)
            assert answer.status_code == 429
            assert message(answer) == REFUSED
            assert "Retry-After" not in answer.headers
        assert publisher.violations() == {"calls_per_key": 1, "locked_out": 4, "parallel": 0}
        publisher.admin("/reset")
        assert publisher.get(CAMPAIGNS).status_code == 200
        assert sum(publisher.violations().values()) == 0


def test_the_default_limit_is_twelve_calls_a_minute() -> None:
    with boostiny(calls=BoostinyOptions().calls) as publisher:
        assert [publisher.get(CAMPAIGNS).status_code for _ in range(13)] == [200] * 12 + [429]


def test_a_lock_out_ends_by_real_time_and_asking_does_not_prolong_it() -> None:
    with boostiny(calls=1, per_seconds=0.2, lockout_minutes=0.01) as publisher:
        assert publisher.get(CAMPAIGNS).status_code == 200
        refusal = publisher.get(CAMPAIGNS)
        began = time.monotonic()
        assert message(refusal) == "Too many requests. Please retry after 1 minute."
        publisher.advance(days=1)
        asked = 0
        while publisher.get(CAMPAIGNS).status_code == 429:
            asked += 1
            time.sleep(0.02)
        assert 0.5 < time.monotonic() - began < 2
        assert publisher.violations() == {"calls_per_key": 1, "locked_out": asked, "parallel": 0}


def test_a_lock_out_tells_the_seconds_that_are_left_when_the_setting_says_so() -> None:
    with boostiny(calls=1, per_seconds=3600, lockout_header=True) as publisher:
        assert "Retry-After" not in publisher.get(CAMPAIGNS).headers
        for _ in range(2):
            answer = publisher.get(CAMPAIGNS)
            assert 590 <= int(answer.headers["Retry-After"]) <= 600
            assert message(answer) == REFUSED


def test_each_key_has_a_limit_of_its_own_and_strangers_have_none() -> None:
    with boostiny(keys=["a", "b"], calls=1, per_seconds=3600) as publisher:
        first, second, stranger = (Publisher(publisher.url, key) for key in ("a", "b", "c"))
        assert [first.get(CAMPAIGNS).status_code for _ in range(2)] == [200, 429]
        assert second.get(CAMPAIGNS).status_code == 200
        assert {stranger.get(CAMPAIGNS).status_code for _ in range(3)} == {401}
        assert publisher.violations()["calls_per_key"] == 1


def test_limits_can_be_counted_without_refusing() -> None:
    with boostiny({"enforce_limits": False}, calls=2) as publisher:
        assert [publisher.get(CAMPAIGNS).status_code for _ in range(4)] == [200] * 4
        assert publisher.violations() == {"calls_per_key": 1, "locked_out": 1, "parallel": 0}


def test_a_call_beside_another_one_of_the_same_key_is_counted() -> None:
    with boostiny(keys=["a", "b"]) as publisher:
        first, second, other = (Publisher(publisher.url, key) for key in ("a", "a", "b"))
        publisher.fault("slow", seconds=1.0)
        slow = threading.Thread(target=first.get, args=(CAMPAIGNS,))
        slow.start()
        while not publisher.admin("/state", method="GET")["networks"]["boostiny"]["requests_total"]:
            time.sleep(0.01)
        assert other.get(CAMPAIGNS).status_code == 200
        assert publisher.violations()["parallel"] == 0
        assert second.get(COUPONS).status_code == 200
        slow.join()
        assert publisher.violations()["parallel"] == 1
        for _ in range(30):
            first.get(CAMPAIGNS)
            Publisher(publisher.url, "a").get(CAMPAIGNS)
        assert publisher.violations()["parallel"] == 1


def test_two_quick_callers_of_one_key_are_noticed(sandbox: Publisher) -> None:
    meet = threading.Barrier(2)

    def call() -> None:
        publisher = Publisher(sandbox.url)
        for _ in range(50):
            meet.wait()
            publisher.get(CAMPAIGNS)

    callers = [threading.Thread(target=call) for _ in range(2)]
    before = sandbox.violations()["parallel"]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sandbox.violations()["parallel"] > before


@pytest.mark.parametrize("retry_after", [None, 0, 30])
@pytest.mark.parametrize("kind", ["rate_limited", "too_many_requests"])
def test_too_many_requests_on_demand(sandbox: Publisher, kind: str, retry_after: int | None) -> None:
    sandbox.fault(kind, path=COUPON, retry_after=retry_after)
    assert sandbox.get(LINK, **DAY).status_code == 200
    answer = sandbox.get(COUPON, **DAY)
    assert answer.status_code == 429
    assert answer.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))
    if kind == "rate_limited":
        assert message(answer) == REFUSED
    assert sandbox.get(COUPON, **DAY).status_code == 200, "the fault was for one call, and locks nobody out"


def test_other_refusals_on_demand(sandbox: Publisher) -> None:
    for kind, status in (("wrong_credentials", 401), ("missing_scope", 403)):
        sandbox.fault(kind, path=COUPONS)
        answer = sandbox.get(COUPONS)
        assert answer.status_code == status
        assert message(answer)
    sandbox.fault("server_error", path=COUPON, after=1, status=502)
    assert [sandbox.get(COUPON, page=page, **DAY).status_code for page in (1, 2, 2)] == [200, 502, 200]
    sandbox.fault("expired_tokens", path=COUPON)
    assert sandbox.get(COUPON, **DAY).status_code == 200, "a key does not expire"
    sandbox.fault("truncated", path=COUPON)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        sandbox.get(COUPON, **DAY).json()
    sandbox.fault("drop", path=COUPON)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        sandbox.get(COUPON, **DAY)


def test_no_key_shows_in_a_setting_or_the_state(sandbox: Publisher) -> None:
    assert "canary" not in repr(BoostinyOptions(keys=("canary-2",)))
    with pytest.raises(SettingsError) as failure:
        build_app(SandboxSettings(options={"boostiny": {"keys": ["canary-3"], "calls": "many"}}))
    assert not re.search("canary", str(failure.value))
    assert KEY not in str(sandbox.admin("/state", method="GET"))


@pytest.mark.parametrize("options", [{"keys": []}, {"keys": [""]}, {"lockout_minutes": 0}, {"typo": 1}])
def test_options_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="boostiny"):
        build_app(SandboxSettings(options={"boostiny": options}))
