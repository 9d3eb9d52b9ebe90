"""What Admitad's plain actions become: the same as in :func:`network_clients.admitad.mapping.to_purchase`."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec

from network_clients.admitad.facts import FACTS
from network_clients.plain import NotPlainError, Word, amount_of, currency_of, day_of, moment_of, word_of
from network_clients.records import CurrencySource, PlainPurchase, Status, Traffic

_ABSENT = msgspec.Raw(b"null")


class PlainAction(msgspec.Struct, frozen=True, gc=False):
    """The fields of an action that matter, with the types that they usually have."""

    action_id: str | int
    action_date: str
    advcampaign_id: Word = None
    advcampaign_name: Word = None
    cart: object = None
    click_country_code: Word = None
    click_date: str | None = None
    closing_date: str | None = None
    currency: str | None = None
    order_id: Word = None
    paid: int | bool | None = None
    payment: object = None
    promocode: Word = None
    status: str | None = None
    status_updated: str | None = None
    subid: Word = None
    subid1: Word = None
    subid2: Word = None
    subid3: Word = None
    subid4: Word = None
    click_user_ip: msgspec.Raw = _ABSENT
    click_user_referer: msgspec.Raw = _ABSENT


def plain_purchase(key: str, row: PlainAction, raw: bytes, zone: ZoneInfo) -> PlainPurchase:
    """Translate a single action whose form is the usual one.

    :raises ValueError: when it is not.
    """
    word, code = word_of(row.status), word_of(row.promocode)
    sale, commission = amount_of(row.cart), amount_of(row.payment)
    currency = currency_of(row.currency)
    is_priced = sale is not None or commission is not None
    if word_of(row.action_id) is None or (is_priced and currency is None):
        raise NotPlainError
    occurred_at = moment_of(row.action_date, zone)
    return PlainPurchase(
        key=key,
        traffic=_LINK if row.click_date else _COUPON if code else None,
        day=day_of(row.action_date),
        occurred_at=occurred_at,
        clicked_at=moment_of(row.click_date, zone),
        closed_at=moment_of(row.closing_date, zone),
        changed_at=moment_of(row.status_updated, zone),
        campaign_key=word_of(row.advcampaign_id),
        campaign_name=word_of(row.advcampaign_name),
        coupon_code=code,
        order_ref=word_of(row.order_id),
        status=_status(word, row.paid),
        status_word=word,
        sale_amount=sale,
        sale_currency=None if sale is None else currency,
        commission=commission,
        commission_currency=None if commission is None else currency,
        currency_source=_ROW if is_priced else None,
        country=word_of(row.click_country_code),
        sub_ids=_sub_ids(row),
        raw=raw,
    )


_LINK, _COUPON, _ROW = Traffic.LINK.value, Traffic.COUPON.value, CurrencySource.ROW.value
_STATUSES = {
    (word, paid): (Status.PAID if paid and status is Status.APPROVED else status).value
    for word, status in FACTS.status_words.items()
    for paid in (None, 0, 1)
}


def _status(word: str | None, paid: int | None) -> str:
    status = _STATUSES.get((word or "", paid))
    if status is None:
        raise NotPlainError
    return status


def _sub_ids(row: PlainAction) -> tuple[str, ...]:
    sent = (row.subid, row.subid1, row.subid2, row.subid3, row.subid4)
    return tuple([word_of(value) or "" for value in sent])
