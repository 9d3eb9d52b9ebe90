"""Boostiny's reports: their shape, totals against pages, days, filters, modes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
import requests

from tests.sandbox_networks.boostiny_caller import (
    CAMPAIGNS,
    COUPON,
    LINK,
    SUMMED,
    Publisher,
    Row,
    boostiny,
    days,
    summed,
)

RANGES = [("2026-02-01", "2026-02-28"), ("2026-03-04", "2026-03-04"), ("2025-11-20", "2025-12-02")]
RANGE = ("2026-03-01", "2026-03-04")
METRICS = {name for one in (*SUMMED, "aov_usd") for name in (one, f"net_{one}", f"{one}_cancellation_rate")}
IDENTITY = {"full_count", "campaign_id", "campaign_name", "campaign_logo", "automation", "last_updated_at"}
CODE = {"code", "code_id"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Publisher]:
    with boostiny() as publisher:
        yield publisher


def identity(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("campaign_id", "code", "code_id", "date", "country"))


@pytest.mark.parametrize(("path", "more"), [(COUPON, CODE), (LINK, set())])
def test_a_report_row_has_the_known_fields_and_every_number_is_text(
    sandbox: Publisher, path: str, more: set[str]
) -> None:
    rows = sandbox.report(path, *RANGE)
    assert rows
    for row in rows:
        assert row.keys() == IDENTITY | METRICS | more | {"date"}
        assert all(isinstance(value, str) for name, value in row.items() if name != "campaign_logo")
        assert re.fullmatch(r"\d+", row["orders"] + row["net_orders"])
        assert re.fullmatch(r"\d+\.\d{4}", row["revenue"])
        assert re.fullmatch(r"\d+\.\d{2}", row["net_sales_amount"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row["last_updated_at"])
        assert row["full_count"] == str(len(rows))


def test_net_is_part_of_gross_and_rates_follow_from_both(sandbox: Publisher) -> None:
    rows = sandbox.report(COUPON, "2026-01-01", "2026-01-31")
    cancelled = 0
    for row in rows:
        for name in SUMMED:
            gross, net = Decimal(row[name]), Decimal(row[f"net_{name}"])
            assert 0 <= net <= gross > 0
            rate = ((gross - net) * 100 / gross).quantize(Decimal("0.01"), ROUND_HALF_UP)
            assert Decimal(row[f"{name}_cancellation_rate"]) == rate
            cancelled += net < gross
        average = Decimal(row["sales_amount_usd"]) / int(row["orders"])
        assert abs(Decimal(row["aov_usd"]) - average) <= Decimal("0.005")
    assert len(rows) / 4 < cancelled < len(rows) * len(SUMMED) / 2
    assert any(row["net_orders"] == row["orders"] and row["net_revenue"] < row["revenue"] for row in rows)
    assert any(row["aov_usd_cancellation_rate"].startswith("-") for row in rows)


@pytest.mark.parametrize("path", [COUPON, LINK])
def test_the_summary_is_what_all_pages_add_up_to(sandbox: Publisher, path: str) -> None:
    rows = sandbox.report(path, *RANGES[0])
    for page in (1, 2, 99):
        summary = sandbox.page(path, page, **days(*RANGES[0]))["summary"]
        assert summary.keys() == METRICS | {"full_count"}
        assert {name: Decimal(summary[name]) for name in summed(rows)} == summed(rows)
        assert summary["full_count"] == str(len(rows))


@pytest.mark.parametrize("window", RANGES)
def test_totals_equal_what_all_pages_add_up_to(sandbox: Publisher, window: tuple[str, str]) -> None:
    coupon, link = (sandbox.report(path, *window) for path in (COUPON, LINK))
    totals = sandbox.totals(**days(*window))
    assert totals["count"] == len(coupon) + len(link) > 0
    sums = summed(coupon + link)
    (told,) = totals["statuses"]["not reported"].values()
    assert list(totals["statuses"]["not reported"]) == ["USD"]
    assert told["rows"] == totals["count"]
    assert Decimal(told["payment"]) == sums["net_revenue"]
    assert Decimal(told["cart"]) == sums["net_sales_amount_usd"]
    assert totals["orders"] == sums["net_orders"]
    assert {name: Decimal(value) for name, value in totals["gross"].items()} == {
        "orders": sums["orders"],
        "payment": sums["revenue"],
        "cart": sums["sales_amount_usd"],
    }
    for traffic, rows in (("coupon", coupon), ("link", link)):
        part = totals["by_traffic"][traffic]
        assert part["rows"] == len(rows)
        assert Decimal(part["payment"]) == summed(rows)["net_revenue"]
        assert Decimal(part["cart"]) == summed(rows)["net_sales_amount_usd"]
    assert totals["unstorable"] == {}


@pytest.mark.parametrize("query", [{}, {"from": "2026-02-01"}, {"from": "x", "to": "y"}])
def test_totals_say_what_they_need(sandbox: Publisher, query: dict[str, str]) -> None:
    answer = requests.get(f"{sandbox.url}/_admin/totals/boostiny", params=query, timeout=10)
    assert answer.status_code == 400
    assert "YYYY-MM-DD" in answer.json()["error"]


def test_pages_hold_each_row_once_in_order_whatever_their_size(sandbox: Publisher) -> None:
    rows = sandbox.report(COUPON, *RANGE)
    assert len({identity(row) for row in rows}) == len(rows)
    assert rows == sorted(rows, key=lambda row: (row["campaign_name"], row["code"], row["date"]))
    with boostiny(per_page=7) as publisher:
        assert publisher.report(COUPON, *RANGE) == rows


@pytest.mark.parametrize("path", [COUPON, LINK])
def test_both_ends_of_a_range_count_and_days_add_up_to_it(sandbox: Publisher, path: str) -> None:
    first = date.fromisoformat(RANGE[0])
    by_day = [row for n in range(4) for row in sandbox.report(path, first + timedelta(days=n))]
    whole = sandbox.report(path, *RANGE)
    assert {row["date"] for row in whole} == {str(first + timedelta(days=n)) for n in range(4)}

    def shown(rows: Sequence[Row]) -> list[Row]:
        return sorted(
            (row | {"full_count": ""} for row in rows), key=lambda row: list(map(str, identity(row)))
        )

    assert shown(by_day) == shown(whole)
    assert sandbox.report(path, "2026-03-11", "2026-12-31") == []
    assert sandbox.report(path, "2025-11-30") == []
    assert sandbox.report(path, "0001-01-01", "9999-12-31")


def test_a_day_has_so_many_rows_at_most_and_links_a_fifth(sandbox: Publisher) -> None:
    for n in range(20):
        day = date(2026, 2, 1) + timedelta(days=n)
        assert 30 <= len(sandbox.report(COUPON, day)) <= 40
        assert 5 <= len(sandbox.report(LINK, day)) <= 8
    with boostiny({"rows_per_day": 1}) as publisher:
        assert len(publisher.report(LINK, "2026-02-01")) <= 3
        assert len(publisher.report(LINK, "2026-02-01", "2026-02-10")) > 20


def test_ids_are_text_in_reports_and_numbers_among_campaigns(sandbox: Publisher) -> None:
    campaigns = {row["id"]: row for row in sandbox.rows(CAMPAIGNS)}
    assert all(isinstance(number, int) for number in campaigns)
    for path in (COUPON, LINK):
        for row in sandbox.report(path, "2026-03-09", "2026-03-10"):
            campaign = campaigns[int(row["campaign_id"])]
            assert row["campaign_name"] == campaign["name"]
            assert row["campaign_logo"] == campaign["logo"]
            if path == COUPON:
                assert row["code"] in {coupon["coupon"] for coupon in campaign["coupons"]}
            else:
                assert campaign["tracking_link_details"]


def test_codes_that_differ_in_letter_case_only_are_rows_of_their_own(sandbox: Publisher) -> None:
    codes: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for row in sandbox.report(COUPON, *RANGES[0]):
        codes[row["campaign_id"], row["date"], row["code"].lower()].add(row["code"])
    assert any(len(spelled) == 2 for spelled in codes.values())


@pytest.mark.parametrize("path", [COUPON, LINK])
def test_campaigns_can_be_picked_by_id_or_by_name(sandbox: Publisher, path: str) -> None:
    rows = sandbox.report(path, *RANGE)
    chosen = rows[len(rows) // 2]
    expected = [identity(row) for row in rows if row["campaign_id"] == chosen["campaign_id"]]
    for query in (
        {"campaign_id": chosen["campaign_id"]},
        {"campaign_name": chosen["campaign_name"]},
        {"campaign_name": chosen["campaign_name"].upper()},
    ):
        assert list(map(identity, sandbox.report(path, *RANGE, **query))) == expected
    assert sandbox.report(path, *RANGE, campaign_name="", campaign_id="") == rows
    assert sandbox.report(path, *RANGE, campaign_id="1") == []
    assert sandbox.report(path, *RANGE, campaign_name="nobody") == []


@pytest.mark.parametrize("path", [COUPON, LINK])
def test_without_dates_there_is_one_row_for_the_whole_range(sandbox: Publisher, path: str) -> None:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in sandbox.report(path, *RANGES[0]):
        groups[row["campaign_id"], row.get("code_id")].append(row)
    with boostiny(with_dates=False) as publisher:
        rows = publisher.report(path, *RANGES[0])
        assert len(rows) == len(groups) < sum(map(len, groups.values()))
        for row in rows:
            assert "date" not in row
            group = groups[row["campaign_id"], row.get("code_id")]
            assert summed([row]) == summed(group)
            assert row["last_updated_at"] == max(one["last_updated_at"] for one in group)
        single = publisher.report(path, "2026-03-04")
        assert [row | {"date": "2026-03-04"} for row in single] == sandbox.report(path, "2026-03-04")
        assert publisher.totals(**days(*RANGE)) == sandbox.totals(**days(*RANGE))


@pytest.mark.parametrize("path", [COUPON, LINK])
def test_rows_can_be_split_by_country(sandbox: Publisher, path: str) -> None:
    with boostiny(split_by_country=True) as publisher:
        rows = publisher.report(path, *RANGE)
        assert len({identity(row) for row in rows}) == len(rows)
        assert all(re.fullmatch("[A-Z]{2}", row["country"]) for row in rows)
        whole = sandbox.report(path, *RANGE)
        assert len(rows) > len(whole) == len({identity(row | {"country": None}) for row in rows})
        assert summed(rows) == summed(whole)
        assert publisher.totals(**days(*RANGE))["count"] > sandbox.totals(**days(*RANGE))["count"]


def test_a_row_of_sums_can_end_the_list_without_being_counted(sandbox: Publisher) -> None:
    plain = sandbox.report(COUPON, *RANGE)
    with boostiny(summary_rows=True) as publisher:
        rows = publisher.report(COUPON, *RANGE)
        assert rows[:-1] == plain
        assert rows[-1].keys() == METRICS | {"full_count", "period_from", "period_to"}
        assert (rows[-1]["period_from"], rows[-1]["period_to"]) == RANGE
        assert summed(rows[-1:]) == summed(plain)
        payload = publisher.page(COUPON, **days(*RANGE))
        assert payload["pagination"]["total"] == len(plain)
        assert len(payload["data"]) == 50


def test_summary_and_time_of_change_can_be_missing(sandbox: Publisher) -> None:
    with boostiny(with_summary=False, with_last_updated=False) as publisher:
        payload = publisher.page(COUPON, **days(*RANGE))
        assert "summary" not in payload
        assert not any("last_updated_at" in row for row in payload["data"])
    assert "summary" not in sandbox.page(CAMPAIGNS)


def test_every_key_has_purchases_of_its_own() -> None:
    with boostiny(keys=["a", "b"]) as publisher:
        first, second = (Publisher(publisher.url, key).report(COUPON, *RANGE) for key in ("a", "b"))
        assert {identity(row) for row in first} != {identity(row) for row in second}
        for key, rows in (("a", first), ("b", second)):
            told = publisher.totals(**days(*RANGE), key=key)["by_traffic"]["coupon"]
            assert Decimal(told["payment"]) == summed(rows)["net_revenue"]
        assert publisher.totals(**days(*RANGE)) == publisher.totals(**days(*RANGE), key="a")
        answer = requests.get(
            f"{publisher.url}/_admin/totals/boostiny", params=days(*RANGE) | {"key": "c"}, timeout=10
        )
        assert answer.status_code == 400


def test_a_large_day_is_paged_to_its_end() -> None:
    with boostiny({"rows_per_day": 5000}, per_page=100) as publisher:
        rows = publisher.report(COUPON, "2026-02-01")
        assert len({identity(row) for row in rows}) == len(rows) > 4500
        assert len(rows) == publisher.totals(**days("2026-02-01"))["by_traffic"]["coupon"]["rows"]
