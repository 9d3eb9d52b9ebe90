"""The JSON of one action, written straight from its numbers: pages of them must not be a bottleneck.

Amounts are counted in ten-thousandths of the row's currency. Most have two decimals, a tenth has four. In
small shares the cart is null or a string, the click is missing (orders by a promo code), the closing date is
null or has a time; amounts in ``positions`` are always strings.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox_networks.admitad.catalogue import Campaign
from sandbox_networks.admitad.life import Draw, Life
from sandbox_networks.admitad.standings import (
    CENT,
    NULL_CART,
    NULL_CLOSING,
    TEXT_CART,
    TIMED_CLOSING,
    Standing,
    currency_of,
    subids_of,
)
from sandbox_networks.zones import Zone

_CENTS = tuple(f".{cents:02d}" for cents in range(100))


def amount_text(amount: int) -> str:
    """Write an amount with two decimals, or with four where it has a fraction of a cent."""
    if amount % CENT:
        return f"{amount // 10_000}.{amount % 10_000:04d}"
    return f"{amount // 10_000}{_CENTS[amount % 10_000 // CENT]}"


class RowPrinter:
    """Prints actions, with everything that is the same for all actions of a campaign written once."""

    def __init__(self, campaigns: Sequence[Campaign], zone: Zone) -> None:
        """Write the templates of these campaigns; their numbers are their positions."""
        self._zone = zone
        self._rows = [_row_template(campaign) for campaign in campaigns]
        self._positions = [_position_template(campaign) for campaign in campaigns]

    def write(
        self, number: int, campaign: Campaign, draw: Draw, life: Life, at: Standing, website: int
    ) -> bytes:
        """Write one action as JSON.

        :param number: its id.
        :param website: the id of its ad space.
        """
        happened = self._zone.text(life.action)
        payment = amount_text(at.payment)
        cart = "null" if at.cart is None else amount_text(at.cart)
        positions = ""
        if at.cart is not None and draw.shape & 3:
            product = draw.cart % 9_000
            positions = self._positions[campaign.number] % (number, happened, cart, payment, *[product] * 7)
        values = (
            number,
            number,
            draw.cart % 1_000_000,
            at.word,
            happened if at.changed == life.action else self._zone.text(at.changed),
            happened,
            self._clicked(draw, life),
            self._closing(draw, at),
            payment,
            f'"{cart}"' if NULL_CART <= draw.odd < TEXT_CART and at.cart is not None else cart,
            currency_of(campaign, draw),
            website,
            website,
            *_tracking(draw),
            at.is_processed,
            at.is_paid,
            '"Returned by the customer"' if at.word == "declined" else "null",
            draw.part % 10_000,
            draw.part % 254,
            positions,
        )
        return (self._rows[campaign.number] % values).encode()

    def _clicked(self, draw: Draw, life: Life) -> str:
        conversion = _conversion(draw)
        return f'"{self._zone.text(life.action - conversion)}"' if conversion else "null"

    def _closing(self, draw: Draw, at: Standing) -> str:
        if at.closed is None:
            return "null"
        text = self._zone.text(at.closed)
        return f'"{text}"' if NULL_CLOSING <= draw.odd < TIMED_CLOSING else f'"{text[:10]}"'


def _conversion(draw: Draw) -> int:
    """Count the seconds from click to action; 0 for orders by a promo code alone, which have no click."""
    return 0 if draw.shape % 8 == 1 else 30 + draw.click % 172_800


def _tracking(draw: Draw) -> tuple[object, ...]:
    conversion = _conversion(draw)
    subid, subid1, subid2 = subids_of(draw)
    return (
        draw.part % 5_000,
        f'"EX{draw.code % 40}"' if not conversion or draw.code % 7 == 0 else "null",
        f'"{subid}"' if subid else "null",
        f'"{subid1}"' if subid1 else "null",
        f'"{subid2}"' if subid2 else "null",
        conversion,
    )


def _row_template(campaign: Campaign) -> str:
    return (
        '{"id":%d,"action_id":%d,"order_id":"A-%d","status":"%s","status_updated":"%s","action_date":"%s",'
        '"click_date":%s,"closing_date":%s,"payment":%s,"cart":%s,"currency":"%s",'
        f'"advcampaign_id":{campaign.id},"advcampaign_name":"{campaign.name("en")}",'
        '"website_id":%d,"website_name":"Site %d",'
        f'"action":"{campaign.action_name}","action_type":"{campaign.action_type}",'
        f'"tariff_id":{campaign.tariff_id},"banner_id":%d,"promocode":%s,'
        '"subid":%s,"subid1":%s,"subid2":%s,"subid3":null,"subid4":null,"conversion_time":%d,'
        '"processed":%d,"paid":%d,"keyword":null,"comment":%s,'
        '"click_user_referer":"https://blog.example/reviews/%d?utm_source=newsletter",'
        f'"click_user_ip":"203.0.113.%d","click_country_code":"{campaign.countries[0]}","positions":[%s]}}'
    )


def _position_template(campaign: Campaign) -> str:
    return (
        f'{{"id":%d,"tariff_id":{campaign.tariff_id},"datetime":"%s","amount":"%s","payment":"%s",'
        f'"rate":"{campaign.percent / 100:.2f}","rate_id":1,"percentage":true,"product_id":"SKU-%d",'
        f'"product_name":"Product number %d of the shop","product_url":"{campaign.site_url}products/%d.html",'
        '"product_image":"//cdn.example/product/%d.jpg","product_category_id":%d,'
        '"product_category_name":"Category %d","product_position":%d}'
    )
