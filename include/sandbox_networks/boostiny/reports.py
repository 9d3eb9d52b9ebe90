"""The two reports of one key: rows of a range of days, in the order of campaign, code and day.

That order is all there is: a row that arrives later stands in the middle, and every one behind it moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from sandbox_networks.boostiny.campaigns import Campaign, Catalogue
from sandbox_networks.boostiny.days import ROW_SIZE, ReportDay, ReportRow, Seller
from sandbox_networks.boostiny.options import BoostinyOptions
from sandbox_networks.boostiny.queries import ReportQuery
from sandbox_networks.boostiny.sales import Figures
from sandbox_networks.remembered import Remembered
from sandbox_networks.world import World
from sandbox_networks.zones import Zone

_REMEMBERED_ROWS = 600_000
_REMEMBERED_FIGURES = 200_000
_REMEMBERED_REPORTS = 4_000
_FEWEST_LINK_ROWS = 3


class ReportKind(StrEnum):
    """How customers came."""

    COUPON = "coupon"
    """By typing a code: a row per campaign and code."""
    LINK = "link"
    """By clicking a link: a row per campaign."""


class Report(NamedTuple):
    """All rows of a report at one moment, in order, and what they add up to."""

    rows: Sequence[ReportRow]
    sums: Figures


class ReportBook:
    """One of the two reports of one key.

    Days, their figures and whole reports are remembered within fixed bounds (about 300 MB when all are full):
    a world that is larger costs time, not memory.

    :param position: which key this is; sales differ between keys.
    """

    def __init__(
        self,
        world: World,
        options: BoostinyOptions,
        catalogue: Catalogue,
        zone: Zone,
        position: int,
        kind: ReportKind,
    ) -> None:
        """Start with nothing remembered."""
        self._world = world
        self._catalogue = catalogue
        self._zone = zone
        self._position = position
        self._kind = kind
        self._by_country = options.split_by_country
        size = world.rows_per_day
        self._day = lru_cache(maxsize=max(4, _REMEMBERED_ROWS // size))(self._read_day)
        self._figures: Remembered[Sequence[ReportRow]] = Remembered(max(4, _REMEMBERED_FIGURES // size))
        self._reports: Remembered[Report] = Remembered(max(4, _REMEMBERED_REPORTS // size))

    def report(self, query: ReportQuery, *, by_day: bool) -> Report:
        """Find the rows that a query asks for, as they are now.

        :param by_day: whether there is a row for each day, or one for the whole range.
        """
        now = self._world.clock.now()
        first = max(query.first, self._world.first_day)
        days = [self._day(ordinal) for ordinal in range(first, min(query.last, self._zone.day(now)) + 1)]
        # Every day's version only ever grows with the clock, so their sum stands for all of them.
        version = sum(day.version(now) for day in days)
        return self._reports.get(
            (query, len(days), by_day), version, lambda: self._write(days, query, now, by_day)
        )

    def _write(self, days: Sequence[ReportDay], query: ReportQuery, now: int, by_day: bool) -> Report:
        rows = [
            row for day in days for row in self._rows_of(day, now) if _is_about(row.seller.campaign, query)
        ]
        if not by_day:
            rows = list(_merged(rows))
        rows.sort(key=_order)
        columns = zip(*(row.figures for row in rows), strict=True)
        return Report(rows, Figures(*map(sum, columns)))

    def _rows_of(self, day: ReportDay, now: int) -> Sequence[ReportRow]:
        return self._figures.get(
            day.ordinal, day.version(now), lambda: list(day.rows(now, by_country=self._by_country))
        )

    def _read_day(self, ordinal: int) -> ReportDay:
        names = ("boostiny", self._kind, self._position, ordinal)
        sellers = self._sellers(ordinal, int.from_bytes(self._world.draw(4, *names, "first")))
        drawn = self._world.draw(ROW_SIZE * len(sellers), *names)
        midnight, length = self._zone.midnight(ordinal), self._zone.day_length(ordinal)
        return ReportDay(ordinal, midnight, length, sellers, drawn)

    def _sellers(self, day: int, start: int) -> Sequence[Seller]:
        """Choose who sells on a day: the next so many, from a place that is drawn."""
        size = self._world.rows_per_day
        if self._kind is ReportKind.LINK:
            links = self._catalogue.by_link
            wanted = range(start, start + min(max(_FEWEST_LINK_ROWS, size // 5), len(links)))
            sellers = [Seller(links[place % len(links)], None) for place in wanted]
        else:
            sellers = list(self._coupon_sellers(day, range(start, start + size)))
        return [seller for seller in sellers if seller.campaign.is_on(day)]

    def _coupon_sellers(self, day: int, wanted: range) -> Iterator[Seller]:
        campaigns = self._catalogue.by_coupon
        for place in wanted:
            slot, number = divmod(place % (len(campaigns) * self._catalogue.slots), len(campaigns))
            yield Seller(campaigns[number], self._catalogue.coupon(campaigns[number], slot, day))


def _is_about(campaign: Campaign, query: ReportQuery) -> bool:
    return query.wants(campaign.id, campaign.name)


def _order(row: ReportRow) -> tuple[str, str, int, str]:
    coupon = row.seller.coupon
    return row.seller.campaign.name, coupon.code if coupon else "", row.day or 0, row.country or ""


def _merged(rows: Sequence[ReportRow]) -> Iterator[ReportRow]:
    """Add up the rows of several days: one for each campaign, code and country."""
    found: dict[tuple[int, int, str | None], ReportRow] = {}
    for row in rows:
        campaign, coupon = row.seller
        key = (campaign.id, coupon.id if coupon else 0, row.country)
        known = found.get(key)
        found[key] = row._replace(
            place=known.place if known else row.place,
            day=None,
            changed=max(row.changed, known.changed) if known else row.changed,
            figures=row.figures.plus(known.figures) if known else row.figures,
        )
    yield from found.values()
