"""Boostiny's bad rows on demand, and how totals count them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from tests.sandbox_networks.boostiny_caller import COUPON, LINK, Publisher, Row, boostiny, days, summed

RANGE = ("2026-03-01", "2026-03-04")


@pytest.fixture(scope="module")
def server() -> Iterator[Publisher]:
    with boostiny() as publisher:
        yield publisher


@pytest.fixture
def sandbox(server: Publisher) -> Iterator[Publisher]:
    yield server
    server.admin("/faults", method="DELETE")


SPOILED: dict[str, Callable[[Row], bool]] = {
    "missing_id": lambda row: "campaign_id" not in row and "campaign_name" not in row and "date" in row,
    "impossible_date": lambda row: row["date"] == "2026-02-31",
    "text_amount": lambda row: row["revenue"] == "n/a",
    "nul_byte": lambda row: "\0" in row.get("campaign_name", ""),
    "null_change_time": lambda row: row["last_updated_at"] is None,
    "long_amount": lambda row: row["net_revenue"] == "1234567890" * 4,
}


@pytest.mark.parametrize("path", [COUPON, LINK])
@pytest.mark.parametrize("kind", SPOILED)
def test_bad_rows_appear_until_they_are_cleared(sandbox: Publisher, kind: str, path: str) -> None:
    good = sandbox.report(path, *RANGE)
    sandbox.fault(kind, every=5)
    rows = sandbox.report(path, *RANGE)
    bad = [row for row in rows if SPOILED[kind](row)]
    assert 0 < len(bad) <= len(rows) / 3
    assert sum(row in good for row in rows) == len(rows) - len(bad) == len(good) - len(bad)
    sandbox.admin("/faults", method="DELETE")
    assert sandbox.report(path, *RANGE) == good


@pytest.mark.parametrize("kind", ["unknown_status", "missing_currency"])
def test_faults_of_what_rows_do_not_have_change_nothing(sandbox: Publisher, kind: str) -> None:
    good, totals = sandbox.report(COUPON, *RANGE), sandbox.totals(**days(*RANGE))
    sandbox.fault(kind, every=1)
    assert sandbox.report(COUPON, *RANGE) == good
    assert sandbox.totals(**days(*RANGE)) == totals


def test_totals_count_rows_that_nobody_can_store_apart(sandbox: Publisher) -> None:
    for kind in SPOILED:
        sandbox.fault(kind, every=9)
    rows = sandbox.report(COUPON, *RANGE) + sandbox.report(LINK, *RANGE)
    totals = sandbox.totals(**days(*RANGE))
    found = Counter(kind for row in rows for kind, holds in SPOILED.items() if holds(row))
    del found["null_change_time"]
    assert totals["unstorable"] == found
    assert totals["count"] == len(rows)
    storable = [row for row in rows if not any(SPOILED[kind](row) for kind in found)]
    (told,) = totals["statuses"]["not reported"].values()
    assert told["rows"] == len(storable) == len(rows) - found.total()
    assert Decimal(told["payment"]) == summed(storable)["net_revenue"]


def test_without_dates_a_bad_date_is_bad_all_the_same() -> None:
    with boostiny(with_dates=False) as publisher:
        publisher.fault("impossible_date", every=3)
        rows = publisher.report(COUPON, *RANGE)
        assert {row.get("date") for row in rows} == {None, "2026-02-31"}
