"""What the sandbox says that there is, and what the tables hold: the same sums from both sides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg

from network_clients.facts import NetworkFacts
from network_clients.records import Status

#: Stands for the status of networks that report none.
NOT_REPORTED = "not reported"

#: Status and currency.
Place = tuple[str, str]


@dataclass
class Sums:
    """Purchases of one status and currency: how many, and their exact amounts."""

    rows: int = 0
    sale: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)

    def add(self, rows: int, sale: Decimal, commission: Decimal) -> None:
        """Add some more purchases."""
        self.rows += rows
        self.sale += sale
        self.commission += commission


@dataclass
class Totals:
    """Sums of one account over some days, and how many campaigns and coupons it has."""

    campaigns: int
    coupons: int
    purchases: dict[Place, Sums] = field(default_factory=lambda: defaultdict(Sums))


def of_sandbox(answer: Mapping[str, Any], facts: NetworkFacts) -> Totals:
    """Read the sandbox's totals; its status words become ours, with paid rows apart."""
    totals = Totals(campaigns=answer["campaigns"], coupons=answer["coupons"])
    for word, currencies in answer["statuses"].items():
        for currency, sums in currencies.items():
            totals.purchases[_status_of(word, facts), currency].add(
                sums["rows"], Decimal(sums["cart"]), Decimal(sums["payment"])
            )
    return totals


def _status_of(word: str, facts: NetworkFacts) -> str:
    if not facts.reports_status:
        return NOT_REPORTED
    found = Status.PAID if word == "paid" else facts.status_words.get(word, Status.UNKNOWN)
    return found.value


def of_tables(database: psycopg.Connection[Any], account: str, first: date, last: date) -> Totals:
    """Sum up what the tables hold of an account, over days of the network's calendar, both inclusive."""
    found = database.execute(
        """
        SELECT (SELECT count(*) FROM data_sync.campaigns WHERE account = %(account)s AND vanished_at IS NULL),
               (SELECT count(*) FROM data_sync.coupons WHERE account = %(account)s AND vanished_at IS NULL)
        """,
        {"account": account},
    ).fetchone()
    campaigns, coupons = found or (0, 0)
    totals = Totals(campaigns=campaigns, coupons=coupons)
    purchases = database.execute(
        """
        SELECT COALESCE(status, 'not reported'), COALESCE(commission_currency, sale_currency, ''),
               count(*), COALESCE(sum(sale_amount), 0), COALESCE(sum(commission), 0)
        FROM data_sync.purchases
        WHERE account = %(account)s AND day BETWEEN %(first)s AND %(last)s AND vanished_at IS NULL
        GROUP BY 1, 2
        """,
        {"account": account, "first": first, "last": last},
    )
    for status, currency, rows, sale, commission in purchases:
        totals.purchases[status, currency].add(rows, sale, commission)
    return totals


def differences(expected: Totals, found: Totals) -> list[str]:
    """Say in sentences where the tables differ from what should be in them; empty when they agree."""
    said = [
        f"{name}: the sandbox has {wanted}, the table has {got}"
        for name, wanted, got in (
            ("campaigns", expected.campaigns, found.campaigns),
            ("coupons", expected.coupons, found.coupons),
        )
        if wanted != got
    ]
    for place in sorted({*expected.purchases, *found.purchases}):
        wanted, got = expected.purchases.get(place, Sums()), found.purchases.get(place, Sums())
        if wanted != got:
            said.append(
                f"purchases {' '.join(place)}: the sandbox has {_words(wanted)}, the table {_words(got)}"
            )
    return said


def _words(sums: Sums) -> str:
    return f"{sums.rows} rows, sales {sums.sale}, commission {sums.commission}"
