"""What Admitad declares about itself; every external fact with its grade and source.

Sources: developers.admitad.com (publisher documentation) and the official admitad-python-api, as read
on the date in ``last_verified``. What is uncertain is a setting of the account or stands in NOTES.md.
"""

from __future__ import annotations

from network_clients.facts import Field, Filter, Grade, KindFacts, Limit, NetworkFacts, Order
from network_clients.records import Kind, Status

FACTS = NetworkFacts(
    slug="admitad",
    title="Admitad",
    base_url="https://api.admitad.com",
    docs_url="https://developers.admitad.com",
    fields=(
        Field(
            name="host",
            label="API address",
            help="Leave empty for Admitad itself.",
            required=False,
            default="https://api.admitad.com",
        ),
        Field(name="login", label="Client id", help="Client id of your API application at Admitad."),
        Field(name="password", label="Client secret", secret=True),
        Field(
            name="website_id",
            label="Ad space id",
            help="Limits reading to one ad space and adds your own rates, codes and links. Recommended.",
            required=False,
        ),
        Field(
            name="timezone",
            label="Time zone of Admitad's times",
            help="Admitad does not say in which zone its times are; Europe/Moscow is the likely one.",
            required=False,
            default="Europe/Moscow",
        ),
    ),
    limits=(
        Limit(
            name="api",
            calls=600,
            per_seconds=60,
            counts_by=("login",),
            grade=Grade.DOCUMENTED,
            source="developers.admitad.com, limits: 600 requests a minute per application",
            last_verified="2026-11-23",
        ),
    ),
    kinds={
        Kind.CAMPAIGNS: KindFacts(order=Order.SHIFTING, page_size=500),
        Kind.COUPONS: KindFacts(order=Order.SHIFTING, page_size=500),
        Kind.PURCHASES: KindFacts(
            order=Order.SHIFTING,
            filters=(Filter.OCCURRED, Filter.CHANGED),
            page_size=500,
            has_change_time=True,
        ),
    },
    zone="Europe/Moscow",
    zone_grade=Grade.INFERRED,
    status_words={
        "pending": Status.PENDING,
        "open": Status.PENDING,
        "hold": Status.PENDING,
        "approved": Status.APPROVED,
        "approved_but_stalled": Status.APPROVED,
        "declined": Status.DECLINED,
        "rejected": Status.DECLINED,
    },
    reports_paid=True,
    edge_overlap_days=1,
    notes=(
        "Admitad states no time zone; its times are read as Europe/Moscow unless the account says otherwise.",
        "Whether both ends of a date filter are inclusive is not stated; they are treated as inclusive.",
        "A payout may not move the change time: maturity_sweep reads unpaid days whole once a month.",
        "Admitad's rows have no total order, so a list that moves while it is read is found, not prevented.",
    ),
)
