"""What the sandbox's Boostiny has on offer: campaigns, and the coupons that each of them gives out.

Campaigns mostly stay; every twentieth comes and goes. A campaign has coupon traffic, link traffic or both.
Its coupons live in slots: most slots keep their code for ever, every fourth takes a new one from time to
time, which is listed a week before it starts. Two codes of a campaign may differ in their letter case only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache

import msgspec

from sandbox_networks.boostiny.options import BoostinyOptions
from sandbox_networks.world import World

_EPOCH = date(2010, 1, 1).toordinal()
_LISTED_AHEAD = 7
_WORDS = ("Zahra", "Noor", "Majd", "Saffron", "Layla's", "Oasis", "Rimal & Co", "Palm", "Qamar", "Dana")
_SHOPS = ("Fashion", "Store", "Beauty", "Home")
_CATEGORIES = ("Fashion", "Electronics", "Beauty", None, "Travel")
_CURRENCIES = ("SAR", "AED", "USD", "KWD", "EGP", "SAR", "EUR")
_COUNTRIES = ("SA", "AE", "KW", "EG", "QA", "DE")


class Campaign(msgspec.Struct, frozen=True):
    """What stays the same about a campaign."""

    number: int
    id: int
    name: str
    prefix: str
    """What its codes begin with."""
    currency: str
    """What customers pay in; report rows do not tell it."""
    percent: int
    """The publisher's share of a sale, in hundredths of a percent."""
    countries: tuple[str, ...]
    """Two letters each."""
    category: str | None

    @property
    def has_coupons(self) -> bool:
        """Whether customers may come by a code."""
        return self.number % 5 != 4

    @property
    def has_links(self) -> bool:
        """Whether customers may come by a link."""
        return self.number % 2 == 0 or not self.has_coupons

    @property
    def logo(self) -> str | None:
        """An image, on a domain that never resolves."""
        return None if self.number % 7 == 5 else f"https://cdn.example/logos/{self.id}.png"

    @property
    def site_url(self) -> str:
        """The advertiser's site, on a domain that never resolves."""
        return f"https://shop{self.number + 1:02d}.example/"

    def is_on(self, day: int) -> bool:
        """Whether the network has the campaign on a day."""
        return self.number % 20 != 18 or (day + self.number) // 25 % 2 == 0


class Coupon(msgspec.Struct, frozen=True):
    """One coupon: ``start`` is the first day of its code, as an ordinal."""

    id: int
    slot: int
    campaign: Campaign
    code: str
    start: int

    @property
    def countries(self) -> tuple[str, ...] | None:
        """Where it can be used; ``None`` where nobody said."""
        return None if (self.slot + self.campaign.number) % 3 == 0 else self.campaign.countries


class Catalogue:
    """All campaigns and coupons of the network; the same for every key.

    A campaign has as many slots as it takes to fill every row of a day with a code of its own.
    """

    def __init__(self, world: World, options: BoostinyOptions) -> None:
        """Draw the campaigns."""
        self._world = world
        self.campaigns = tuple(self._make(number) for number in range(options.campaigns))
        self.by_coupon = tuple(campaign for campaign in self.campaigns if campaign.has_coupons)
        self.by_link = tuple(campaign for campaign in self.campaigns if campaign.has_links)
        self.slots = world.rows_per_day // len(self.by_coupon) + 2
        self._rhythm = lru_cache(maxsize=65_536)(self._draw_rhythm)
        self._coupon = lru_cache(maxsize=65_536)(self._make_coupon)

    def _make(self, number: int) -> Campaign:
        noise = self._world.draw(6, "boostiny", "campaign", number)
        start = noise[1] % (len(_COUNTRIES) - 2)
        word = _WORDS[noise[0] % len(_WORDS)]
        return Campaign(
            number=number,
            id=9001 + number,
            name=f"{word} {_SHOPS[noise[2] % len(_SHOPS)]} {number + 1:02d}",
            prefix=word[:3].upper(),
            currency=_CURRENCIES[number % len(_CURRENCIES)],
            percent=200 + 25 * (noise[3] % 40),
            countries=_COUNTRIES[start : start + 1 + noise[4] % 3],
            category=_CATEGORIES[noise[5] % len(_CATEGORIES)],
        )

    def campaigns_on(self, day: int) -> Sequence[Campaign]:
        """List the campaigns of a day."""
        return [campaign for campaign in self.campaigns if campaign.is_on(day)]

    def coupons_on(self, campaign: Campaign, day: int) -> Iterator[Coupon]:
        """List the coupons that a campaign gives out on a day, with those that start soon."""
        for slot in range(self.slots if campaign.has_coupons else 0):
            coupon = self.coupon(campaign, slot, day)
            yield coupon
            coming = self.coupon(campaign, slot, day + _LISTED_AHEAD)
            if coming != coupon:
                yield coming

    def coupon(self, campaign: Campaign, slot: int, day: int) -> Coupon:
        """Find the coupon that sells in a slot of a campaign on a day."""
        days, phase = self._rhythm(campaign.number, slot)
        return self._coupon(campaign.number, slot, (day - _EPOCH + phase) // days if days else 0)

    def _draw_rhythm(self, number: int, slot: int) -> tuple[int, int]:
        if slot % 4 != 2:
            return 0, 0
        noise = self._world.draw(2, "boostiny", "rhythm", number, slot)
        days = 40 + noise[0] % 40
        return days, noise[1] % days

    def _make_coupon(self, number: int, slot: int, turn: int) -> Coupon:
        campaign = self.campaigns[number]
        days, phase = self._rhythm(number, slot)
        # Slots 1, 9, 17 ... write the code of their neighbour in another letter case.
        is_twin = slot % 8 == 1
        noise = self._world.draw(2, "boostiny", "coupon", number, slot - is_twin)
        code = f"{campaign.prefix}{slot - is_twin + 1}{(noise[0] + 7 * turn) % 256:02X}"
        return Coupon(
            id=(number * 10_000 + slot) * 1_000 + turn + 1,
            slot=slot,
            campaign=campaign,
            code=code.capitalize() if is_twin else code,
            start=_EPOCH + turn * days - phase if days else self._world.first_day - noise[1],
        )
