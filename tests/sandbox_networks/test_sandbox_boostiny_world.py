"""Boostiny's world: same rows everywhere, and what happens to them as the clock moves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tests.sandbox_networks.boostiny_caller import (
    CAMPAIGNS,
    COUPON,
    COUPONS,
    LINK,
    SUMMED,
    Publisher,
    Row,
    boostiny,
    days,
)
from tests.sandbox_networks.caller import process

RANGE = ("2026-02-20", "2026-03-05")
FIRST, LAST = date(2026, 3, 8), date(2026, 3, 10)
Seen = dict[tuple[str, str, str], Row]


@pytest.fixture
def sandbox() -> Iterator[Publisher]:
    with boostiny() as publisher:
        yield publisher


def keyed(rows: list[Row]) -> Seen:
    return {(row["campaign_id"], row.get("code", ""), row["date"]): row for row in rows}


def figures(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("full_count", "last_updated_at")}


def test_two_processes_serve_the_same_rows_whatever_was_asked_before() -> None:
    same = ("--seed", "11", "--rows-per-day", "30", "--now", "2026-03-10T12:00:00Z", "--no-limits")
    with process(*same) as one, process(*same) as two:
        first, second = Publisher(one.url), Publisher(two.url)
        second.report(COUPON, "2026-03-01", "2026-03-09")
        second.rows(COUPONS)
        for path in (COUPON, LINK):
            assert first.report(path, *RANGE) == second.report(path, *RANGE)
        for path in (CAMPAIGNS, COUPONS):
            assert first.get(path).text == second.get(path).text
        assert first.totals(**days(*RANGE)) == second.totals(**days(*RANGE))


def test_another_seed_is_another_world(sandbox: Publisher) -> None:
    with boostiny({"seed": 8}) as other:
        assert other.report(COUPON, *RANGE) != sandbox.report(COUPON, *RANGE)
        assert other.get(CAMPAIGNS).text != sandbox.get(CAMPAIGNS).text


def test_going_back_to_a_moment_shows_what_it_showed(sandbox: Publisher) -> None:
    before = sandbox.report(COUPON, *RANGE)
    sandbox.advance(days=30)
    assert sandbox.report(COUPON, *RANGE) != before
    sandbox.advance(days=-30)
    assert sandbox.report(COUPON, *RANGE) == before


@pytest.mark.parametrize("path", [COUPON, LINK])
def test_todays_rows_grow_and_new_ones_come_in_the_middle(sandbox: Publisher, path: str) -> None:
    before = sandbox.report(path, LAST)
    assert before
    sandbox.advance(seconds=8 * 3600)
    after = sandbox.report(path, LAST)
    old, new = keyed(before), keyed(after)
    assert len(new.keys() - old.keys()) >= 1
    assert old.keys() <= new.keys()
    assert sum(int(new[key]["orders"]) > int(row["orders"]) for key, row in old.items()) >= 1
    place = min(index for index, key in enumerate(new) if key not in old)
    assert place < len(before) - 1
    assert len(sandbox.report(path, LAST + timedelta(days=1))) == 0


@pytest.fixture(scope="module")
def watched() -> list[tuple[datetime, Seen]]:
    """The same days of both reports, seen every other day until nothing moves any more."""
    seen = []
    with boostiny({"rows_per_day": 120}) as publisher:
        for _ in range(35):
            rows = [row for path in (COUPON, LINK) for row in publisher.report(path, FIRST, LAST)]
            clock = publisher.admin("/clock", method="GET")["now"]
            seen.append((datetime.fromisoformat(clock), keyed(rows)))
            publisher.advance(days=2)
    return seen


def age(moment: datetime, row: Row) -> float:
    """Count the days from the start of a row's day."""
    return (moment.replace(tzinfo=None) - datetime.fromisoformat(row["date"])) / timedelta(days=1)


def test_gross_rises_for_a_few_days_and_net_falls_for_weeks(watched: list[tuple[datetime, Seen]]) -> None:
    rises, falls = [], []
    for (earlier, before), (later, after) in pairwise(watched):
        for key in before.keys() & after.keys():
            old, new = before[key], after[key]
            for name in SUMMED:
                gross, net = (Decimal(new[one]) - Decimal(old[one]) for one in (name, f"net_{name}"))
                assert gross >= max(net, 0)
                if gross > 0:
                    rises.append(age(earlier, old))
                if net < gross:
                    falls.append(age(later, new))
    assert any(when > 2 for when in rises), "late sales arrive"
    assert max(rises) < 5
    assert 5 <= min(falls) < 10
    assert 50 < max(falls) < 62
    assert len(falls) > 100


def test_a_change_moves_the_time_of_the_last_one(watched: list[tuple[datetime, Seen]]) -> None:
    for (earlier, before), (later, after) in pairwise(watched):
        for key in before.keys() & after.keys():
            old, new = before[key], after[key]
            then, now = (datetime.fromisoformat(f"{row['last_updated_at']}+00:00") for row in (old, new))
            assert (figures(old) != figures(new)) == (then != now)
            assert then <= earlier
            assert then == now or earlier < now <= later


def test_some_rows_vanish_for_good_and_some_of_them_were_void(watched: list[tuple[datetime, Seen]]) -> None:
    ever = {key for _, seen in watched for key in seen}
    gone = ever - watched[-1][1].keys()
    assert 5 < len(gone) < len(ever) / 10
    void = 0
    for key in ever:
        shown = "".join("x" if key in seen else "." for _, seen in watched)
        assert re.fullmatch(r"\.*x+\.*", shown)
        if key in gone:
            last = shown.rindex("x")
            row = watched[last][1][key]
            assert 3 <= age(watched[last + 1][0], row) <= 42
            void += row["net_orders"] == "0"
    assert 0 < void < len(gone)


