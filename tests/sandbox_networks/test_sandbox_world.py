"""The world: same rows everywhere, and what happens to them as the clock moves."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest

from tests.sandbox_networks.caller import Caller, Start, process

RANGE = {"date_start": "20.02.2026", "date_end": "05.03.2026"}


def test_two_processes_serve_the_same_rows_whatever_was_asked_before() -> None:
    same = ("--seed", "11", "--rows-per-day", "30", "--now", "2026-03-10T12:00:00Z")
    with process(*same) as one, process(*same) as two:
        one.log_in()
        two.log_in()
        two.actions(date_start="01.03.2026")
        two.get("/coupons/")
        assert one.actions(**RANGE) == two.actions(**RANGE)
        for path in ("/coupons/website/2200101/", "/advcampaigns/"):
            assert one.get(path, limit=500).text == two.get(path, limit=500).text


def test_another_seed_is_another_world(start: Start) -> None:
    one, two = start(seed=1).log_in(), start(seed=2).log_in()
    assert one.actions(**RANGE) != two.actions(**RANGE)


def test_more_rows_per_day_keep_the_rows_that_were_there(start: Start) -> None:
    few, many = start(rows_per_day=10).log_in(), start(rows_per_day=25).log_in()
    assert {row["id"] for row in few.actions(**RANGE)} < {row["id"] for row in many.actions(**RANGE)}


def test_applications_have_purchases_of_their_own(start: Start) -> None:
    apps = [
        {"client_id": name, "secret": f"s-{name}", "websites": [n]} for n, name in enumerate(("a", "b"), 1)
    ]
    caller = start(admitad={"apps": apps})
    first = caller.log_in(client="a", secret="s-a").actions(**RANGE)
    second = caller.log_in(client="b", secret="s-b").actions(**RANGE)
    assert {row["website_id"] for row in first} == {1}
    assert {row["website_id"] for row in second} == {2}
    assert not {row["id"] for row in first} & {row["id"] for row in second}
    assert caller.get("/coupons/website/1/").status_code == 404


def test_going_back_to_a_moment_shows_what_it_showed(sandbox: Caller) -> None:
    before = sandbox.actions(**RANGE)
    sandbox.skip(30)
    assert sandbox.actions(**RANGE) != before
    sandbox.skip(-30)
    assert sandbox.actions(**RANGE) == before


@pytest.fixture
def watched(start: Start) -> list[dict[int, dict]]:
    """The same days, seen every third day for four months."""
    sandbox = start(rows_per_day=60).log_in()
    seen = []
    for _ in range(40):
        seen.append(
            {row["action_id"]: row for row in sandbox.actions(date_start="08.03.2026", date_end="10.03.2026")}
        )
        sandbox.skip(3)
    return seen


def test_as_time_passes_rows_are_judged_paid_changed_late_and_gone(watched: list[dict[int, dict]]) -> None:
    first, last = watched[0], watched[-1]
    assert sum(row["status"] == "pending" for row in first.values()) > len(first) * 0.9
    assert {row["status"] for row in last.values()} == {"approved", "declined"}
    assert any(row["status"] == "approved_but_stalled" for seen in watched for row in seen.values())
    assert sum(row["paid"] for row in last.values()) > len(last) / 2
    assert last.keys() - first.keys(), "late rows arrive"
    ever = {key for seen in watched for key in seen}
    assert 0 < len(ever - last.keys()) < len(ever) / 10, "a few vanish"
    changed = sum(first[key]["payment"] != last[key]["payment"] for key in first.keys() & last.keys())
    assert 0 < changed < len(first) / 2


def test_steps_go_forward_and_move_the_time_of_change(watched: list[dict[int, dict]]) -> None:
    allowed = {
        ("pending", "approved"),
        ("pending", "declined"),
        ("pending", "approved_but_stalled"),
        ("approved_but_stalled", "approved"),
        ("approved", "declined"),
    }
    flips = 0
    for before, after in pairwise(watched):
        for key in before.keys() & after.keys():
            old, new = before[key], after[key]
            assert old["paid"] <= new["paid"]
            if old["status"] != new["status"]:
                assert (old["status"], new["status"]) in allowed
            said = ("status", "payment", "cart", "processed", "closing_date")
            moved = any(old[name] != new[name] for name in said)
            assert moved == (old["status_updated"] != new["status_updated"])
            flips += old["paid"] < new["paid"] and not moved
    assert flips, "a payout alone does not move status_updated"


def test_a_row_that_vanished_stays_away(watched: list[dict[int, dict]]) -> None:
    for key in {key for seen in watched for key in seen}:
        shown = "".join("x" if key in seen else "." for seen in watched)
        assert re.fullmatch(r"\.*x+\.*", shown)


def test_late_rows_appear_in_the_middle_of_the_list(start: Start) -> None:
    sandbox = start(rows_per_day=200).log_in()
    query = {"date_start": "08.03.2026", "date_end": "09.03.2026"}
    before = [row["id"] for row in sandbox.actions(**query)]
    sandbox.advance(days=1)
    after = [row["id"] for row in sandbox.actions(**query)]
    new = set(after) - set(before)
    assert any(after.index(key) < len(before) - 20 for key in new)


def test_the_payout_moves_the_time_of_change_when_the_setting_says_so(start: Start) -> None:
    moving = start(admitad={"paid_moves_status_updated": True}).log_in()
    query = {"paid": 1, "date_start": "01.12.2025", "date_end": "31.12.2025"}
    assert all(row["status_updated"][:10] != row["closing_date"] for row in moving.actions(**query))


def test_nothing_is_shown_before_it_happened_or_outside_its_days(sandbox: Caller) -> None:
    rows = sandbox.actions(date_start="10.03.2026", date_end="12.03.2026")
    assert rows
    assert all("2026-03-10 00:00:00" <= row["action_date"] <= "2026-03-10 15:00:00" for row in rows)
    assert sandbox.actions(date_end="30.11.2025") == []


@pytest.mark.parametrize("zone", ["UTC", "Europe/Moscow", "America/New_York"])
def test_days_and_times_are_those_of_the_networks_zone(start: Start, zone: str) -> None:
    sandbox = start(admitad={"zone": zone}).log_in()
    for day in (date(2026, 3, 7), date(2026, 3, 8)):
        text = day.strftime("%d.%m.%Y")
        rows = sandbox.actions(date_start=text, date_end=text)
        assert rows
        assert {row["action_date"][:10] for row in rows} == {day.isoformat()}
    spring_gap = [row for row in rows if row["action_date"].startswith("2026-03-08 02")]
    assert not (zone == "America/New_York" and spring_gap)


def test_the_usual_oddities_are_there_in_small_shares(start: Start) -> None:
    sandbox = start(rows_per_day=500).log_in()
    rows = sandbox.actions(date_start="01.02.2026", date_end="04.02.2026")
    odd = Counter(
        name
        for row in rows
        for name, holds in {
            "null cart": row["cart"] is None and row["action_type"] == "sale",
            "text cart": isinstance(row["cart"], str),
            "null click": row["click_date"] is None,
            "null closing": row["closing_date"] is None and row["processed"],
            "timed closing": len(row["closing_date"] or "") > 10,
            "fraction of a cent": round(row["payment"], 2) != row["payment"],
            "stalled": row["status"] == "approved_but_stalled",
            "text in positions": any(isinstance(item["amount"], str) for item in row["positions"]),
            "image without scheme": any(i["product_image"].startswith("//") for i in row["positions"]),
        }.items()
        if holds
    )
    assert len(odd) == 9
    assert all(
        odd[name] < len(rows) / 5 for name in list(odd) if "positions" not in name and "image" not in name
    )
    assert {"USD", "EUR", "AED", "SAR"} <= {row["currency"] for row in rows}


def test_campaigns_and_coupons_come_and_go(sandbox: Caller) -> None:
    def keys(path: str) -> set[int]:
        return {row["id"] for row in sandbox.get(path, limit=500).json()["results"]}

    campaigns, coupons = keys("/advcampaigns/"), keys("/coupons/")
    sandbox.skip(25)
    assert keys("/advcampaigns/") != campaigns
    assert keys("/coupons/") - coupons
    assert coupons - keys("/coupons/")


def test_a_running_clock_follows_real_time_and_can_run_ahead(start: Start) -> None:
    sandbox = start(now=None)
    before = datetime.fromisoformat(sandbox.admin("/clock", method="GET")["now"])
    ahead = sandbox.admin("/clock", {"advance_seconds": 3600})
    assert datetime.fromisoformat(ahead["now"]) - before >= timedelta(hours=1)
    assert ahead["standing"] is False
    assert sandbox.admin("/clock", {"now": "2026-01-01T00:00:00Z"})["now"] == "2026-01-01T00:00:00+00:00"
    back = datetime.fromisoformat(sandbox.admin("/clock", {"real": True})["now"])
    assert back >= before
