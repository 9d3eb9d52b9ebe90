"""How an Admitad account is asked, and what its rows become."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest
import time_machine

from network_clients.admitad.client import AdmitadClient
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
from network_clients.interface import Credentials, ReadRequest
from network_clients.limits import NoLimiter
from network_clients.records import (
    Campaign,
    Coupon,
    CurrencySource,
    Kind,
    Money,
    Page,
    Purchase,
    Status,
    Traffic,
)
from network_clients.tokens import MemoryTokenStore
from tests.network_clients.conftest import QUICK
from tests.network_clients.wire import Reply, Wire

MakeClient = Callable[..., AdmitadClient]
TOKEN = Reply(body=b'{"access_token": "t-1", "token_type": "bearer", "expires_in": 604800, "scope": "s"}')

ACTION: dict[str, Any] = {
    "id": 700000001, "action_id": 700000001, "order_id": "A-100", "status": "pending",
    "advcampaign_id": 1001, "advcampaign_name": "Shop WW", "website_name": "my site", "action": "Paid order",
    "action_type": "sale", "tariff_id": 55, "cart": 120.5, "payment": 6.03, "currency": "USD",
    "promocode": "EX10", "subid": None, "subid1": "c-1", "subid2": None, "subid3": None, "subid4": None,
    "click_date": "2026-03-04 10:00:00", "action_date": "2026-03-04 10:02:15", "closing_date": None,
    "status_updated": "2026-03-05 00:30:00", "conversion_time": 135, "processed": 0, "paid": 0,
    "keyword": None, "comment": None, "click_user_ip": None, "click_user_referer": None,
    "click_country_code": "AE", "positions": [],
}  # fmt: skip


def listing(*rows: dict[str, Any], count: int | None = None) -> Reply:
    meta = {"count": len(rows) if count is None else count, "limit": 500, "offset": 0}
    return Reply(body=json.dumps({"results": rows, "_meta": meta}).encode())


@pytest.fixture
def make_client(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> MakeClient:
    monkeypatch.setattr(AdmitadClient, "patience", QUICK)

    def make(**values: str) -> AdmitadClient:
        known = {"host": wire.url, "login": "app-1", "password": "secret-1"} | values
        return AdmitadClient(Credentials("admitad_default", known), NoLimiter(), MemoryTokenStore())

    return make


def read(client: AdmitadClient, request: ReadRequest) -> list[Page]:
    return [page for part in client.slices(request) for page in client.pages(request.kind, part)]


def read_one(client: AdmitadClient, kind: Kind) -> Any:
    dated = kind is Kind.PURCHASES
    days = (date(2026, 3, 4), date(2026, 3, 4)) if dated else (None, None)
    (page,) = read(client, ReadRequest(kind, *days))
    (record,) = page.records
    return record


COUPON_FILTERS = [("language", "en"), ("order_by", "date_start"), ("order_by", "name")]
DAY_FILTERS = [("order_by", "datetime"), ("date_start", "01.03.2026"), ("date_end", "31.03.2026")]
PURCHASES = ReadRequest(Kind.PURCHASES, date(2026, 3, 1), date(2026, 3, 31))
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


def test_an_action_becomes_a_purchase(wire: Wire, make_client: MakeClient) -> None:
    wire.script(TOKEN, listing(ACTION))
    purchase: Purchase = read_one(make_client(), Kind.PURCHASES)
    assert purchase.key == "700000001"
    assert purchase.day == date(2026, 3, 4)
    assert purchase.occurred_at == datetime(2026, 3, 4, 7, 2, 15, tzinfo=UTC)
    assert purchase.clicked_at == datetime(2026, 3, 4, 7, 0, tzinfo=UTC)
    assert purchase.changed_at == datetime(2026, 3, 4, 21, 30, tzinfo=UTC)
    assert purchase.closed_at is None
    assert (purchase.campaign_key, purchase.campaign_name) == ("1001", "Shop WW")
    assert (purchase.coupon_code, purchase.order_ref, purchase.country) == ("EX10", "A-100", "AE")
    assert (purchase.status, purchase.status_word) == (Status.PENDING, "pending")
    assert purchase.sale == Money(Decimal("120.5"), "USD", CurrencySource.ROW)
    assert purchase.commission == Money(Decimal("6.03"), "USD", CurrencySource.ROW)
    assert purchase.sub_ids == ("", "c-1", "", "", "")
    assert purchase.orders == 1


@pytest.mark.parametrize(
    ("word", "paid", "status"),
    [
        ("pending", 0, Status.PENDING),
        ("open", 0, Status.PENDING),
        ("hold", 0, Status.PENDING),
        ("approved", 0, Status.APPROVED),
        ("approved_but_stalled", 0, Status.APPROVED),
        ("approved", 1, Status.PAID),
        ("approved", "1", Status.PAID),
        ("approved_but_stalled", 1, Status.PAID),
        ("Approved", None, Status.APPROVED),
        ("pending", 1, Status.PENDING),
        ("declined", 1, Status.DECLINED),
        ("rejected", 0, Status.DECLINED),
        ("frozen", 1, Status.UNKNOWN),
        (None, 0, Status.UNKNOWN),
    ],
)
def test_status_words_and_the_paid_flag(
    wire: Wire, make_client: MakeClient, word: str | None, paid: object, status: Status
) -> None:
    wire.script(TOKEN, listing(ACTION | {"status": word, "paid": paid}))
    purchase: Purchase = read_one(make_client(), Kind.PURCHASES)
    assert (purchase.status, purchase.status_word) == (status, word)


@pytest.mark.parametrize(
    ("click", "code", "traffic"),
    [
        ("2026-03-04 10:00:00", "EX10", Traffic.LINK),
        ("2026-03-04 10:00:00", None, Traffic.LINK),
        (None, "EX10", Traffic.COUPON),
        (None, None, None),
    ],
)
def test_how_an_order_came(
    wire: Wire, make_client: MakeClient, click: str | None, code: str | None, traffic: Traffic | None
) -> None:
    wire.script(TOKEN, listing(ACTION | {"click_date": click, "promocode": code}))
    assert read_one(make_client(), Kind.PURCHASES).traffic is traffic


@pytest.mark.parametrize(
    ("change", "sale"),
    [({"cart": None}, None), ({"cart": "80.00"}, "80.00"), ({"cart": 0}, "0"), ({"cart": ""}, None)],
)
def test_the_order_value_may_be_missing_or_text(
    wire: Wire, make_client: MakeClient, change: dict[str, Any], sale: str | None
) -> None:
    wire.script(TOKEN, listing(ACTION | change))
    found = read_one(make_client(), Kind.PURCHASES).sale
    assert found == (None if sale is None else Money(Decimal(sale), "USD", CurrencySource.ROW))


@pytest.mark.parametrize("closing", ["2026-04-30", "2026-04-30 00:00:00"])
def test_the_end_of_hold_comes_with_and_without_a_time(
    wire: Wire, make_client: MakeClient, closing: str
) -> None:
    wire.script(TOKEN, listing(ACTION | {"closing_date": closing}))
    closed = read_one(make_client(), Kind.PURCHASES).closed_at
    assert closed == datetime(2026, 4, 29, 21, tzinfo=UTC)


def test_the_customers_address_and_referer_are_not_kept(wire: Wire, make_client: MakeClient) -> None:
    personal = {"click_user_ip": "203.0.113.9", "click_user_referer": "https://mail.example/inbox"}
    wire.script(
        TOKEN, listing(ACTION | personal, ACTION | personal | {"action_id": 2, "action_date": "soon"})
    )
    (page,) = read(make_client(), PURCHASES)
    for kept in (page.records[0].raw, page.rejected[0].raw):
        assert b"203.0.113.9" not in kept
        assert b"mail.example" not in kept
        assert json.loads(kept)["click_user_ip"] is None
    assert json.loads(page.records[0].raw) == ACTION


def test_a_programme_becomes_a_campaign(wire: Wire, make_client: MakeClient) -> None:
    row = {
        "id": 1001, "name": "Shop WW", "status": "active", "connection_status": "pending", "rating": "5.00",
        "image": "//cdn.example/1001.png", "site_url": "https://shop.example/", "gotolink": "",
        "currency": "USD",
        "regions": [{"region": "RU"}, {"region": "00"}, {"region": "01"}, {"region": "AE"}],
        "categories": [{"id": 62, "name": "Fashion", "parent": None}], "description": "<p>Shop</p>",
        "avg_hold_time": None,
    }  # fmt: skip
    wire.script(TOKEN, listing(row))
    campaign: Campaign = read_one(make_client(website_id="7"), Kind.CAMPAIGNS)
    assert (campaign.key, campaign.name, campaign.status) == ("1001", "Shop WW", "active")
    assert (campaign.connection, campaign.currency) == ("pending", "USD")
    assert campaign.logo_url == "https://cdn.example/1001.png"
    assert (campaign.site_url, campaign.tracking_url) == ("https://shop.example/", None)
    assert (campaign.countries, campaign.categories) == (("RU", "AE"), ("Fashion",))
    assert campaign.description == "<p>Shop</p>"


def test_a_deal_becomes_a_coupon(wire: Wire, make_client: MakeClient) -> None:
    row = {
        "id": 5, "name": "15% off", "short_name": "15%", "description": "", "status": "active",
        "species": "promocode", "campaign": {"id": 1001, "name": "Shop WW", "site_url": "https://shop.example/"},
        "promocode": "SaveNow", "goto_link": "https://go.example/5/", "frameset_link": "", "discount": "15%",
        "date_start": "2030-01-15T00:00:00", "date_end": None, "exclusive": True, "regions": ["RU", "AE"],
    }  # fmt: skip
    wire.script(TOKEN, listing(row))
    coupon: Coupon = read_one(make_client(website_id="7"), Kind.COUPONS)
    assert (coupon.key, coupon.campaign_key, coupon.campaign_name) == ("5", "1001", "Shop WW")
    assert (coupon.code, coupon.name, coupon.description) == ("SaveNow", "15% off", None)
    assert (coupon.discount, coupon.url, coupon.status) == ("15%", "https://go.example/5/", "active")
    assert (coupon.starts_at, coupon.ends_at) == (datetime(2030, 1, 14, 21, tzinfo=UTC), None)
    assert (coupon.countries, coupon.is_exclusive) == (("RU", "AE"), True)


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


def test_the_check_buys_a_new_token_because_an_old_one_keeps_old_scopes(
    wire: Wire, make_client: MakeClient
) -> None:
    client = make_client()
    wire.script(TOKEN, listing())
    read(client, PURCHASES)
    wire.script(TOKEN, listing())
    client.check()
    asked = wire.seen[2:]
    assert [seen.path for seen in asked] == ["/token/", "/advcampaigns/", "/coupons/", "/statistics/actions/"]
    assert all(dict(seen.params)["limit"] == "1" for seen in asked[1:])


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
