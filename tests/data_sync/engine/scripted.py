"""Networks whose list a test holds in its hands: rows appear, change and go between two pages.

One pages single orders with an overlap: the JSON of Admitad's actions, read as those of the real network
are. The other pages lines of a report without any, as Boostiny does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from network_clients.admitad.facts import FACTS
from network_clients.admitad.mapping import to_campaign, to_purchase
from network_clients.facts import KindFacts, Order
from network_clients.interface import AccessReport, Credentials, NetworkClient, Slice
from network_clients.limits import LocalLimiter
from network_clients.records import CurrencySource, Grain, Kind, Page, Purchase, Traffic
from network_clients.row import Row
from network_clients.rows import RowReader
from network_clients.tokens import MemoryTokenStore

Action = dict[str, Any]


def action(key: object, **fields: Any) -> Action:
    """An action as Admitad sends it; without a time of change unless the test gives one."""
    return {
        "action_id": key,
        "status": "pending",
        "action_date": "2026-03-02 10:00:00",
        "click_date": "2026-03-02 09:00:00",
        "currency": "USD",
        "cart": 100,
        "payment": "7.25",
        **fields,
    }


def actions(*numbers: int, **fields: Any) -> list[Action]:
    return [action(number, **fields) for number in numbers]


class ScriptedClient(NetworkClient):
    """Pages a list by offset, with one row of overlap, as it stands at the moment of each page.

    :param before: called with the number of the page (0, 1, ...) before it is made.
    """

    facts = FACTS
    pages_ahead = 0
    overlaps = True

    def __init__(
        self,
        items: Sequence[Any],
        *,
        order: Order = Order.SHIFTING,
        size: int = 3,
        before: Callable[[int], object] | None = None,
        traffic: Sequence[Traffic | None] = (None,),
        capped: bool = False,
    ) -> None:
        super().__init__(Credentials("admitad_default", {}), LocalLimiter(), MemoryTokenStore())
        kinds = {kind: KindFacts(order=order) for kind in Kind}
        self.facts = replace(FACTS, kinds=kinds)  # type: ignore[misc]
        self.items = items
        self.size = size
        self.before = before or (lambda number: None)
        self.asked: list[int] = []
        self.traffic = traffic
        self.capped = capped
        readers = {Kind.PURCHASES: to_purchase, Kind.CAMPAIGNS: to_campaign}
        ids = {Kind.PURCHASES: "action_id", Kind.CAMPAIGNS: "id"}
        self.readers = {
            kind: RowReader(made, self.zone, id_field=ids[kind]) for kind, made in readers.items()
        }

    def check(self) -> AccessReport:
        return AccessReport(readable=tuple(Kind))

    def slices(self, request: Any) -> Sequence[Slice]:
        (whole,) = super().slices(request)
        return [msgspec.structs.replace(whole, key=f"{whole.key} {t}", traffic=t) for t in self.traffic]

    def pages(self, kind: Kind, part: Slice, cursor: Mapping[str, object] | None = None) -> Iterator[Page]:
        position = int(str((cursor or {}).get("position", 0)))
        while True:
            self.before(len(self.asked))
            self.requests += 1
            self.asked.append(position)
            page, position = self._page(kind, part, position)
            yield page
            if page.cursor is None:
                return

    def _page(self, kind: Kind, part: Slice, position: int) -> tuple[Page, int]:
        wanted = part.traffic
        listed = [item for item in self.items if wanted is None or wanted is traffic_of(item)]
        overlap = 1 if position and self.overlaps else 0
        shown = listed[position - overlap : position - overlap + self.size]
        reading = self.readers[kind].tell_apart([msgspec.Raw(sent(item)) for item in shown])
        fresh = max(len(shown) - overlap, 0)
        position += fresh
        ended = not fresh or position >= len(listed)
        page = Page(
            records=tuple(reading.records),
            rejected=tuple(reading.rejected),
            cursor=None if ended else {"position": position},
            counted=fresh - reading.skipped,
            total=self.total(listed),
            items=tuple(reading.items),
            overlap=bool(overlap and shown),
            version=self.version(listed),
            skipped=reading.skipped,
            capped=ended and self.capped,
        )
        return page, position

    def total(self, listed: Sequence[Any]) -> int:
        return len(listed)

    def version(self, listed: Sequence[Any]) -> str | None:
        return None


class ScriptedReport(ScriptedClient):
    """Pages the lines of a report by their number, without overlap.

    :param versioned: whether each page tells a fingerprint of the whole list.
    :param counts_sums: whether the total holds lines of sums, which are no rows of the report.
    """

    overlaps = False

    def __init__(
        self,
        items: Sequence[Any],
        *,
        versioned: bool = True,
        counts_sums: bool = True,
        grain: Grain = Grain.REPORT_ROW,
        **options: Any,
    ) -> None:
        super().__init__(items, **options)
        self.versioned = versioned
        self.counts_sums = counts_sums
        reader = RowReader(
            to_line, self.zone, id_field="key", grain=grain, skips=lambda row: row.text("sums") is not None
        )
        self.readers = {Kind.PURCHASES: reader}

    def total(self, listed: Sequence[Any]) -> int:
        return sum(self.counts_sums or "sums" not in item for item in listed)

    def version(self, listed: Sequence[Any]) -> str | None:
        return hashlib.sha256(json.dumps(listed).encode()).hexdigest() if self.versioned else None


def line(key: str, orders: int = 1, **fields: Any) -> Action:
    """A line of a report: the sums of several orders."""
    return {"key": key, "orders": orders, "amount": "1.25", "day": "2026-03-02", **fields}


def lines(*keys: str, **fields: Any) -> list[Action]:
    return [line(key, **fields) for key in keys]


def to_line(row: Row) -> Purchase:
    return Purchase(
        key=row.key("key"),
        grain=Grain(row.text("grain") or Grain.REPORT_ROW),
        traffic=Traffic(row.text("traffic") or Traffic.COUPON),
        day=row.day("day"),
        orders=row.count("orders"),
        gross_orders=row.count("gross_orders"),
        commission=row.money("amount", "USD", CurrencySource.NETWORK),
        gross_commission=row.money("gross", "USD", CurrencySource.NETWORK),
        raw=row.raw,
    )


def traffic_of(item: Action) -> Traffic:
    if "traffic" in item:
        return Traffic(item["traffic"])
    return Traffic.LINK if item.get("click_date") else Traffic.COUPON


def sent(item: Any) -> bytes:
    return item if isinstance(item, bytes) else json.dumps(item).encode()
