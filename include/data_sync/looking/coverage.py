"""Which days of an account's purchases are here: all of a day, a part of it, or nothing.

When a day was over is judged by the network's own zone. That of an account that is set to another one stands
in its Airflow connection, which is not read for this: such days are judged off by the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from data_sync.accounts import is_account
from data_sync.database import Cursor
from data_sync.looking.viewer import SEES_ACCOUNT, Viewer
from network_clients import registry


class Covered(StrEnum):
    """How much of a day is here."""

    NEVER = "never"
    """No read has reached its end, and no row of the day is here."""
    PARTIAL = "partial"
    """Rows of it are here, but no read since the day ended has gone through all of it."""
    COMPLETE = "complete"
    """A read since the day ended went through all of it, and every purchase of it is settled."""
    UNSETTLED = "complete_with_unsettled"
    """As complete, but some of its purchases may still change."""


@dataclass(frozen=True)
class CoveredDay:
    """One day.

    :param day: in the network's zone.
    :param read_at: when the newest read that went through all of it began.
    """

    day: date
    covered: Covered
    read_at: datetime | None


@dataclass(frozen=True)
class AccountCoverage:
    """The days of an account, in their order."""

    account: str
    network: str
    timezone: str
    days: Sequence[CoveredDay]


# Where a network is read by traffic, a day has been read when both kinds of it have. LIMIT keeps the planner
# from reading all purchases once, where it should look for one per day.
_DAYS = f"""
SELECT a.account, a.network, d.day,
    GREATEST(r.whole, CASE WHEN r.coupon IS NOT NULL AND r.link IS NOT NULL THEN LEAST(r.coupon, r.link) END)
        AS read_at,
    r.any_read OR here.found IS NOT NULL AS has_some, unsettled.found IS NOT NULL AS has_unsettled
FROM data_sync.accounts a
CROSS JOIN (SELECT %(first)s::date + n AS day FROM generate_series(0, %(last)s::date - %(first)s::date) n) d
CROSS JOIN LATERAL (
    SELECT max(started_at) FILTER (WHERE date_filter = 'occurred') AS whole,
        max(started_at) FILTER (WHERE date_filter = 'occurred coupon') AS coupon,
        max(started_at) FILTER (WHERE date_filter = 'occurred link') AS link, count(*) > 0 AS any_read
    FROM data_sync.reads r WHERE r.account = a.account AND r.kind = 'purchases' AND r.day = d.day
      AND r.date_filter IN ('occurred', 'occurred coupon', 'occurred link')
) r
LEFT JOIN LATERAL (
    SELECT true AS found FROM data_sync.purchases p
    WHERE p.account = a.account AND p.day = d.day AND p.vanished_at IS NULL LIMIT 1
) here ON true
LEFT JOIN LATERAL (
    SELECT true AS found FROM data_sync.unsettled_purchases() u
    WHERE u.account = a.account AND u.day = d.day LIMIT 1
) unsettled ON true
WHERE (%(network)s::text IS NULL OR a.network = %(network)s) AND {SEES_ACCOUNT}
ORDER BY a.account, d.day
"""  # noqa: S608


def coverage(
    cursor: Cursor, viewer: Viewer, first: date, last: date, *, network: str | None = None
) -> list[AccountCoverage]:
    """Return how much of each day is here, for every account that a person may use.

    :param first, last: days, both inclusive, each in its network's zone.
    """
    values = {**viewer.values, "first": first, "last": last, "network": network}
    rows = [row for row in cursor.execute(_DAYS, values) if is_account(row["account"])]
    found = []
    for account, days in groupby(rows, key=lambda row: str(row["account"])):
        own = list(days)
        slug = own[0]["network"]
        zone = registry.facts_of(slug).zone
        found.append(AccountCoverage(account, slug, zone, [_judged(row, ZoneInfo(zone)) for row in own]))
    return found


def _judged(row: dict[str, Any], zone: ZoneInfo) -> CoveredDay:
    day, read_at = row["day"], row["read_at"]
    is_over = datetime.combine(day + timedelta(days=1), time.min, zone)
    if read_at is not None and read_at >= is_over:
        covered = Covered.UNSETTLED if row["has_unsettled"] else Covered.COMPLETE
    else:
        covered = Covered.PARTIAL if row["has_some"] else Covered.NEVER
    return CoveredDay(day, covered, read_at)
