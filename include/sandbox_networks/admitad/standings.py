"""How an action stands at one moment: its word, its amounts, whether it is judged and paid."""

from __future__ import annotations

from typing import NamedTuple

from sandbox_networks.admitad.catalogue import Campaign
from sandbox_networks.admitad.life import Draw, Life, share, status_at

CENT = 100
"""A hundredth of a currency unit: amounts are counted in ten-thousandths."""

NULL_CART, TEXT_CART, NULL_CLOSING, TIMED_CLOSING = share(2), share(4), share(6), share(8)
"""Upper bounds of the odd shapes: of ``draw.odd``, each share begins where the one before it ends."""

_PARTIAL = share(10)
_OTHER_CURRENCY = {"USD": "EUR", "EUR": "USD", "AED": "USD", "SAR": "AED", "EGP": "USD", "KWD": "USD"}


class Standing(NamedTuple):
    """How an action stands at one moment; moments in epoch seconds, amounts in ten-thousandths."""

    word: str
    changed: int
    is_processed: bool
    is_paid: bool
    closed: int | None
    payment: int
    cart: int | None


def standing(campaign: Campaign, draw: Draw, life: Life, now: int, *, paid_counts: bool) -> Standing:
    """Work out how an action stands.

    :param paid_counts: whether the payout moves the time of the last change.
    """
    is_processed, is_paid = now >= life.decide, now >= life.paid
    word, changed = status_at(draw, life, now)
    payment, cart = _amounts(campaign, draw, life, now)
    return Standing(
        word,
        life.paid if is_paid and paid_counts else changed,
        is_processed,
        is_paid,
        life.decide if is_processed and not TEXT_CART <= draw.odd < NULL_CLOSING else None,
        payment,
        None if campaign.is_lead or draw.odd < NULL_CART else cart,
    )


def _amounts(campaign: Campaign, draw: Draw, life: Life, now: int) -> tuple[int, int]:
    cart = (200 + draw.cart % 90_000) * CENT
    payment = campaign.fixed if campaign.is_lead else cart * campaign.percent // 10_000
    if now >= life.revise:
        kept = 50 + draw.part % 46
        cart, payment = cart * kept // 100, payment * kept // 100
    if now >= life.decide and draw.settling & 0xFFFF < _PARTIAL:
        kept = 40 + draw.settling % 50
        cart, payment = cart * kept // 100, payment * kept // 100
    if draw.shape % 10:
        payment -= payment % CENT
    return payment, cart - cart % CENT


def currency_of(campaign: Campaign, draw: Draw) -> str:
    """Say the currency of an action: mostly the campaign's."""
    return campaign.currency if draw.code % 12 else _OTHER_CURRENCY[campaign.currency]


def subids_of(draw: Draw) -> tuple[str | None, str | None, str | None]:
    """Give the publisher's tracking values: subid, subid1, subid2; the others are always null."""
    return (
        f"u{draw.website % 997}" if draw.code % 4 == 0 else None,
        f"c-{draw.click % 100_000}" if draw.code % 5 else None,
        f"s{draw.website % 7}" if draw.code % 10 == 0 else None,
    )
