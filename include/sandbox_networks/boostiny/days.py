"""The report rows of one day of one key: which are there at a moment, and what they say."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sandbox_networks.boostiny.campaigns import Campaign, Coupon
from sandbox_networks.boostiny.sales import DAY, DRAW, NEVER, SALE, Draw, Figures, Sale, kept_of, sell, share

_MOST_SALES = 8
_SALES = (1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, _MOST_SALES)
_HEAD = struct.Struct("<I2H")
ROW_SIZE = _HEAD.size + _MOST_SALES * DRAW.size
"""How many random bytes a row takes."""

_VOID, _VANISHING = share(1.5), share(3)
"""Of the row's fate: all its sales are void and it goes soon after, or it just goes."""


class Seller(NamedTuple):
    """Whom a row is about: a campaign, and the coupon that customers typed; ``None`` for link traffic."""

    campaign: Campaign
    coupon: Coupon | None


class ReportRow(NamedTuple):
    """One row of a report at one moment.

    ``place`` is its position among the rows of its day; ``day`` is ``None`` where it covers a whole range,
    ``country`` where it covers all; ``changed`` is in epoch seconds.
    """

    place: int
    day: int | None
    seller: Seller
    country: str | None
    changed: int
    figures: Figures


class ReportDay:
    """All sales that ever happen on one calendar day, by row. Keeps about 200 bytes per row.

    :param midnight: when the day starts, in epoch seconds.
    :param length: how many seconds it has.
    :param drawn: :data:`ROW_SIZE` bytes for each seller.
    """

    def __init__(
        self, ordinal: int, midnight: int, length: int, sellers: Sequence[Seller], drawn: bytes
    ) -> None:
        """Work out every sale."""
        self.ordinal = ordinal
        self._sellers = sellers
        self._vanishings = array("I")
        self._ends = array("I")
        packed, events = bytearray(), array("I")
        for index, seller in enumerate(sellers):
            noise = drawn[index * ROW_SIZE : (index + 1) * ROW_SIZE]
            sales, vanishing = _live(noise, seller.campaign, midnight, length)
            for sale in sales:
                packed += SALE.pack(*sale)
                events.append(sale.reported)
                events.append(sale.settled)
            events.append(vanishing)
            self._vanishings.append(vanishing)
            self._ends.append(len(packed))
        self._sales = bytes(packed)
        self._events = array("I", sorted(moment for moment in events if moment != NEVER))

    def version(self, now: int) -> int:
        """Count what has happened by a moment: while this number stands still, so does the day."""
        return bisect_right(self._events, now)

    def rows(self, now: int, *, by_country: bool) -> Iterator[ReportRow]:
        """List the rows that are reported at a moment."""
        start = 0
        for place, end in enumerate(self._ends):
            if now < self._vanishings[place]:
                yield from self._add_up(place, self._sales[start:end], now, by_country)
            start = end

    def _add_up(self, place: int, packed: bytes, now: int, by_country: bool) -> Iterator[ReportRow]:
        sums: dict[int, list[int]] = {}
        for sale in map(Sale._make, SALE.iter_unpack(packed)):
            if sale.reported <= now:
                _count(sums.setdefault(sale.country if by_country else 0, [0] * 9), sale, now)
        seller = self._sellers[place]
        for country, (changed, *figures) in sums.items():
            name = seller.campaign.countries[country] if by_country else None
            yield ReportRow(place, self.ordinal, seller, name, changed, Figures(*figures))


def _live(noise: bytes, campaign: Campaign, midnight: int, length: int) -> tuple[list[Sale], int]:
    """Work out the sales of a row, and when it vanishes."""
    wait, size, fate = _HEAD.unpack_from(noise)
    draws = DRAW.iter_unpack(noise[_HEAD.size : _HEAD.size + _SALES[size % len(_SALES)] * DRAW.size])
    sales = [sell(Draw._make(numbers), campaign, midnight, length) for numbers in draws]
    if fate >= _VANISHING:
        return sales, NEVER
    if fate >= _VOID:
        return sales, midnight + 4 * DAY + wait % (36 * DAY)
    void = midnight + 5 * DAY + wait % (32 * DAY)
    return [sale._replace(settled=void, kept=0) for sale in sales], void + DAY + wait % (2 * DAY)


def _count(sums: list[int], sale: Sale, now: int) -> None:
    is_settled = sale.settled <= now
    kept = sale.kept if is_settled else 100
    sums[0] = max(sums[0], sale.settled if is_settled else sale.reported)
    sums[1] += 1
    sums[2] += kept > 0
    sums[3] += sale.revenue
    sums[4] += sale.revenue * kept // 100
    sums[5] += sale.amount
    sums[6] += kept_of(sale.amount, kept)
    sums[7] += sale.amount_usd
    sums[8] += kept_of(sale.amount_usd, kept)
