"""A network whose list a test holds in its hands: rows appear, change and go between two pages.

Rows are the JSON of Admitad's actions and go through the same reading as those of the real network.
"""

from __future__ import annotations

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
from network_clients.records import Kind, Page, Traffic
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
        overlap = 1 if position else 0
        shown = listed[position - overlap : position - overlap + self.size]
        reading = self.readers[kind].read([msgspec.Raw(sent(item)) for item in shown])
        fresh = max(len(shown) - overlap, 0)
        position += fresh
        ended = not fresh or position >= len(listed)
        page = Page(
            records=tuple(reading.records),
            rejected=tuple(reading.rejected),
            cursor=None if ended else {"position": position},
            counted=fresh,
            total=len(listed),
            items=tuple(reading.items),
            overlap=bool(overlap and shown),
            capped=ended and self.capped,
        )
        return page, position


def traffic_of(item: Action) -> Traffic:
    return Traffic.LINK if item.get("click_date") else Traffic.COUPON


def sent(item: Any) -> bytes:
    return item if isinstance(item, bytes) else json.dumps(item).encode()
