"""How an Admitad account is asked, and what its refusals mean."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
import time_machine

from network_clients.errors import (
    CredentialsRejectedError,
    NetworkError,
    NetworkUnavailableError,
    NotConfiguredError,
    RateLimitedError,
    RequestRefusedError,
    ScopeMissingError,
)
from network_clients.facts import Filter
from network_clients.interface import ReadRequest
from network_clients.records import (
    Kind,
)
from network_clients.tokens import MemoryTokenStore
from tests.network_clients.admitad.account import (
    ACTION,
    NEW_TOKEN,
    PURCHASES,
    TOKEN,
    MakeClient,
    listing,
    read,
)
from tests.network_clients.wire import Reply, Wire

COUPON_FILTERS = [("language", "en"), ("order_by", "date_start"), ("order_by", "name")]
DAY_FILTERS = [("order_by", "datetime"), ("date_start", "01.03.2026"), ("date_end", "31.03.2026")]
CHANGES = ReadRequest(Kind.PURCHASES, date(2026, 3, 1), date(2026, 3, 31), Filter.CHANGED)


@pytest.mark.parametrize(
    ("website", "scope"),
    [
        ("", "advcampaigns coupons statistics"),
        ("2200101", "advcampaigns_for_website coupons_for_website statistics"),
    ],
)
def test_the_token_is_bought_for_the_scopes_that_are_used(
    wire: Wire, make_client: MakeClient, website: str, scope: str
) -> None:
    wire.script(TOKEN, listing())
    read(make_client(website_id=website), PURCHASES)
    token, page = wire.seen
    assert (token.method, token.path) == ("POST", "/token/")
    assert parse_qs(token.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["app-1"],
        "scope": [scope],
    }
    assert token.headers["Authorization"] == "Basic YXBwLTE6c2VjcmV0LTE="
    assert page.headers["Authorization"] == "Bearer t-1"


@pytest.mark.parametrize(
    ("kind", "website", "path", "filters"),
    [
        (Kind.CAMPAIGNS, "", "/advcampaigns/", [("language", "en")]),
        (Kind.CAMPAIGNS, "7", "/advcampaigns/website/7/", [("language", "en")]),
        (Kind.COUPONS, "", "/coupons/", COUPON_FILTERS),
        (Kind.COUPONS, "7", "/coupons/website/7/", COUPON_FILTERS),
        (Kind.PURCHASES, "", "/statistics/actions/", DAY_FILTERS),
        (Kind.PURCHASES, "7", "/statistics/actions/", [("website", "7"), *DAY_FILTERS]),
    ],
)
def test_each_kind_is_asked_for_at_its_address(
    wire: Wire, make_client: MakeClient, kind: Kind, website: str, path: str, filters: list[tuple[str, str]]
) -> None:
    wire.script(TOKEN, listing())
    read(make_client(website_id=website), PURCHASES if kind is Kind.PURCHASES else ReadRequest(kind))
    assert wire.seen[1].path == path
    assert wire.seen[1].params == [*filters, ("limit", "500"), ("offset", "0")]


def test_changes_are_asked_for_up_to_a_moment_ago_that_stays_the_same_for_the_whole_read(
    wire: Wire, make_client: MakeClient
) -> None:
    first = [ACTION | {"action_id": number} for number in range(500)]
    wire.script(TOKEN, listing(*first, count=501), listing(*first[-1:], ACTION, count=501))
    with time_machine.travel(datetime(2026, 3, 15, 9, 0, tzinfo=UTC), tick=False) as clock:
        client = make_client()
        client.pages_at_once = 1  # type: ignore[misc]
        (part,) = client.slices(CHANGES)
        pages = client.pages(Kind.PURCHASES, part)
        cursor = next(pages).cursor
        clock.shift(600)
        assert len(list(client.pages(Kind.PURCHASES, part, cursor))) == 1
    asked = [dict(seen.params) for seen in wire.seen if seen.path == "/statistics/actions/"]
    # 09:00 UTC is 12:00 in Moscow.
    assert [params["status_updated_end"] for params in asked] == ["15.03.2026 11:55:00"] * 2
    assert {params["status_updated_start"] for params in asked} == {"01.03.2026 00:00:00"}
    assert [params["offset"] for params in asked] == ["0", "499"]
    assert not any("date_start" in params for params in asked)


def test_changes_of_past_days_are_asked_for_to_their_last_second(wire: Wire, make_client: MakeClient) -> None:
    wire.script(TOKEN, listing())
    with time_machine.travel(datetime(2026, 4, 15, tzinfo=UTC)):
        read(make_client(), CHANGES)
    assert ("status_updated_end", "31.03.2026 23:59:59") in wire.seen[1].params


def test_changes_of_the_future_are_an_empty_page_without_a_request(
    wire: Wire, make_client: MakeClient
) -> None:
    with time_machine.travel(datetime(2026, 2, 28, 21, 1, tzinfo=UTC)):
        (page,) = read(make_client(), CHANGES)
    assert (page.records, page.total, page.cursor) == ((), 0, None)
    assert wire.seen == []


def problem(status: int, error: str, code: int | None = None) -> Reply:
    body: dict[str, Any] = {"error": error, "error_description": "d"}
    return Reply(status, json.dumps(body if code is None else body | {"error_code": code}).encode())


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        (problem(503, "rate_limit", 4), RateLimitedError, "too many requests"),
        (problem(503, "down"), NetworkUnavailableError, "tries again"),
        (Reply(503, b"<html>"), NetworkUnavailableError, "tries again"),
        (problem(429, "rate_limit"), RateLimitedError, "too many requests"),
        (problem(403, "insufficient_scope", 2), ScopeMissingError, "Tick statistics in its scopes"),
        (Reply(403, b"forbidden"), ScopeMissingError, "Tick statistics in its scopes"),
        (problem(400, "bad_request", 3), RequestRefusedError, "Check the fields"),
        (problem(404, "not_found"), RequestRefusedError, "Check the fields"),
        (problem(410, "gone"), RequestRefusedError, "no longer offers"),
        (problem(401, "invalid_token", 0), CredentialsRejectedError, "enter them again"),
        (problem(400, "invalid_token", 1), CredentialsRejectedError, "enter them again"),
    ],
)
def test_what_admitad_says_no_with(
    wire: Wire, make_client: MakeClient, reply: Reply, kind: type[NetworkError], text: str
) -> None:
    client = make_client()
    wire.script(TOKEN, listing())
    read(client, PURCHASES)
    wire.script(reply)
    if kind is CredentialsRejectedError:
        wire.script(reply, TOKEN, reply)
    with pytest.raises(kind, match=text):
        read(client, PURCHASES)


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        (problem(401, "invalid_client"), CredentialsRejectedError, "admitad_default"),
        (problem(400, "invalid_scope"), ScopeMissingError, "Tick advcampaigns coupons statistics"),
        (problem(400, "too_many_tokens", 6), RequestRefusedError, "too many are live"),
        (problem(503, "rate_limit", 4), RateLimitedError, "too many requests"),
    ],
)
def test_no_token_is_to_be_had(
    wire: Wire, make_client: MakeClient, reply: Reply, kind: type[NetworkError], text: str
) -> None:
    wire.script(reply)
    with pytest.raises(kind, match=text):
        read(make_client(), PURCHASES)


LISTS = ["/advcampaigns/", "/coupons/", "/statistics/actions/"]
NO_SCOPE = problem(403, "insufficient_scope", 2)


def test_checks_ask_with_the_shared_token_and_buy_none(wire: Wire, make_client: MakeClient) -> None:
    client = make_client()
    wire.script(TOKEN, listing())
    for _ in range(10):
        client.check()
    assert [seen.path for seen in wire.seen] == ["/token/", *LISTS * 10]
    assert all(dict(seen.params)["limit"] == "1" for seen in wire.seen[1:])


def test_a_check_that_misses_a_scope_asks_once_more_with_a_new_token(
    wire: Wire, make_client: MakeClient
) -> None:
    store = MemoryTokenStore()
    wire.script(TOKEN, listing())
    read(make_client(tokens=store), PURCHASES)
    wire.seen.clear()
    wire.script(listing(), NO_SCOPE, listing(), NEW_TOKEN, listing())
    report = make_client(tokens=store).check()
    assert [seen.path for seen in wire.seen] == [*LISTS, "/token/", *LISTS]
    assert [seen.headers["Authorization"] for seen in wire.seen[4:]] == ["Bearer t-2"] * 3
    assert (set(report.readable), report.missing, report.notes) == (set(Kind), {}, ())
    wire.seen.clear()
    wire.script(listing())
    read(make_client(tokens=store), PURCHASES)
    assert wire.seen[0].headers["Authorization"] == "Bearer t-2", "the new one is shared"


def test_a_scope_that_a_new_token_lacks_too_is_missing(wire: Wire, make_client: MakeClient) -> None:
    wire.script(TOKEN, listing(), NO_SCOPE, listing())
    report = make_client().check()
    assert [seen.path for seen in wire.seen] == ["/token/", *LISTS], "a token that is new is not renewed"
    assert "Tick coupons in its scopes" in report.missing[Kind.COUPONS]


def test_a_refused_token_is_renewed_once_by_a_check(wire: Wire, make_client: MakeClient) -> None:
    store = MemoryTokenStore()
    wire.script(TOKEN, listing())
    read(make_client(tokens=store), PURCHASES)
    wire.seen.clear()
    wire.script(problem(401, "invalid_token", 0), NEW_TOKEN, listing(), NO_SCOPE, listing())
    report = make_client(tokens=store).check()
    assert [seen.path for seen in wire.seen] == ["/advcampaigns/", "/token/", *LISTS]
    assert list(report.missing) == [Kind.COUPONS]


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (problem(400, "too_many_tokens", 6), "too many are live"),
        (problem(400, "invalid_scope"), "Tick advcampaigns coupons statistics"),
    ],
)
def test_when_no_new_token_is_to_be_had_a_check_tells_what_the_old_one_can_read(
    wire: Wire, make_client: MakeClient, reply: Reply, text: str
) -> None:
    store = MemoryTokenStore()
    wire.script(TOKEN, listing())
    read(make_client(tokens=store), PURCHASES)
    wire.script(listing(), NO_SCOPE, listing(), reply)
    report = make_client(tokens=store).check()
    assert list(report.missing) == [Kind.COUPONS]
    assert text in report.notes[0]
    wire.script(NO_SCOPE, NO_SCOPE, NO_SCOPE, reply)
    with pytest.raises(NetworkError, match=text):
        make_client(tokens=store).check()


def test_a_refusal_that_is_about_no_scope_buys_no_token(wire: Wire, make_client: MakeClient) -> None:
    store = MemoryTokenStore()
    wire.script(TOKEN, listing())
    read(make_client(tokens=store), PURCHASES)
    wire.seen.clear()
    wire.script(problem(410, "gone"), listing())
    report = make_client(tokens=store).check()
    assert [seen.path for seen in wire.seen] == LISTS
    assert list(report.missing) == [Kind.CAMPAIGNS]


def test_an_ad_space_id_must_be_a_number(make_client: MakeClient) -> None:
    with pytest.raises(NotConfiguredError, match="ad space id in the connection admitad_default"):
        make_client(website_id="7/../../token")


@pytest.mark.parametrize("name", ["login", "password"])
def test_a_missing_field_is_named(make_client: MakeClient, name: str) -> None:
    with pytest.raises(NotConfiguredError, match="Client"):
        make_client(**{name: " "})


def test_a_time_zone_that_does_not_exist_is_named(make_client: MakeClient) -> None:
    with pytest.raises(NotConfiguredError, match="Mars/Base"):
        make_client(timezone="Mars/Base")


def test_purchases_cannot_be_read_without_days(make_client: MakeClient) -> None:
    with pytest.raises(ValueError, match="days"):
        read(make_client(), ReadRequest(Kind.PURCHASES))
