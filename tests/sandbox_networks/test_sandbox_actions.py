"""Actions: totals against pages, filters, order, page caps, refusals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.sandbox_networks.caller import Caller, Start

MONTH = {"date_start": "01.02.2026", "date_end": "28.02.2026"}
MONTH_ISO = {"from": "2026-02-01", "to": "2026-02-28"}


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    sums: dict[str, dict[str, list[Any]]] = defaultdict(
        lambda: defaultdict(lambda: [0, Decimal(0), Decimal(0)])
    )
    for row in rows:
        word = "paid" if row["paid"] and row["status"].startswith("approved") else row["status"]
        total = sums[word][row["currency"]]
        total[0] += 1
        total[1] += Decimal(str(row["payment"]))
        total[2] += Decimal(str(row["cart"] or 0))
    return {word: {c: tuple(total) for c, total in by.items()} for word, by in sums.items()}


def told(totals: dict[str, Any]) -> dict[str, Any]:
    return {
        word: {c: (t["rows"], Decimal(t["payment"]), Decimal(t["cart"])) for c, t in by.items()}
        for word, by in totals["statuses"].items()
    }


@pytest.mark.parametrize("website", [None, 2200101])
def test_totals_equal_what_all_pages_add_up_to(sandbox: Caller, website: int | None) -> None:
    chosen = {} if website is None else {"website": website}
    rows = sandbox.actions(**MONTH, **chosen)
    totals = sandbox.totals(**MONTH_ISO, **chosen)
    assert totals["count"] == len(rows) > 500
    assert told(totals) == summed(rows)
    assert "paid" in told(totals)


@pytest.mark.parametrize(("website", "place"), [(None, ""), (2200101, "website/2200101/")])
def test_totals_count_campaigns_and_coupons(sandbox: Caller, website: int | None, place: str) -> None:
    totals = sandbox.totals(**MONTH_ISO, **({} if website is None else {"website": website}))
    for kind, path in (("campaigns", "/advcampaigns/"), ("coupons", "/coupons/")):
        assert totals[kind] == sandbox.get(path + place).json()["_meta"]["count"] > 0


def test_pages_hold_each_row_once_in_order_at_any_offset(sandbox: Caller) -> None:
    rows = sandbox.actions(**MONTH)
    assert len({row["action_id"] for row in rows}) == len(rows)
    assert [row["action_date"] for row in rows] == sorted(row["action_date"] for row in rows)
    page = sandbox.get("/statistics/actions/", **MONTH, order_by="datetime", limit=7, offset=601).json()
    assert page["results"] == rows[601:608]
    assert page["_meta"] == {"count": len(rows), "limit": 7, "offset": 601}
    assert sandbox.actions(**MONTH, order_by="-datetime") == rows[::-1]
    past = sandbox.get("/statistics/actions/", **MONTH, offset=len(rows) + 5).json()
    assert past["results"] == []
    assert len(sandbox.get("/statistics/actions/", **MONTH).json()["results"]) == 20


def test_a_page_over_the_cap_is_cut_and_counted_as_a_violation(sandbox: Caller) -> None:
    page = sandbox.get("/statistics/actions/", **MONTH, limit=501).json()
    assert page["_meta"]["limit"] == len(page["results"]) == 500
    assert sandbox.admin("/state", method="GET")["networks"]["admitad"]["violations"]["page_size"] == 1


FILTERS: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = {
    "campaigns": ({"campaign": [1001, 1003]}, lambda row: row["advcampaign_id"] in (1001, 1003)),
    "website": ({"website": 2200102}, lambda row: row["website_id"] == 2200102),
    "lead": ({"action_type": "lead"}, lambda row: row["action_type"] == "lead"),
    "paid": ({"paid": 1}, lambda row: row["paid"] == 1),
    "not paid": ({"paid": 0}, lambda row: row["paid"] == 0),
    "processed": ({"processed": 1}, lambda row: row["processed"] == 1),
    "subid1": ({"subid1": "c-1"}, lambda row: row["subid1"] == "c-1"),
    "changed": (
        {"status_updated_start": "20.02.2026 06:00:00", "status_updated_end": "25.02.2026 18:30:00"},
        lambda row: "2026-02-20 06:00:00" <= row["status_updated"] <= "2026-02-25 18:30:00",
    ),
    "closed": (
        {"closing_date_start": "20.02.2026", "closing_date_end": "22.02.2026"},
        lambda row: "2026-02-20" <= (row["closing_date"] or "")[:10] <= "2026-02-22",
    ),
    "unknown name": ({"start_date": "20.02.2026", "status": 2}, lambda row: True),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_select_exactly_their_rows(sandbox: Caller, name: str) -> None:
    query, holds = FILTERS[name]
    rows = sandbox.actions(**MONTH)
    assert sandbox.actions(**MONTH, **query) == [row for row in rows if holds(row)]


def test_one_action_by_id_and_from_an_id(sandbox: Caller) -> None:
    rows = sorted(sandbox.actions(**MONTH), key=lambda row: int(row["action_id"]))
    wanted = rows[100]
    assert sandbox.actions(action_id=wanted["action_id"]) == [wanted]
    later = sandbox.actions(**MONTH, action_id_start=wanted["action_id"])
    assert {row["action_id"] for row in later} == {row["action_id"] for row in rows[100:]}


def test_what_changed_since_is_found_without_knowing_the_day_it_happened(sandbox: Caller) -> None:
    before = {row["action_id"]: row for row in sandbox.actions()}
    sandbox.advance(days=2)
    after = {row["action_id"]: row for row in sandbox.actions()}
    moved = {
        key
        for key, row in after.items()
        if key not in before or row["status_updated"] != before[key]["status_updated"]
    }
    query = {"status_updated_start": "10.03.2026 15:00:01", "status_updated_end": "12.03.2026 15:00:00"}
    assert {row["action_id"] for row in sandbox.actions(**query)} == moved
    assert moved


@pytest.mark.parametrize(
    "query",
    [
        {"date_start": "2026-02-01"},
        {"status_updated_start": "01.02.2026"},
        {"status_updated_end": "01.01.2999 00:00:00"},
        {"limit": "many"},
        {"offset": -1},
        {"paid": 2},
        {"campaign": "x"},
    ],
)
def test_values_that_cannot_be_read_are_refused(sandbox: Caller, query: dict[str, Any]) -> None:
    answer = sandbox.get("/statistics/actions/", **query)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == 3


@pytest.mark.parametrize("query", [{}, {"from": "2026-02-01"}, {"from": "x", "to": "y"}, {"website": "z"}])
def test_totals_say_what_they_need(sandbox: Caller, query: dict[str, str]) -> None:
    answer = requests.get(f"{sandbox.url}/_admin/totals/admitad", params=query, timeout=10)
    assert answer.status_code == 400
    assert "YYYY-MM-DD" in answer.json()["error"]


def test_a_large_day_is_paged_to_its_end(start: Start) -> None:
    sandbox = start(rows_per_day=20_000).log_in()
    day = {"date_start": "01.02.2026", "date_end": "01.02.2026"}
    count = sandbox.totals(**{"from": "2026-02-01", "to": "2026-02-01"})["count"]
    last = sandbox.get("/statistics/actions/", **day, order_by="datetime", limit=500, offset=count - 1).json()
    assert len(last["results"]) == 1
    assert last["_meta"]["count"] == count > 19_000
