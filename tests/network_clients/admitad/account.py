"""An Admitad account whose network answers by script."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

from network_clients.admitad.client import AdmitadClient
from network_clients.interface import ReadRequest
from network_clients.records import (
    Kind,
    Page,
)
from tests.network_clients.wire import Reply

PURCHASES = ReadRequest(Kind.PURCHASES, date(2026, 3, 1), date(2026, 3, 31))
MakeClient = Callable[..., AdmitadClient]
TOKEN = Reply(body=b'{"access_token": "t-1", "token_type": "bearer", "expires_in": 604800, "scope": "s"}')
NEW_TOKEN = Reply(body=TOKEN.body.replace(b"t-1", b"t-2"))

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


def read(client: AdmitadClient, request: ReadRequest) -> list[Page]:
    parts = client.slices(request)
    return [page.translated() for part in parts for page in client.pages(request.kind, part)]


def read_one(client: AdmitadClient, kind: Kind) -> Any:
    dated = kind is Kind.PURCHASES
    days = (date(2026, 3, 4), date(2026, 3, 4)) if dated else (None, None)
    (page,) = read(client, ReadRequest(kind, *days))
    (record,) = page.records
    return record
