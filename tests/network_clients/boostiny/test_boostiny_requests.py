"""How a Boostiny account is asked, and what its refusals mean."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine

from network_clients.errors import (
    CredentialsRejectedError,
    NetworkError,
    NetworkUnavailableError,
    RateLimitedError,
    RequestRefusedError,
    ScopeMissingError,
    UnexpectedAnswerError,
    WaitTooLongError,
)
from network_clients.interface import ReadRequest
from network_clients.records import Kind
from tests.network_clients.boostiny.account import PURCHASES, ROW, MakeClient, listing, read
from tests.network_clients.nobody import QUICK, WatchedLimiter
from tests.network_clients.wire import Reply, Wire

MARCH = ReadRequest(Kind.PURCHASES, date(2026, 3, 1), date(2026, 3, 3))
PAGE = [("page", "1"), ("limit", "100")]


def test_the_bare_key_is_the_whole_authorization(wire: Wire, make_client: MakeClient) -> None:
    wire.script(listing())
    read(make_client(), PURCHASES)
    (seen,) = wire.seen
    assert (seen.method, seen.headers["Authorization"]) == ("GET", "key-0123456789")
    assert seen.headers["Accept"] == "application/json"


@pytest.mark.parametrize("kind", [Kind.CAMPAIGNS, Kind.COUPONS])
def test_coupons_are_found_inside_campaigns(wire: Wire, make_client: MakeClient, kind: Kind) -> None:
    wire.script(listing())
    read(make_client(), ReadRequest(kind))
    (seen,) = wire.seen
    assert (seen.path, seen.params) == ("/publisher/campaigns", PAGE)


def test_purchases_are_asked_for_day_by_day_in_both_kinds_of_traffic(
    wire: Wire, make_client: MakeClient
) -> None:
    wire.script(listing())
    client = make_client(link_traffic="yes")
    read(client, MARCH)
    days = ("2026-03-01", "2026-03-02", "2026-03-03")
    assert [(seen.path, seen.params) for seen in wire.seen] == [
        (f"/publisher/{report}", [("from", day), ("to", day), *PAGE])
        for day in days
        for report in ("performance", "link-performance")
    ]
    assert [part.key for part in client.slices(MARCH)][:2] == [
        "occurred:2026-03-01..2026-03-01 coupon",
        "occurred:2026-03-01..2026-03-01 link",
    ]


def test_days_may_be_asked_for_several_at_a_time(make_client: MakeClient) -> None:
    parts = make_client(window_days="2").slices(MARCH)
    assert [(str(part.start), str(part.end)) for part in parts] == [
        ("2026-03-01", "2026-03-02"),
        ("2026-03-03", "2026-03-03"),
    ]


def test_days_to_read_again_come_after_the_units_own(make_client: MakeClient) -> None:
    earlier = tuple(date(2026, 2, day) for day in (1, 2, 3, 7))
    request = ReadRequest(Kind.PURCHASES, date(2026, 3, 1), date(2026, 3, 1), earlier=earlier)
    parts = make_client(window_days="2").slices(request)
    assert [part.key for part in parts] == [
        "occurred:2026-03-01..2026-03-01 coupon",
        "occurred:2026-02-01..2026-02-02 coupon",
        "occurred:2026-02-03..2026-02-03 coupon",
        "occurred:2026-02-07..2026-02-07 coupon",
    ]


def rows(first: int, last: int) -> list[dict[str, Any]]:
    return [ROW | {"code_id": str(number)} for number in range(first, last)]


def test_the_page_size_is_the_servers(wire: Wire, make_client: MakeClient) -> None:
    wire.script(
        *(listing(*rows(n, n + 2), total=5, per_page=2) for n in (0, 2)), listing(*rows(4, 5), total=5)
    )
    pages = read(make_client(), PURCHASES)
    assert [dict(seen.params)["page"] for seen in wire.seen] == ["1", "2", "3"]
    assert [len(page.records) for page in pages] == [2, 2, 1]
    assert [page.cursor for page in pages] == [{"page": 2}, {"page": 3}, None]


@pytest.mark.parametrize("pagination", [{"total": 500, "perPage": 2}, {}])
def test_an_empty_page_is_the_end(wire: Wire, make_client: MakeClient, pagination: dict[str, int]) -> None:
    def page(*found: Any) -> Reply:
        return Reply(body=json.dumps({"payload": {"data": found, "pagination": pagination}}).encode())

    wire.script(page(*rows(0, 2)), page())
    assert [len(page.records) for page in read(make_client(), PURCHASES)] == [2, 0]


SUMS = {"full_count": "2", "orders": "8", "revenue": "25.0000"}


def test_the_sums_of_the_list_tell_its_version(wire: Wire, make_client: MakeClient) -> None:
    def versions(*sums: object) -> list[str | None]:
        pages = [
            listing(row, total=2, per_page=1, summary=s) for row, s in zip(rows(0, 2), sums, strict=True)
        ]
        wire.script(*pages)
        return [page.version for page in read(make_client(), PURCHASES)]

    same = versions(SUMS, dict(reversed(SUMS.items())))
    assert same[0] is not None
    assert same[0] == same[1]
    first, other = versions(SUMS, SUMS | {"revenue": "25.0001"})
    assert first == same[0] != other


@pytest.mark.parametrize("summary", [None, {}, [], {"orders": "4"}])
def test_sums_that_say_nothing_about_the_list_are_no_version(
    wire: Wire, make_client: MakeClient, summary: object
) -> None:
    # The last one: each page has sums of its own, which differ from page to page in a list at rest.
    wire.script(*(listing(row, total=2, per_page=1, summary=summary) for row in rows(0, 2)))
    assert [page.version for page in read(make_client(), PURCHASES)] == [None, None]


def problem(status: int, errors: object = "Go away", **headers: str) -> Reply:
    body = {"payload": {"errors": {"message": errors} if isinstance(errors, str) else errors}}
    return Reply(status, json.dumps(body).encode(), headers)


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        (problem(401), CredentialsRejectedError, r"says: Go away\. .*boostiny_default and enter the API key"),
        (problem(403), ScopeMissingError, r"says: Go away\. Ask Boostiny for access"),
        (problem(404), RequestRefusedError, r"says: Go away\. .*fields of the connection boostiny_default"),
        (problem(422, ["The from is", {"to": ["bad."]}]), RequestRefusedError, r"says: The from is bad\. "),
        (Reply(400, b'{"payload": {"errors": "Go away."}}'), RequestRefusedError, r"says: Go away\. "),
        (Reply(400, b'{"message": "Go away"}'), RequestRefusedError, r"says: Go away\. "),
        (Reply(400, b'{"error": "Go away"}'), RequestRefusedError, r"says: Go away\. "),
        (Reply(400, b'{"errors": ["Go", "away"]}'), RequestRefusedError, r"says: Go away\. "),
        (Reply(400, b"<html>"), RequestRefusedError, "Boostiny refused the request"),
        (Reply(401, b"[1, null]"), CredentialsRejectedError, "enter them again"),
        (problem(500), NetworkUnavailableError, "tries again by itself"),
        (problem(429), RateLimitedError, r"says: Go away\. The sync waits"),
        (Reply(429, b"Too Many Requests"), RateLimitedError, "waits and goes on by itself"),
        (Reply(body=b'{"payload": {}}'), UnexpectedAnswerError, "form that this version cannot read"),
    ],
)
def test_what_boostiny_says_no_with(
    wire: Wire, make_client: MakeClient, reply: Reply, kind: type[NetworkError], text: str
) -> None:
    wire.script(reply)
    with pytest.raises(kind, match=text):
        read(make_client(), PURCHASES)


@pytest.mark.parametrize(
    ("words", "header", "seconds"),
    [
        ("Too many requests. Please retry after 10 minutes.", None, 600),
        ("Too many requests. Please retry after 10 minutes.", "0", 600),
        ("Too many requests. Please retry after 10 minutes.", "45", 45),
        ("Try again in 1 minute", None, 60),
        ("Try again in 90 seconds", None, 90),
        ("Locked: 2 hours", None, 7200),
        ("1000 requests per 24 hours are allowed. Try again in 15 mins.", None, 900),
        ("Retry after 999999 hours", None, 86_400),
        ("Retry after 0 minutes", None, QUICK.first_gate),
        ("Too many attempts.", None, QUICK.first_gate),
    ],
)
def test_how_long_a_lockout_lasts(
    wire: Wire,
    make_client: MakeClient,
    limiter: WatchedLimiter,
    words: str,
    header: str | None,
    seconds: float,
) -> None:
    headers = {} if header is None else {"Retry-After": header}
    wire.script(problem(429, words, **headers), listing())
    read(make_client(), PURCHASES)
    assert limiter.gates == [seconds]


def test_a_lockout_without_any_hint_is_waited_out_for_minutes_and_longer_each_time(
    wire: Wire, make_client: MakeClient, limiter: WatchedLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real patience, not the tests' hasty one.
    monkeypatch.undo()
    wire.script(Reply(429))
    with pytest.raises(RateLimitedError):
        read(make_client(), PURCHASES)
    assert limiter.gates == [600, 1200, 2400, 3600]


def test_a_refusal_is_asked_again_when_the_gate_opens_and_not_before(
    wire: Wire, make_client: MakeClient, limiter: WatchedLimiter
) -> None:
    limiter.refusal = WaitTooLongError(datetime(2026, 3, 5, tzinfo=UTC), "the gate is closed")
    wire.script(problem(429, "Please retry after 10 minutes."))
    with pytest.raises(WaitTooLongError):
        read(make_client(), PURCHASES)
    assert len(wire.seen) == 1


def test_the_check_asks_once_for_each_list(wire: Wire, make_client: MakeClient) -> None:
    wire.script(listing())
    with time_machine.travel(datetime(2026, 3, 4, 21, tzinfo=UTC)):
        report = make_client(link_traffic="yes", timezone="Asia/Dubai").check()
    assert set(report.readable) == set(Kind)
    day = [("from", "2026-03-05"), ("to", "2026-03-05")]
    one = [("page", "1"), ("limit", "1")]
    assert [(seen.path, seen.params) for seen in wire.seen] == [
        ("/publisher/campaigns", one),
        ("/publisher/performance", [*day, *one]),
        ("/publisher/link-performance", [*day, *one]),
    ]


def test_without_link_traffic_the_check_does_not_ask_for_it(wire: Wire, make_client: MakeClient) -> None:
    wire.script(listing())
    make_client().check()
    assert [seen.path for seen in wire.seen] == ["/publisher/campaigns", "/publisher/performance"]


@pytest.mark.parametrize("status", [403, 404])
def test_link_traffic_that_is_refused_is_a_note_with_what_to_switch_off(
    wire: Wire, make_client: MakeClient, status: int
) -> None:
    wire.script(listing(), listing(), problem(status))
    report = make_client(link_traffic="yes").check()
    assert set(report.readable) == set(Kind)
    (note,) = report.notes
    assert "Go away" in note
    assert "switch Link traffic off in the connection boostiny_default" in note


def test_without_campaigns_there_are_no_coupons_either(wire: Wire, make_client: MakeClient) -> None:
    wire.script(problem(403), listing())
    report = make_client().check()
    assert report.readable == (Kind.PURCHASES,)
    assert set(report.missing) == {Kind.CAMPAIGNS, Kind.COUPONS}


def test_purchases_cannot_be_read_without_days(make_client: MakeClient) -> None:
    with pytest.raises(ValueError, match="days"):
        read(make_client(), ReadRequest(Kind.PURCHASES))
