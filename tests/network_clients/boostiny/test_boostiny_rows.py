"""What Boostiny's rows become."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from network_clients.interface import ReadRequest
from network_clients.records import Campaign, Coupon, CurrencySource, Grain, Kind, Money, Purchase, Traffic
from tests.network_clients.boostiny.account import (
    CAMPAIGN,
    DAY,
    PURCHASES,
    ROW,
    MakeClient,
    listing,
    read,
    read_one,
    reason,
)
from tests.network_clients.wire import Wire

CAMPAIGNS, COUPONS = ReadRequest(Kind.CAMPAIGNS), ReadRequest(Kind.COUPONS)


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD", CurrencySource.NETWORK)


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def test_a_report_row_becomes_a_purchase_of_several_orders(wire: Wire, make_client: MakeClient) -> None:
    wire.script(listing(ROW))
    purchase: Purchase = read_one(make_client(), Kind.PURCHASES)
    assert purchase.key == "9001|77001|2026-03-04|||"
    assert (purchase.grain, purchase.traffic, purchase.day) == (Grain.REPORT_ROW, Traffic.COUPON, DAY)
    assert (purchase.orders, purchase.gross_orders) == (3, 4)
    assert (purchase.commission, purchase.gross_commission) == (usd("9.3000"), usd("12.5000"))
    assert (purchase.sale, purchase.gross_sale) == (usd("190.60"), usd("245.05"))
    assert (purchase.campaign_key, purchase.campaign_name) == ("9001", "Example Store")
    assert (purchase.coupon_code, purchase.order_ref, purchase.country) == ("Ex10", None, None)
    assert (purchase.status, purchase.status_word) == (None, None)
    assert (purchase.occurred_at, purchase.changed_at) == (None, None)


def test_numbers_may_be_numbers_or_text(wire: Wire, make_client: MakeClient) -> None:
    client = make_client()
    wire.script(listing(ROW))
    as_text: Purchase = read_one(client, Kind.PURCHASES)
    numbers = {"orders": 4, "net_orders": 3.0, "revenue": 12.5, "net_revenue": 9.3,
               "sales_amount_usd": 245.05, "net_sales_amount_usd": 190.6, "campaign_id": 9001,
               "code_id": 77001}  # fmt: skip
    wire.script(listing(ROW | numbers))
    as_number: Purchase = read_one(client, Kind.PURCHASES)
    for name in ("key", "orders", "gross_orders", "sale", "gross_sale", "commission", "gross_commission"):
        assert getattr(as_text, name) == getattr(as_number, name), name


@pytest.mark.parametrize(
    ("sent", "orders"), [("4", 4), (4, 4), ("4.0", 4), (4.00, 4), ("0", 0), (None, None), ("", None)]
)
def test_orders_are_counted_whole(
    wire: Wire, make_client: MakeClient, sent: object, orders: int | None
) -> None:
    wire.script(listing(ROW | {"net_orders": sent}))
    assert read_one(make_client(), Kind.PURCHASES).orders == orders


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"net_orders": "3.5"}, "net_orders is not a whole number"),
        ({"orders": "a few"}, "orders is not a number"),
        ({"net_revenue": "NaN"}, "net_revenue is not a number"),
        ({"sales_amount_usd": "1,245.05"}, "sales_amount_usd is not a number"),
        ({"campaign_id": None}, "campaign_id is missing"),
        ({"campaign_id": " "}, "campaign_id is missing"),
        ({"date": "2026-02-31"}, "date is a time that does not exist"),
        ({"date": "2026-03-05"}, "date is 2026-03-05, while 2026-03-04 to 2026-03-04 was asked for"),
        ({"date": "1772582400"}, "date is not a time"),
    ],
)
def test_a_row_that_cannot_be_read_truthfully_is_set_aside(
    wire: Wire, make_client: MakeClient, change: dict[str, Any], text: str
) -> None:
    wire.script(listing(ROW | change))
    assert text in reason(make_client())


@pytest.mark.parametrize("sent", ["2026-03-04", "2026-03-04 00:00:00", "2026-03-04T13:00:00Z"])
def test_a_row_has_the_same_key_however_its_day_is_written(
    wire: Wire, make_client: MakeClient, sent: str
) -> None:
    wire.script(listing(ROW | {"date": sent}))
    purchase = read_one(make_client(), Kind.PURCHASES)
    assert (purchase.key, purchase.day) == ("9001|77001|2026-03-04|||", DAY)


@pytest.mark.parametrize("row", [without(ROW, "date"), ROW | {"date": None}, ROW | {"date": ""}])
def test_a_row_without_a_date_belongs_to_the_day_that_was_asked_for(
    wire: Wire, make_client: MakeClient, row: dict[str, Any]
) -> None:
    wire.script(listing(row))
    purchase = read_one(make_client(), Kind.PURCHASES)
    assert (purchase.key, purchase.day) == ("9001|77001|2026-03-04|||", DAY)


def test_a_row_without_a_date_cannot_be_read_from_several_days(wire: Wire, make_client: MakeClient) -> None:
    wire.script(listing(ROW, without(ROW, "date")))
    week = ReadRequest(Kind.PURCHASES, date(2026, 3, 1), date(2026, 3, 7))
    (page,) = read(make_client(window_days="7"), week)
    assert [record.day for record in page.records if isinstance(record, Purchase)] == [DAY]
    (row,) = page.rejected
    assert "Days per request (window_days) to 1" in row.reason
    assert row.key is None, "nobody can tell which row it is, so nothing may be taken for vanished"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"code_id": None}, "9001|Ex10|2026-03-04|||"),
        ({"code": None, "code_id": None}, "9001||2026-03-04|||"),
        ({"country": "ARE"}, "9001|77001|2026-03-04|ARE||"),
        ({"country": "AE", "customer_type": "new"}, "9001|77001|2026-03-04|AE|new|"),
        ({"order_id": "A-1"}, "9001|77001|2026-03-04|||A-1"),
    ],
)
def test_whatever_splits_the_report_belongs_to_the_key(
    wire: Wire, make_client: MakeClient, change: dict[str, Any], key: str
) -> None:
    wire.script(listing(ROW | change))
    assert read_one(make_client(), Kind.PURCHASES).key == key


@pytest.mark.parametrize(
    ("sent", "country"), [("AE", "AE"), ("ae", "AE"), ("ARE", "AE"), ("KSA", None), (None, None)]
)
def test_a_country_is_a_code_of_two_letters(
    wire: Wire, make_client: MakeClient, sent: str | None, country: str | None
) -> None:
    wire.script(listing(ROW | {"country": sent}))
    assert read_one(make_client(), Kind.PURCHASES).country == country


def test_links_and_codes_are_read_apart_and_never_mixed_up(wire: Wire, make_client: MakeClient) -> None:
    link = without(ROW, "code", "code_id")
    wire.script(listing(ROW), listing(link))
    coupon_page, link_page = read(make_client(link_traffic="yes"), PURCHASES)
    (by_code,), (by_link,) = coupon_page.records, link_page.records
    assert (by_code.key, by_link.key) == ("9001|77001|2026-03-04|||", "link:9001||2026-03-04|||")
    assert [seen.path for seen in wire.seen] == ["/publisher/performance", "/publisher/link-performance"]


def test_a_line_of_sums_is_left_out_without_a_word(wire: Wire, make_client: MakeClient) -> None:
    sums = without(ROW, "campaign_id", "campaign_name", "code", "code_id", "date")
    sums |= {"period_from": "2026-03-04", "period_to": "2026-03-04"}
    wire.script(listing(ROW, sums))
    (page,) = read(make_client(), PURCHASES)
    assert (len(page.records), page.rejected, page.counted, page.skipped) == (1, (), 1, 1)
    assert page.items == ("9001|77001|2026-03-04|||",)


def test_the_number_of_rows_in_the_list_is_not_kept_with_a_row(wire: Wire, make_client: MakeClient) -> None:
    client, kept = make_client(), []
    for count in ("1", "2"):
        wire.script(listing(ROW | {"full_count": count}))
        kept.append(read_one(client, Kind.PURCHASES).raw)
    assert kept[0] == kept[1]
    assert json.loads(kept[0]) == ROW | {"full_count": None}


def test_two_rows_with_the_same_identity_both_come(wire: Wire, make_client: MakeClient) -> None:
    wire.script(listing(ROW, ROW | {"orders": "9"}))
    (page,) = read(make_client(), PURCHASES)
    assert [record.key for record in page.records] == ["9001|77001|2026-03-04|||"] * 2


@pytest.mark.parametrize(
    ("own", "currency", "source"),
    [
        ({}, "USD", CurrencySource.NETWORK),
        ({"currency": ""}, "USD", CurrencySource.NETWORK),
        ({"currency": "usd"}, "USD", CurrencySource.ACCOUNT),
        ({"currency": "AED"}, "AED", CurrencySource.ACCOUNT),
    ],
)
def test_the_commissions_currency_and_who_says_so(
    wire: Wire, make_client: MakeClient, own: dict[str, str], currency: str, source: CurrencySource
) -> None:
    wire.script(listing(ROW))
    purchase: Purchase = read_one(make_client(**own), Kind.PURCHASES)
    assert purchase.commission == Money(Decimal("9.3000"), currency, source)
    assert purchase.gross_commission == Money(Decimal("12.5000"), currency, source)
    assert purchase.sale == usd("190.60"), "the field itself says USD"


def test_a_campaign(wire: Wire, make_client: MakeClient) -> None:
    wire.script(listing(CAMPAIGN))
    campaign: Campaign = read_one(make_client(), Kind.CAMPAIGNS)
    assert (campaign.key, campaign.name) == ("9001", "Example Store")
    assert (campaign.status, campaign.connection, campaign.currency) == (None, None, None)
    assert campaign.site_url == "https://shop.example/"
    assert campaign.tracking_url == "https://go.example/9001"
    assert campaign.logo_url == "https://cdn.example/9001.png"
    assert (campaign.countries, campaign.categories) == (("AE", "SA"), ("Fashion",))
    assert campaign.description == "<p>Shop &amp; save</p>"
    assert json.loads(campaign.raw) == CAMPAIGN


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"status": "active"}, "status", "active"),
        ({"application_status": "approved"}, "connection", "approved"),
        ({"category": None}, "categories", ()),
        ({"category": {"id": 3, "name": "Travel"}}, "categories", ("Travel",)),
        ({"tracking_link_details": None}, "tracking_url", None),
        ({"tracking_link_details": {"tracking_links": None}}, "tracking_url", None),
        ({"tracking_link_details": {"tracking_links": []}}, "tracking_url", None),
        ({"tracking_link_details": {"tracking_links": [{"url": "javascript:x"}]}}, "tracking_url", None),
        ({"campaign_description": None}, "site_url", None),
        ({"targetCountries": None}, "countries", ()),
        ({"targetCountries": [{"code": "EGY"}, {"code": "EG"}, {"code": "GCC"}]}, "countries", ("EG",)),
    ],
)
def test_what_a_campaign_may_lack_or_write_otherwise(
    wire: Wire, make_client: MakeClient, change: dict[str, Any], field: str, value: object
) -> None:
    wire.script(listing(CAMPAIGN | change))
    assert getattr(read_one(make_client(), Kind.CAMPAIGNS), field) == value


def test_the_coupons_inside_a_campaign(wire: Wire, make_client: MakeClient) -> None:
    wire.script(listing(CAMPAIGN, CAMPAIGN | {"id": 9002, "coupons": None}))
    (page,) = read(make_client(), COUPONS)
    first, second = page.records
    assert isinstance(first, Coupon)
    assert isinstance(second, Coupon)
    assert (first.key, second.key) == ("9001|Ex10", "9001|ex10"), "the letter case is kept"
    assert (first.code, first.campaign_key, first.campaign_name) == ("Ex10", "9001", "Example Store")
    assert (first.starts_at, second.starts_at) == (datetime(2026, 1, 15, tzinfo=UTC), None)
    assert (first.countries, second.countries) == (("AE", "SA"), ())
    embedded = {"campaign_id": 9001, "campaign_name": "Example Store"}
    assert json.loads(second.raw) == CAMPAIGN["coupons"][1] | embedded
    assert (page.counted, page.total, page.items) == (2, 2, ("9001", "9002")), "campaigns are paged"


@pytest.mark.parametrize(
    ("coupons", "reasons"),
    [
        ([{"coupon": None}, {"coupon": "A"}], ["coupon is missing, so the row cannot be told from others."]),
        (["A", {"coupon": "A"}], ["The row is not a JSON object."]),
        ([{"coupon": "B", "countries": "AE"}, {"coupon": "A"}], ["countries is not a list."]),
    ],
)
def test_a_bad_coupon_harms_no_other_of_its_campaign(
    wire: Wire, make_client: MakeClient, coupons: list[Any], reasons: list[str]
) -> None:
    wire.script(listing(CAMPAIGN | {"coupons": coupons}))
    (page,) = read(make_client(), COUPONS)
    assert [record.key for record in page.records] == ["9001|A"]
    assert [row.reason for row in page.rejected] == reasons


def test_a_campaign_whose_coupons_cannot_be_read_is_set_aside_for_them(
    wire: Wire, make_client: MakeClient
) -> None:
    client = make_client()
    wire.script(listing(CAMPAIGN | {"coupons": "Ex10"}))
    (page,) = read(client, COUPONS)
    (row,) = page.rejected
    assert (page.records, row.reason, row.key) == ((), "coupons is not a list.", None)
    assert read_one(client, Kind.CAMPAIGNS).key == "9001"