def test_what_is_reported_is_never_later_than_the_clock(sandbox: Publisher) -> None:
    rows = sandbox.report(COUPON, "2026-03-01", "2026-12-31")
    assert max(row["date"] for row in rows) == str(LAST)
    assert max(row["last_updated_at"] for row in rows) <= "2026-03-10 12:00:00"


@pytest.mark.parametrize(
    ("zone", "today"), [("Asia/Dubai", "2026-03-11"), ("America/New_York", "2026-03-10")]
)
def test_days_and_times_are_those_of_the_chosen_zone(zone: str, today: str) -> None:
    with boostiny({"now": datetime.fromisoformat("2026-03-10T21:30:00+00:00")}, zone=zone) as publisher:
        rows = publisher.report(COUPON, "2026-03-01", "2026-03-31")
        assert max(row["date"] for row in rows) == today
        assert all(row["date"] <= row["last_updated_at"][:10] <= today for row in rows)
        assert publisher.totals(**days(today))["count"] > 0


def test_a_campaign_looks_as_clients_have_seen_it(sandbox: Publisher) -> None:
    rows = sandbox.rows(CAMPAIGNS)
    assert len({row["id"] for row in rows}) == len({row["name"].lower() for row in rows}) == len(rows) == 30
    assert all(re.fullmatch("[A-Z]{3}", one["code"]) for row in rows for one in row["targetCountries"])
    assert all("<p>" in row["campaign_description"]["description"] for row in rows)
    assert all(row["advertiser"].keys() == {"name", "logo"} for row in rows)
    groups = [group for row in rows for payout in row["payouts"] for group in payout["groups"]]
    assert {group["type"] for group in groups} == {"sale-share"}
    assert {one["operation"] for group in groups for one in group["conditions"]} == {"contains", "equals"}
    assert 0 < sum("status" in row for row in rows) < len(rows) / 5
    assert {row["campaign_type"] for row in rows} == {"coupon", "link"}
    assert any(row["coupons"] and row["tracking_link_details"] is None for row in rows)
    assert any(row["coupons"] == [] and row["tracking_link_details"] for row in rows)
    assert {row["category"] is None for row in rows} == {row["logo"] is None for row in rows} == {True, False}


def test_coupons_stand_in_their_campaigns_and_in_a_list_of_their_own(sandbox: Publisher) -> None:
    campaigns = sandbox.rows(CAMPAIGNS)
    embedded = {(row["id"], one["coupon"]): one for row in campaigns for one in row["coupons"]}
    assert {one["countries"] is None for one in embedded.values()} == {True, False}
    assert all(
        one.keys() == {"coupon", "countries", "start_date", "account_manager", "ad_set"}
        for one in embedded.values()
    )
    ids = {row["name"].lower(): row["id"] for row in campaigns}
    rows = sandbox.rows(COUPONS)
    assert 0 < sum("campaign_id" not in row for row in rows) < len(rows) / 2
    named = {(row.get("campaign_id", ids[row["campaign_name"].lower()]), row["coupon"]) for row in rows}
    assert named == embedded.keys()
    assert len(rows) == len(embedded) == sandbox.totals(**days(*RANGE))["coupons"]
    assert len(campaigns) == sandbox.totals(**days(*RANGE))["campaigns"]


def test_some_coupons_of_a_large_list_have_a_status() -> None:
    with boostiny({"rows_per_day": 300}) as publisher:
        rows = publisher.rows(COUPONS)
        assert 0 < sum("status" in row for row in rows) < len(rows) / 5


def test_campaigns_and_coupons_come_and_go() -> None:
    with boostiny({"rows_per_day": 100}) as publisher:
        seen = []
        for _ in range(12):
            campaigns = publisher.rows(CAMPAIGNS)
            today = publisher.admin("/clock", method="GET")["now"][:10]
            coupons = {(row["id"], one["coupon"]): one for row in campaigns for one in row["coupons"]}
            seen.append((today, {row["id"] for row in campaigns}, coupons))
            publisher.advance(days=5)
    assert any(before[1] - after[1] for before, after in pairwise(seen))
    assert any(after[1] - before[1] for before, after in pairwise(seen))
    assert any(before[2].keys() - after[2].keys() for before, after in pairwise(seen))
    assert any(one["start_date"] > today for today, _, coupons in seen for one in coupons.values())


def test_a_campaign_that_is_away_sells_nothing_and_keeps_what_it_sold(sandbox: Publisher) -> None:
    everyone = set(range(9001, 9031))
    was_away = False
    for _ in range(3):
        listed = {row["id"] for row in sandbox.rows(CAMPAIGNS)}
        today = sandbox.admin("/clock", method="GET")["now"][:10]
        for path in (COUPON, LINK):
            assert {int(row["campaign_id"]) for row in sandbox.report(path, today)} <= listed
        for campaign in everyone - listed:
            was_away = True
            assert sandbox.report(COUPON, "2025-12-01", today, campaign_id=campaign)
        sandbox.advance(days=25)
    assert was_away


@pytest.mark.parametrize("campaigns", [1, 2, 5])
def test_a_small_network_works_too(campaigns: int) -> None:
    with boostiny(campaigns=campaigns) as publisher:
        assert len(publisher.rows(CAMPAIGNS)) == campaigns
        assert 30 < len(publisher.report(COUPON, "2026-02-01")) <= 40
        assert 0 < len(publisher.report(LINK, "2026-02-01", "2026-02-03")) <= 3 * campaigns
