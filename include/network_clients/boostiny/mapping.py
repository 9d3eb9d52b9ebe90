"""What Boostiny's rows become; the fields and their oddities are in NOTES.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime

import msgspec
from iso3166 import countries

from network_clients.records import Campaign, Coupon, CurrencySource, Grain, Purchase, Traffic
from network_clients.row import Row
from network_clients.values import InvalidValueError, text_of, url_of

#: How many rows the whole list has, repeated on each of them.
VOLATILE = ("full_count",)


class ReportRows:
    """Translates the rows of one report: some days of one kind of traffic.

    :param currency: of the commission, and who says so.
    """

    def __init__(
        self, days: tuple[date, date], traffic: Traffic, currency: tuple[str, CurrencySource]
    ) -> None:
        self._days = days
        self._traffic = traffic
        self._currency = currency

    def key(self, row: Row) -> str:
        """Build what tells a row from others, since Boostiny gives it no id."""
        code = row.text("code_id") or row.text("code")
        split = (row.text(name) for name in ("country", "customer_type", "order_id"))
        parts = (row.key("campaign_id"), code, self._day(row).isoformat(), *split)
        key = "|".join(part or "" for part in parts)
        return f"link:{key}" if self._traffic is Traffic.LINK else key

    def to_purchase(self, row: Row) -> Purchase:
        """Translate sums of several orders, net and gross of cancellations."""
        return Purchase(
            key=self.key(row),
            grain=Grain.REPORT_ROW,
            traffic=self._traffic,
            day=self._day(row),
            campaign_key=row.text("campaign_id"),
            campaign_name=row.text("campaign_name"),
            coupon_code=row.text("code"),
            order_ref=row.text("order_id"),
            orders=row.count("net_orders"),
            gross_orders=row.count("orders"),
            sale=row.money("net_sales_amount_usd", "USD", CurrencySource.NETWORK),
            gross_sale=row.money("sales_amount_usd", "USD", CurrencySource.NETWORK),
            commission=row.money("net_revenue", *self._currency),
            gross_commission=row.money("revenue", *self._currency),
            country=next(_codes([row.text("country")]), None),
            raw=row.raw,
        )

    def _day(self, row: Row) -> date:
        first, last = self._days
        if row.text("date") is None:
            if first != last:
                raise InvalidValueError(
                    "date",
                    "is missing, so the row belongs to no day: set Days per request (window_days) to 1",
                )
            return first
        day = row.day("date")
        if not first <= day <= last:
            raise InvalidValueError("date", f"is {day}, while {first} to {last} was asked for")
        return day


def is_summary(row: Row) -> bool:
    """Tell a line of sums: it names a period and no campaign."""
    period = row.text("period_from") or row.text("period_to")
    return period is not None and row.text("campaign_id") is None


def to_campaign(row: Row) -> Campaign:
    """Translate a campaign; live answers mostly lack both states."""
    about = row.child("campaign_description")
    links = row.child("tracking_link_details").texts("tracking_links", "url")
    return Campaign(
        key=row.key("id"),
        name=row.key("name"),
        status=row.text("status"),
        connection=row.text("application_status"),
        site_url=about.url("website_url"),
        tracking_url=url_of(next(iter(links), None), "tracking_links"),
        logo_url=row.url("logo"),
        countries=tuple(_codes(row.texts("targetCountries", "code"))),
        categories=tuple(filter(None, [_category(row)])),
        description=about.text("description"),
        raw=row.raw,
    )


def coupon_rows(campaign: Row) -> Iterator[msgspec.Raw]:
    """Find the coupons of a campaign, each with the campaign's id and name."""
    return campaign.children("coupons", {"campaign_id": "id", "campaign_name": "name"})


def coupon_key(row: Row) -> str:
    """Build what tells a coupon from others, its letter case kept."""
    return f"{row.key('campaign_id')}|{row.key('coupon')}"


def to_coupon(row: Row) -> Coupon:
    """Translate an embedded coupon."""
    return Coupon(
        key=coupon_key(row),
        campaign_key=row.text("campaign_id"),
        campaign_name=row.text("campaign_name"),
        code=row.text("coupon"),
        starts_at=_start(row),
        countries=tuple(_codes(row.texts("countries", "code"))),
        raw=row.raw,
    )


def _category(row: Row) -> str | None:
    value = row.value("category")
    return text_of(value.get("name") if isinstance(value, dict) else value, "category")


def _start(row: Row) -> datetime | None:
    try:
        return row.moment("start_date")
    except InvalidValueError:
        # Nobody knows its format: the raw row keeps it.
        return None


def _codes(sent: Iterable[str | None]) -> Iterator[str]:
    """Turn codes of three letters into those of two; what is no country (ALL, GCC) is left out."""
    found = (countries.get(code, None) for code in sent if code)
    return iter(dict.fromkeys(country.alpha2 for country in found if country))
