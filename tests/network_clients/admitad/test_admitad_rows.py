"""What Admitad's rows become."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from network_clients.records import (
    Campaign,
    Coupon,
    CurrencySource,
    Kind,
    Money,
    Purchase,
    Status,
    Traffic,
)
from tests.network_clients.admitad.account import (
    ACTION,
    PURCHASES,
    TOKEN,
    MakeClient,
    listing,
    read,
    read_one,
)
from tests.network_clients.wire import Wire


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
