"""The campaigns and coupons of the sandbox's Admitad, as they are on one day.

Campaigns mostly stay; every twentieth comes and goes, ratings move by the month, and an ad space's pending
requests are accepted as time passes. Coupons live in slots: one ends, the next begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import lru_cache

import msgspec

from sandbox_networks.admitad.options import AdmitadOptions
from sandbox_networks.world import World

LANGUAGES = ("ru", "en", "es", "tr", "pl", "de")
DEFAULT_LANGUAGE = "ru"
_SHOP = {"ru": "Магазин", "en": "Shop", "es": "Tienda", "tr": "Mağaza", "pl": "Sklep", "de": "Laden"}
_CODE = {"ru": "Скидка", "en": "Discount", "es": "Descuento", "tr": "İndirim", "pl": "Rabat", "de": "Rabatt"}
_CATEGORIES = (62, 64, 67)
_CURRENCIES = ("USD", "EUR", "AED", "SAR", "USD", "EGP", "KWD")
_COUNTRIES = ("AE", "SA", "EG", "KW", "DE", "GB", "00", "01")
_TOOLS = ("deeplink", "coupons", "products", "retag", "lost_orders", "basket_tracking")
_EPOCH = date(2010, 1, 1).toordinal()
_FIRST_JOIN = date(2025, 1, 1).toordinal()


class Campaign(msgspec.Struct, frozen=True):
    """What stays the same about a campaign."""

    number: int
    id: int
    currency: str
    is_lead: bool
    percent: int
    """The publisher's share of a sale, in hundredths of a percent."""
    fixed: int
    """What a lead earns, in ten-thousandths of the currency."""
    countries: tuple[str, ...]
    category: int
    tools: tuple[str, ...]

    def name(self, language: str) -> str:
        """Name the campaign in a language."""
        return f"{_SHOP[language]} {self.number + 1:02d} {self.countries[0]}"

    @property
    def site_url(self) -> str:
        """The advertiser's site, on a domain that never resolves."""
        return f"https://shop{self.number + 1:02d}.example/"

    @property
    def action_name(self) -> str:
        """What a customer has to do."""
        return "Registration" if self.is_lead else "Paid order"

    @property
    def action_type(self) -> str:
        """Admitad's word for it."""
        return "lead" if self.is_lead else "sale"

    @property
    def tariff_id(self) -> int:
        """The id of the campaign's only tariff."""
        return 55_000 + self.number

    @property
    def payment_size(self) -> str:
        """The rate as Admitad prints it: ``5USD`` or ``2.5%``."""
        return f"{self.fixed // 10_000}{self.currency}" if self.is_lead else f"{self.percent / 100:g}%"


class Coupon(msgspec.Struct, frozen=True):
    """One coupon or deal with its days, both inclusive ordinals; ``end`` is told only if ``has_end``."""

    id: int
    slot: int
    campaign: Campaign
    start: int
    end: int
    has_end: bool
    noise: bytes

    @property
    def is_code(self) -> bool:
        """Whether there is a code to type."""
        return self.noise[2] < 190

    @property
    def code(self) -> str:
        """The code, with letter case that matters."""
        return f"{'Save' if self.noise[3] < 40 else 'SAVE'}{self.slot}{self.noise[4]:02X}"

    @property
    def type_id(self) -> int:
        """The number of its type: 1 for free delivery, 2 for a discount."""
        return 1 + self.slot % 2

    @property
    def percent(self) -> int:
        """What the customer saves."""
        return 5 + self.slot % 30

    def short_name(self, language: str) -> str:
        """Name the coupon in a language, without its campaign."""
        return f"{_CODE[language]} {self.percent}%"

    def name(self, language: str) -> str:
        """Name the coupon in a language."""
        return f"{self.short_name(language)}: {self.campaign.name(language)}"


class Catalogue:
    """All campaigns and coupons of the network; the same for every application."""

    def __init__(self, world: World, options: AdmitadOptions) -> None:
        """Draw the campaigns; coupons are drawn by the day."""
        self._world = world
        self.campaigns = tuple(self._make(number) for number in range(options.campaigns))
        self.slots = options.coupons
        self.coupons_on = lru_cache(maxsize=8)(self._coupons_on)
        self._connected = lru_cache(maxsize=65_536)(self._draw_connection)

    def _make(self, number: int) -> Campaign:
        noise = self._world.draw(8, "admitad", "campaign", number)
        start = noise[1] % (len(_COUNTRIES) - 2)
        return Campaign(
            number=number,
            id=1001 + number,
            currency=_CURRENCIES[number % len(_CURRENCIES)],
            is_lead=number % 5 == 4,
            percent=100 + 25 * (noise[2] % 40),
            fixed=10_000 * (1 + noise[3] % 12),
            countries=_COUNTRIES[start : start + 1 + noise[4] % 3],
            category=_CATEGORIES[noise[5] % len(_CATEGORIES)],
            tools=_TOOLS[: 1 + noise[6] % len(_TOOLS)],
        )

    def campaigns_on(self, day: int) -> Iterator[Campaign]:
        """List the campaigns that the network has on a day."""
        for campaign in self.campaigns:
            if campaign.number % 20 != 19 or (day + campaign.number) // 25 % 2 == 0:
                yield campaign

    def connection(self, campaign: Campaign, website: int, day: int) -> str | None:
        """Say how an ad space stands to a campaign on a day; ``None`` where there is nothing between them."""
        word, joins = self._connected(campaign.number, website)
        return "active" if word == "pending" and day >= joins else word

    def _draw_connection(self, number: int, website: int) -> tuple[str | None, int]:
        noise = self._world.draw(2, "admitad", "connection", number, website)
        joins = _FIRST_JOIN + 3 * noise[1]
        if noise[0] < 180:
            return "active", joins
        if noise[0] < 215:
            return "pending", joins
        return ("declined" if noise[0] < 235 else None), joins

    def _coupons_on(self, day: int) -> tuple[Coupon, ...]:
        return tuple(self._coupon(slot, day) for slot in range(self.slots))

    def _coupon(self, slot: int, day: int) -> Coupon:
        steady = self._world.draw(3, "admitad", "slot", slot)
        days = 15 + steady[0] % 40
        phase = steady[1] % days
        turn = (day - _EPOCH + phase) // days
        start = _EPOCH + turn * days - phase
        noise = self._world.draw(6, "admitad", "coupon", slot, turn)
        campaign = self.campaigns[(slot + noise[0]) % len(self.campaigns)]
        return Coupon(
            id=1_000_000 + slot * 2_000 + turn,
            slot=slot,
            campaign=campaign,
            start=start,
            end=start + days - 1,
            has_end=noise[1] >= 26,
            noise=noise,
        )
