"""What Admitad's rows become; the fields and their oddities are in NOTES.md."""

from __future__ import annotations

from network_clients.admitad.facts import FACTS
from network_clients.records import Campaign, Coupon, Purchase, Status, Traffic
from network_clients.row import Row
from network_clients.values import status_of

#: Personal data of the shop's customer, never kept.
WITHHELD = ("click_user_ip", "click_user_referer")
_SUB_IDS = ("subid", "subid1", "subid2", "subid3", "subid4")
#: What :func:`to_purchase` reads.
PURCHASE_FIELDS = (
    "action_id",
    "action_date",
    "advcampaign_id",
    "advcampaign_name",
    "cart",
    "click_country_code",
    "click_date",
    "closing_date",
    "currency",
    "order_id",
    "paid",
    "payment",
    "promocode",
    "status",
    "status_updated",
    *_SUB_IDS,
)


def to_campaign(row: Row) -> Campaign:
    """Translate a programme; its connection and tracking link only come with an ad space."""
    return Campaign(
        key=row.key("id"),
        name=row.key("name"),
        status=row.text("status"),
        connection=row.text("connection_status"),
        site_url=row.url("site_url"),
        tracking_url=row.url("gotolink"),
        logo_url=row.url("image"),
        currency=row.currency("currency"),
        countries=_countries(row),
        categories=row.texts("categories", "name"),
        description=row.text("description"),
        raw=row.raw,
    )


def to_coupon(row: Row) -> Coupon:
    """Translate a code or deal; code and link only come with an ad space."""
    campaign = row.child("campaign")
    return Coupon(
        key=row.key("id"),
        campaign_key=campaign.text("id"),
        campaign_name=campaign.text("name"),
        code=row.text("promocode"),
        name=row.text("name") or row.text("short_name"),
        description=row.text("description"),
        status=row.text("status"),
        discount=row.text("discount"),
        starts_at=row.moment("date_start"),
        ends_at=row.moment("date_end"),
        url=row.url("goto_link"),
        countries=_countries(row),
        is_exclusive=row.flag("exclusive"),
        raw=row.raw,
    )


def to_purchase(row: Row) -> Purchase:
    """Translate a single action: one sale or lead."""
    currency = row.currency("currency")
    word = row.text("status")
    return Purchase(
        key=row.key("action_id"),
        traffic=_traffic(row),
        day=row.day("action_date"),
        occurred_at=row.moment("action_date"),
        clicked_at=row.moment("click_date"),
        closed_at=row.moment("closing_date"),
        changed_at=row.moment("status_updated"),
        campaign_key=row.text("advcampaign_id"),
        campaign_name=row.text("advcampaign_name"),
        coupon_code=row.text("promocode"),
        order_ref=row.text("order_id"),
        status=_status(word, is_paid=bool(row.flag("paid"))),
        status_word=word,
        sale=row.money("cart", currency),
        commission=row.money("payment", currency),
        country=row.text("click_country_code"),
        sub_ids=tuple(row.text(name) or "" for name in _SUB_IDS),
        raw=row.raw,
    )


def _status(word: str | None, *, is_paid: bool) -> Status:
    status = status_of(FACTS.status_words, word)
    return Status.PAID if is_paid and status is Status.APPROVED else status


def _traffic(row: Row) -> Traffic | None:
    # An order that only a code brought in has no click.
    if row.text("click_date"):
        return Traffic.LINK
    return Traffic.COUPON if row.text("promocode") else None


def _countries(row: Row) -> tuple[str, ...]:
    # "00" stands for all countries and "01" for the CIS: neither is a country.
    return tuple(code for code in row.texts("regions", "region") if len(code) == 2 and code.isalpha())
