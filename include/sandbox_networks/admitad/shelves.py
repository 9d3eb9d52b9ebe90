"""The lists of campaigns and coupons: which ones are on them, filtered and ordered as asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from starlette.datastructures import QueryParams

from sandbox_networks.admitad.catalogue import Campaign, Catalogue, Coupon
from sandbox_networks.admitad.listings import campaign_row, coupon_row, linked_campaign_row, linked_coupon_row
from sandbox_networks.admitad.queries import day_of, read_language, whole_number, whole_numbers

Row = dict[str, object]

_COUPON_ORDERS = ("name", "rating", "date_start", "date_end")


class Shelves:
    """The catalogue as lists; ``website`` is the ad space that looks at it, ``None`` for the whole of it."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Put a catalogue on shelves."""
        self._catalogue = catalogue

    def campaigns(self, day: int, website: int | None) -> Sequence[Campaign]:
        """List the campaigns of a day: for an ad space those that it has any standing with."""
        return [
            campaign
            for campaign in self._catalogue.campaigns_on(day)
            if website is None or self._catalogue.connection(campaign, website, day)
        ]

    def coupons(self, day: int, website: int | None) -> Sequence[Coupon]:
        """List the coupons of a day: for an ad space those of the campaigns that it has joined."""
        campaigns = {
            campaign.id
            for campaign in self._catalogue.campaigns_on(day)
            if website is None or self._catalogue.connection(campaign, website, day) == "active"
        }
        return [coupon for coupon in self._catalogue.coupons_on(day) if coupon.campaign.id in campaigns]

    def campaign_rows(self, query: QueryParams, day: int, website: int | None) -> Sequence[Row]:
        """Print the campaigns that a query asks for, by id."""
        tools, traffic = query.getlist("has_tool"), whole_numbers(query, "traffic_id")
        viewed = whole_number(query, "website") if website is None else None
        word = query.get("connection_status") if website is not None else None
        rows = []
        for campaign in self.campaigns(day, website):
            if viewed is not None and not self._catalogue.connection(campaign, viewed, day):
                continue
            row = self._campaign(campaign, query, day, website)
            if word in (None, row.get("connection_status")) and _offers(campaign, row, tools, traffic):
                rows.append(row)
        return rows

    def campaign_row(self, query: QueryParams, day: int, website: int | None, number: int) -> Row | None:
        """Print one campaign; ``None`` if it is not on the list."""
        found = (campaign for campaign in self.campaigns(day, website) if campaign.id == number)
        return next((self._campaign(campaign, query, day, website) for campaign in found), None)

    def coupon_rows(self, query: QueryParams, day: int, website: int | None) -> Sequence[Row]:
        """Print the coupons that a query asks for, by id unless another order is asked for."""
        wanted = [coupon for coupon in self.coupons(day, website) if _is_wanted(coupon, query)]
        rows = [_coupon(coupon, query, website) for coupon in wanted]
        if search := query.get("search", "").lower():
            rows = [row for row in rows if search in str(row["name"]).lower()]
        for order in reversed(query.getlist("order_by")):
            name = order.removeprefix("-")
            if name in _COUPON_ORDERS:
                rows.sort(key=partial(_sort_text, name), reverse=order.startswith("-"))
        return rows

    def coupon_row(self, query: QueryParams, day: int, website: int | None, number: int) -> Row | None:
        """Print one coupon; ``None`` if it is not on the list."""
        found = (coupon for coupon in self.coupons(day, website) if coupon.id == number)
        return next((_coupon(coupon, query, website) for coupon in found), None)

    def _campaign(self, campaign: Campaign, query: QueryParams, day: int, website: int | None) -> Row:
        language = read_language(query)
        if website is None:
            return campaign_row(campaign, language, day)
        word = self._catalogue.connection(campaign, website, day)
        return linked_campaign_row(campaign, language, day, website, word or "")


def _sort_text(name: str, row: Row) -> str:
    return str(row[name] or "")


def _offers(campaign: Campaign, row: Row, tools: Sequence[str], traffic: Sequence[int]) -> bool:
    traffics = row["traffics"]
    kinds = {kind["id"] for kind in traffics} if isinstance(traffics, list) else set()
    return set(tools) <= set(campaign.tools) and kinds.issuperset(traffic)


def _is_wanted(coupon: Coupon, query: QueryParams) -> bool:
    start, end = day_of(query, "date_start"), day_of(query, "date_end")
    region = query.get("region")
    return (
        _among(coupon.campaign.id, query, "campaign")
        and _among(coupon.campaign.category, query, "category")
        and _among(coupon.campaign.category, query, "campaign_category")
        and _among(coupon.type_id, query, "type")
        and (start is None or coupon.start >= start)
        and (end is None or (coupon.has_end and coupon.end <= end))
        and (region is None or region in coupon.campaign.countries)
    )


def _among(value: int, query: QueryParams, name: str) -> bool:
    wanted = whole_numbers(query, name)
    return not wanted or value in wanted


def _coupon(coupon: Coupon, query: QueryParams, website: int | None) -> Row:
    language = read_language(query)
    return coupon_row(coupon, language) if website is None else linked_coupon_row(coupon, language, website)
