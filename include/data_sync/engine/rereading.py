"""Which earlier days a sync reads again, on networks where rows change and nothing tells which ones have."""

from __future__ import annotations

from datetime import date, timedelta

from data_sync.database import Cursor
from data_sync.engine.tables import filter_of
from network_clients.interface import NetworkClient, ReadRequest


def days_to_reread(
    cursor: Cursor, client: NetworkClient, request: ReadRequest, today: date
) -> tuple[date, ...]:
    """Return the days before a unit's own that are due to be read again, ascending.

    They begin with the month that is ``client.reread_months`` before the current one. A day that was read to
    its end today already, in every kind of traffic that the account reads, is not due: however often a
    schedule runs, each day is read again once a day.

    :param today: the network's calendar day.
    """
    if client.reread_months is None or request.start is None:
        return ()
    one_day = ReadRequest(request.kind, request.start, request.start, request.by)
    filters = {filter_of(part.traffic) for part in client.slices(one_day)}
    cursor.execute(
        """
        SELECT due.day::date AS day
        FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS due(day)
        WHERE (
            SELECT count(*) FROM data_sync.reads r
            WHERE r.account = %(account)s AND r.kind = %(kind)s AND r.date_filter = ANY(%(filters)s)
              AND r.day = due.day AND (r.ended_at AT TIME ZONE %(zone)s)::date >= %(today)s
        ) < %(needed)s
        ORDER BY due.day
        """,
        {
            "first": months_before(today, client.reread_months),
            "last": request.start - timedelta(days=1),
            "account": client.credentials.account,
            "kind": request.kind.value,
            "filters": list(filters),
            "needed": len(filters),
            "zone": client.zone.key,
            "today": today,
        },
    )
    return tuple(row["day"] for row in cursor)


def months_before(today: date, months: int) -> date:
    """Return the first day of the month that many months before the current one."""
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    return date(year, month + 1, 1)
