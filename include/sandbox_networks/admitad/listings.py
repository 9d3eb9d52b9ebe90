"""How the sandbox's Admitad prints campaigns and coupons: the catalogue's rows and an ad space's rows."""

from __future__ import annotations

from datetime import date

from sandbox_networks.admitad.catalogue import Campaign, Coupon

_CATEGORIES = {62: ("Fashion", "Мода"), 64: ("Electronics", "Электроника"), 67: ("Travel", "Путешествия")}


def category_of(campaign: Campaign, language: str) -> dict[str, object]:
    """Describe a campaign's category in a language."""
    english, russian = _CATEGORIES[campaign.category]
    return {"id": campaign.category, "name": russian if language == "ru" else english, "parent": None}


def campaign_row(campaign: Campaign, language: str, day: int) -> dict[str, object]:
    """Describe a campaign as the whole catalogue does."""
    action = {"id": 7000 + campaign.number, "name": campaign.action_name, "type": campaign.action_type}
    rate = {
        "id": 1,
        "size": f"{campaign.fixed / 10_000:.2f}" if campaign.is_lead else f"{campaign.percent / 100:.2f}",
        "is_percentage": not campaign.is_lead,
        "country": None,
        "date_s": "2020-01-01",
        "price_s": "0.00",
    }
    tariff = {"id": campaign.tariff_id, "name": "Default", "action_id": action["id"], "rates": [rate]}
    return {
        "id": campaign.id,
        "name": campaign.name(language),
        "name_aliases": "",
        "status": "active",
        "rating": f"{3 + (campaign.number + day // 30) % 9 / 4:.2f}",
        "image": f"//cdn.example/campaign/{campaign.id}.png",
        "description": f"<p>{campaign.name(language)}</p>",
        "site_url": campaign.site_url,
        "currency": campaign.currency,
        "regions": [{"region": country} for country in campaign.countries],
        "categories": [category_of(campaign, language)],
        "traffics": [{"id": 1, "name": "Cashback", "type": "+", "enabled": campaign.number % 3 != 0}],
        "actions": [action | {"payment_size": campaign.payment_size}],
        "actions_detail": [action | {"hold_size": 30, "tariffs": [tariff]}],
        "cr": 1.25 + campaign.number % 7,
        "ecpc": 0.13,
        "epc": 0.11,
        "avg_hold_time": None if campaign.number % 4 == 0 else 20 + campaign.number,
        "goto_cookie_lifetime": 30,
        "geotargeting": campaign.number % 2 == 0,
        "allow_deeplink": "deeplink" in campaign.tools,
        "show_products_links": "products" in campaign.tools,
        "action_countries": None if campaign.number % 3 else list(campaign.countries),
    }


def linked_campaign_row(
    campaign: Campaign, language: str, day: int, website: int, word: str
) -> dict[str, object]:
    """Describe a campaign as an ad space sees it: with its standing and its link."""
    return campaign_row(campaign, language, day) | {
        "connection_status": word,
        "gotolink": f"https://go.example/g/{website}/{campaign.id}/" if word == "active" else "",
        "products_xml_link": None,
        "products_csv_link": None,
    }


def coupon_row(coupon: Coupon, language: str) -> dict[str, object]:
    """Describe a coupon as the whole catalogue does: without code and links."""
    campaign = coupon.campaign
    category = category_of(campaign, language)
    return {
        "id": coupon.id,
        "name": coupon.name(language),
        "short_name": coupon.short_name(language),
        "description": (None, "")[coupon.slot % 2] if coupon.noise[5] < 30 else coupon.name(language),
        "status": "active",
        "species": "promocode" if coupon.is_code else "action",
        "campaign": {"id": campaign.id, "name": campaign.name(language), "site_url": campaign.site_url},
        "discount": None if coupon.slot % 9 == 0 else f"{coupon.percent}{'%' if coupon.slot % 4 else ' $'}",
        "date_start": f"{date.fromordinal(coupon.start)}T00:00:00",
        "date_end": f"{date.fromordinal(coupon.end)}T23:59:59" if coupon.has_end else None,
        "rating": f"{coupon.noise[0] % 21 / 4:.2f}",
        "exclusive": coupon.slot % 6 == 0,
        "is_unique": coupon.slot % 5 == 0,
        "is_personal": False,
        "regions": list(campaign.countries),
        "types": [{"id": coupon.type_id, "name": "Discount" if coupon.type_id == 2 else "Free delivery"}],
        "categories": [{"id": category["id"], "name": category["name"]}],
        "language": language,
        "image": f"//cdn.example/coupon/{coupon.id}.png",
    }


def linked_coupon_row(coupon: Coupon, language: str, website: int) -> dict[str, object]:
    """Describe a coupon as an ad space sees it: with code and links."""
    link = f"https://go.example/c/{website}/{coupon.id}/"
    return coupon_row(coupon, language) | {
        "promocode": coupon.code if coupon.is_code else None,
        "goto_link": link,
        "frameset_link": "" if coupon.slot % 5 == 0 else f"{link}frame/",
    }
