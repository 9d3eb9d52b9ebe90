"""How the sandbox's Boostiny prints campaigns and coupons.

The rows of the dedicated coupon list were never shown by anybody: they have the names that one client looks
for, mostly without a status, some without the campaign's id and with its name in another letter case.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sandbox_networks.boostiny.campaigns import Campaign, Coupon

_ALPHA_3 = {"SA": "SAU", "AE": "ARE", "KW": "KWT", "EG": "EGY", "QA": "QAT", "DE": "DEU"}
_MANAGERS = ("Aya H.", "Omar S.", "Lina K.", None)


def campaign_row(campaign: Campaign, coupons: Sequence[Coupon], day: int) -> dict[str, object]:
    """Describe a campaign with the coupons that it gives out on a day."""
    links = [{"url": f"https://go.example/c/{campaign.id}?aff=7001"}]
    row: dict[str, object] = {
        "id": campaign.id,
        "name": campaign.name,
        "campaign_type": "coupon" if campaign.has_coupons else "link",
        "logo": campaign.logo,
        "advertiser": {"name": campaign.name.rsplit(" ", 1)[0], "logo": campaign.logo},
        "category": campaign.category,
        "campaign_manager": _manager(campaign, day),
        "campaign_description": _description(campaign),
        "tracking_link_details": {"tracking_links": links} if campaign.has_links else None,
        "coupons": [_embedded(coupon, day) for coupon in coupons],
        "payouts": [_payout(campaign)],
        "targetCountries": [{"code": _ALPHA_3[country]} for country in campaign.countries],
    }
    if campaign.number % 10 == 7:
        row |= {"status": "active", "application_status": "approved", "allocated": True}
    return row


def coupon_row(coupon: Coupon) -> dict[str, object]:
    """Describe a coupon as the dedicated list does."""
    campaign = coupon.campaign
    row: dict[str, object] = {
        "id": coupon.id,
        "coupon": coupon.code,
        "title": f"{campaign.name}: {coupon.code}",
        "description": f"<p>Type <b>{coupon.code}</b> before you pay.</p>",
        "discount": f"{5 + coupon.slot % 30}%" if coupon.slot % 3 else None,
        "start_date": _day(coupon.start),
        "end_date": None,
        "deeplink": campaign.site_url if campaign.has_links else None,
    }
    if coupon.slot % 7 == 5:
        row["status"] = "active"
    if (coupon.slot + campaign.number) % 3 == 1:
        return row | {"campaign_name": campaign.name.upper()}
    return row | {"campaign_id": campaign.id, "campaign_name": campaign.name}


def _manager(campaign: Campaign, day: int) -> str | None:
    """Name who looks after a campaign: somebody else every sixty days."""
    return _MANAGERS[(campaign.number + day // 60) % len(_MANAGERS)]


def _description(campaign: Campaign) -> dict[str, str | None]:
    return {
        "description": f"<p>{campaign.name.replace('&', '&amp;')} sells <b>everything</b>.</p>",
        "promotion": None if campaign.number % 3 else "<ul><li>Up to 40% off</li></ul>",
        "dos_and_donts": "<p>No brand bidding.<br>No spam.</p>",
        "creatives": None,
        "website_url": campaign.site_url,
    }


def _embedded(coupon: Coupon, day: int) -> dict[str, object]:
    return {
        "coupon": coupon.code,
        "countries": coupon.countries,
        "start_date": _day(coupon.start),
        "account_manager": _manager(coupon.campaign, day) or "",
        "ad_set": None if coupon.slot % 2 else f"set-{coupon.slot}",
    }


def _payout(campaign: Campaign) -> dict[str, object]:
    everywhere = _group(campaign, 1, campaign.percent / 100, [])
    abroad = {"dimension": "country", "operation": "contains", "value": list(campaign.countries)}
    category = campaign.category or "other"
    business = {"dimension": "business-category", "operation": "equals", "value": category}
    at_home = _group(campaign, 2, campaign.percent / 100 + 1, [abroad, business])
    return {
        "level": "default",
        "model": "cps",
        "is_global": campaign.number % 2 == 0,
        "start_date": "2024-01-15T00:00:00.000000Z",
        "end_date": "2030-01-15T00:00:00.000000Z",
        "coupons": None,
        "groups": [at_home, everywhere] if campaign.number % 4 == 0 else [everywhere],
    }


def _group(campaign: Campaign, place: int, percent: float, conditions: list[object]) -> dict[str, object]:
    return {
        "id": campaign.id * 10 + place,
        "type": "sale-share",
        "value": percent,
        "priority": 3 - place,
        "capping": None,
        "product_categories": None,
        "conditions": conditions,
    }


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()
