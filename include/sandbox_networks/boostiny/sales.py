"""What happens to one sale, and when: all of it follows from the bytes that were drawn for it.

A sale happens, and is reported at once or up to three days late. Between 5 and 60 days later a part of them
is cancelled, or cut to a part of its value: that lowers the net figures, never the gross ones. Nobody sees
single sales: a report row adds up those of one campaign, code and day.
"""

from __future__ import annotations

import struct
from operator import add
from typing import NamedTuple

from sandbox_networks.boostiny.campaigns import Campaign

DRAW = struct.Struct("<4I4H")
"""The random numbers of one sale."""

SALE = struct.Struct("=5I2B")
"""One sale, packed."""

HOUR, DAY = 3_600, 86_400
NEVER = 0xFFFF_FFFF
CENT = 100
"""A hundredth of a currency unit: amounts are counted in ten-thousandths."""
_DOLLAR = {"USD": 10_000, "SAR": 37_500, "AED": 36_725, "KWD": 3_075, "EGP": 484_000, "EUR": 9_200}
"""What a dollar costs, in ten-thousandths."""


def share(percent: float) -> int:
    """Turn a percentage into a bound for a 16-bit random number."""
    return int(percent * 655.36)


_AT_ONCE = share(85)
_CANCELLED, _CUT = share(16), share(22)


class Draw(NamedTuple):
    """The random numbers of one sale, by what they decide."""

    second: int
    delay: int
    wait: int
    cart: int
    late: int
    fate: int
    part: int
    country: int


class Sale(NamedTuple):
    """One sale: moments in epoch seconds, amounts in ten-thousandths.

    ``settled`` is when only ``kept`` percent of it are left, or :data:`NEVER`; ``country`` is a position
    among the countries of its campaign.
    """

    reported: int
    settled: int
    amount: int
    amount_usd: int
    revenue: int
    kept: int
    country: int


class Figures(NamedTuple):
    """What a report says of some sales; amounts in ten-thousandths."""

    orders: int = 0
    net_orders: int = 0
    revenue: int = 0
    net_revenue: int = 0
    amount: int = 0
    net_amount: int = 0
    amount_usd: int = 0
    net_amount_usd: int = 0

    def plus(self, other: Figures) -> Figures:
        """Add up two sets of figures."""
        return Figures(*map(add, self, other))


NOTHING = Figures()
"""The figures of no sales."""


def sell(draw: Draw, campaign: Campaign, midnight: int, length: int) -> Sale:
    """Work out a sale of the day that starts at ``midnight`` and has ``length`` seconds."""
    reported = midnight + (draw.second * length >> 32)
    if draw.late >= _AT_ONCE:
        reported += HOUR + draw.delay % (3 * DAY)
    settled, kept = NEVER, 100
    if draw.fate < _CUT:
        settled = midnight + 5 * DAY + draw.wait % (55 * DAY)
        kept = 0 if draw.fate < _CANCELLED else 40 + draw.part % 51
    dollar = _DOLLAR[campaign.currency]
    cents = (1_500 + draw.cart % 60_000) * dollar // 10_000
    cents_usd = cents * 10_000 // dollar
    return Sale(
        reported,
        settled,
        cents * CENT,
        cents_usd * CENT,
        cents_usd * CENT * campaign.percent // 10_000,
        kept,
        draw.country % len(campaign.countries),
    )


def kept_of(amount: int, percent: int) -> int:
    """Cut an amount of whole cents down to a percentage of it, in whole cents."""
    return amount // CENT * percent // 100 * CENT
