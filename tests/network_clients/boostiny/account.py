"""A Boostiny account whose network answers by script."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

from network_clients.boostiny.client import BoostinyClient
from network_clients.interface import ReadRequest
from network_clients.records import Kind, Page
from tests.network_clients.wire import Reply

DAY = date(2026, 3, 4)
PURCHASES = ReadRequest(Kind.PURCHASES, DAY, DAY)
MakeClient = Callable[..., BoostinyClient]

ROW: dict[str, Any] = {
    "full_count": "1", "campaign_id": "9001", "campaign_name": "Example Store", "campaign_logo": None,
    "automation": "manual", "last_updated_at": "2026-03-05 09:10:11", "date": "2026-03-04",
    "code": "Ex10", "code_id": "77001", "orders": "4", "net_orders": "3", "orders_cancellation_rate": "25.00",
    "revenue": "12.5000", "net_revenue": "9.3000", "revenue_cancellation_rate": "25.60",
    "sales_amount": "900.00", "net_sales_amount": "700.00", "sales_amount_cancellation_rate": "22.22",
    "sales_amount_usd": "245.05", "net_sales_amount_usd": "190.60",
    "sales_amount_usd_cancellation_rate": "22.22", "aov_usd": "61.26", "net_aov_usd": "63.53",
    "aov_usd_cancellation_rate": "-3.70",
}  # fmt: skip

CAMPAIGN: dict[str, Any] = {
    "id": 9001, "name": "Example Store", "campaign_type": "coupon", "logo": "https://cdn.example/9001.png",
    "advertiser": {"name": "Example", "logo": None}, "category": "Fashion", "campaign_manager": None,
    "campaign_description": {
        "description": "<p>Shop &amp; save</p>", "promotion": None, "dos_and_donts": None, "creatives": None,
        "website_url": "https://shop.example/",
    },
    "tracking_link_details": {"tracking_links": [{"url": "https://go.example/9001"}]},
    "coupons": [
        {"coupon": "Ex10", "countries": ["ARE", "SAU"], "start_date": "2026-01-15", "account_manager": "R.",
         "ad_set": None},
        {"coupon": "ex10", "countries": None, "start_date": "15/01/2026", "account_manager": "R.",
         "ad_set": "s"},
    ],
    "payouts": [], "targetCountries": [{"code": "ARE"}, {"code": "SAU"}],
}  # fmt: skip


def listing(*rows: Any, total: int | None = None, per_page: int = 50, **more: Any) -> Reply:
    page = {"total": len(rows) if total is None else total, "perPage": per_page, "currentPage": 1}
    return Reply(body=json.dumps({"payload": {"data": rows, "pagination": page, **more}}).encode())


def read(client: BoostinyClient, request: ReadRequest) -> list[Page]:
    parts = client.slices(request)
    return [page.translated() for part in parts for page in client.pages(request.kind, part)]


def read_one(client: BoostinyClient, kind: Kind) -> Any:
    (page,) = read(client, PURCHASES if kind is Kind.PURCHASES else ReadRequest(kind))
    assert not page.rejected
    (record,) = page.records
    return record


def reason(client: BoostinyClient, request: ReadRequest = PURCHASES) -> str:
    """Why the only row of the only page was set aside."""
    (page,) = read(client, request)
    assert not page.records
    (row,) = page.rejected
    return row.reason
