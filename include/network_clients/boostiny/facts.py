"""What Boostiny declares about itself; every external fact with its grade and source.

No official documentation could be read: the best grade is "seen", in the code of public clients, as read
on the date in ``last_verified``. What is uncertain is a setting of the account or stands in NOTES.md.
"""

from __future__ import annotations

from network_clients.facts import Field, Filter, Grade, KindFacts, Limit, NetworkFacts, Order
from network_clients.records import Kind

FACTS = NetworkFacts(
    slug="boostiny",
    title="Boostiny",
    base_url="https://api.boostiny.com",
    docs_url="https://developers.boostiny.com",
    fields=(
        Field(
            name="host",
            label="API address",
            help="Leave empty for Boostiny itself.",
            required=False,
            default="https://api.boostiny.com",
        ),
        Field(
            name="password",
            label="API key",
            help="The key from your panel at Boostiny, alone, without the word Bearer.",
            secret=True,
        ),
        Field(
            name="currency",
            label="Currency of the commission",
            help="Boostiny names none in its rows; its public clients take the commission for US dollars.",
            required=False,
            default="USD",
        ),
        Field(
            name="timezone",
            label="Time zone of Boostiny's days",
            help="Boostiny does not say in which zone its days are.",
            required=False,
            default="UTC",
        ),
        Field(
            name="link_traffic",
            label="Link traffic",
            help="Whether purchases by tracking links are read too: twice as many requests.",
            required=False,
            default="yes",
            choices=("yes", "no"),
            selects_rows=False,
        ),
        Field(
            name="reread_months",
            label="Months to read again",
            help="Whole months before the current one that a schedule reads again once a day, because net "
            "amounts keep changing; 0 for the current month alone, off for none.",
            required=False,
            default="2",
            selects_rows=False,
        ),
        Field(
            name="window_days",
            label="Days per request",
            help="More than 1 only if your rows have a date: then fewer requests are needed.",
            required=False,
            default="1",
        ),
        Field(
            name="pace_seconds",
            label="Seconds between two requests",
            help="Boostiny locks accounts out for minutes when they ask too often.",
            required=False,
            default="6",
            selects_rows=False,
        ),
    ),
    limits=(
        Limit(
            name="api",
            calls=1,
            per_seconds=6,
            counts_by=("password",),
            grade=Grade.SEEN,
            source="a production client: one request every 6 seconds over all endpoints, one at a time",
            last_verified="2026-11-23",
            # The pace is itself a cautious reading: no number was ever published.
            margin=0.0,
            max_in_flight=1,
        ),
    ),
    kinds={
        Kind.CAMPAIGNS: KindFacts(order=Order.SHIFTING, grade=Grade.SEEN),
        Kind.COUPONS: KindFacts(order=Order.SHIFTING, grade=Grade.SEEN),
        Kind.PURCHASES: KindFacts(
            order=Order.SHIFTING, filters=(Filter.OCCURRED,), max_days=1, grade=Grade.SEEN
        ),
    },
    zone="UTC",
    zone_grade=Grade.INFERRED,
    reports_status=False,
    edge_overlap_days=1,
    max_parallel=1,
    reread_field="reread_months",
    notes=(
        "Rows are sums of several orders, not single orders: count the column orders, never the rows.",
        "Boostiny reports no status: net amounts are those after cancellations, and they fall for weeks.",
        "The commission's currency is taken for US dollars unless the account says otherwise.",
        "Boostiny states no time zone; its days are read as UTC unless the account says otherwise.",
        "Nothing tells which rows have changed, so past months are read again once a day.",
    ),
)
