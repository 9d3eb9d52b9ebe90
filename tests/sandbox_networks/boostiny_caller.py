"""A publisher's program that reads Boostiny, as the tests of the sandbox play it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import requests

from sandbox_networks.server import running
from sandbox_networks.settings import SandboxSettings
from tests.sandbox_networks.caller import Caller

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
KEY = "sandbox-boostiny-secret"
COUPON, LINK = "/publisher/performance", "/publisher/link-performance"
CAMPAIGNS, COUPONS = "/publisher/campaigns", "/publisher/coupons"
SUMMED = ("orders", "revenue", "sales_amount", "sales_amount_usd")
"""The metrics that add up, each with a net twin."""
Row = dict[str, Any]


class Publisher(Caller):
    """A publisher's program with a key of Boostiny."""

    def __init__(self, url: str, key: str = KEY) -> None:
        super().__init__(url)
        self.base = f"{url}/boostiny"
        self.session.headers["Authorization"] = key

    def page(self, path: str, page: int = 1, **query: Any) -> dict[str, Any]:
        answer = self.get(path, page=page, **query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["payload"])

    def rows(self, path: str, **query: Any) -> list[Row]:
        """Read all pages of a list."""
        rows: list[Row] = []
        page = 0
        while True:
            page += 1
            payload = self.page(path, page, **query)
            rows += payload["data"]
            paging = payload["pagination"]
            if paging["currentPage"] * paging["perPage"] >= paging["total"]:
                return rows

    def report(self, path: str, first: date | str, last: date | str | None = None, **more: Any) -> list[Row]:
        return self.rows(path, **days(first, last), **more)

    def totals(self, **query: Any) -> Any:
        answer = requests.get(f"{self.url}/_admin/totals/boostiny", params=query, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, kind: str, **details: Any) -> None:
        self.admin("/faults", {"network": "boostiny", "kind": kind, **details})

    def violations(self) -> dict[str, int]:
        return dict(self.admin("/state", method="GET")["networks"]["boostiny"]["violations"])


def days(first: date | str, last: date | str | None = None) -> dict[str, str]:
    """Write a range of days as a query."""
    return {"from": str(first), "to": str(last or first)}


def summed(rows: Sequence[Row]) -> dict[str, Decimal]:
    """Add up what adds up."""
    names = [name for one in SUMMED for name in (one, f"net_{one}")]
    return {name: sum((Decimal(row[name]) for row in rows), Decimal(0)) for name in names}


@contextmanager
def boostiny(settings: dict[str, Any] | None = None, **options: Any) -> Iterator[Publisher]:
    """Serve a Boostiny with a standing clock, and hardly a limit unless one is chosen."""
    chosen = {"now": NOON, "first_day": date(2025, 12, 1), "rows_per_day": 40} | (settings or {})
    chosen["options"] = {"boostiny": {"calls": 100_000} | options}
    with running(SandboxSettings(networks=("boostiny",), **chosen)) as url:
        yield Publisher(url)
