"""What a read from the first to the last page proves: which rows are gone, and how new the table is.

While a list is read, the keys of each page are kept as 64-bit hashes beside the step. At the end of an
undisturbed read they tell which stored rows of the same days were not found; those are marked, never
removed (law 13). A read that was resumed, or whose list moved, proves nothing of the kind. Every read
that reached the end of its list is noted per day, resumed or not: older answers may not undo it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from data_sync.database import Cursor, one
from data_sync.engine.batch import Source
from data_sync.engine.tables import NO_DAY, KindTable, filter_of
from network_clients.records import Kind, Traffic


def remember_page(
    cursor: Cursor, step_id: int, part: str, page: int, keys: Sequence[str], last_item: str | None
) -> None:
    """Keep the keys of a page, as hashes, until the unit ends."""
    cursor.execute(
        """
        INSERT INTO data_sync.sync_step_pages (step_id, slice, page, last_item, key_hashes)
        SELECT %(step)s, %(slice)s, %(page)s, %(last_item)s,
               COALESCE(array_agg(hashtextextended(k, 0)), '{}') FROM unnest(%(keys)s::text[]) AS k
        ON CONFLICT (step_id, slice, page) DO UPDATE
            SET key_hashes = excluded.key_hashes, last_item = excluded.last_item
        """,
        {"step": step_id, "slice": part, "page": page, "keys": list(keys), "last_item": last_item},
    )


def seen_on_page(cursor: Cursor, step_id: int, part: str, page: int, keys: Sequence[str]) -> frozenset[str]:
    """Return which of these keys were on a page that is stored already."""
    cursor.execute(
        """
        SELECT asked.key FROM unnest(%(keys)s::text[]) AS asked(key)
        JOIN data_sync.sync_step_pages p ON hashtextextended(asked.key, 0) = ANY(p.key_hashes)
        WHERE p.step_id = %(step)s AND p.slice = %(slice)s AND p.page = %(page)s
        """,
        {"step": step_id, "slice": part, "page": page, "keys": list(keys)},
    )
    return frozenset(row["key"] for row in cursor)


def is_same_page(cursor: Cursor, step_id: int, part: str, page: int, keys: Sequence[str]) -> bool:
    """Tell whether a page that is asked for again holds the same rows as when it was stored."""
    row = cursor.execute(
        """
        SELECT key_hashes @> asked.hashes AND asked.hashes @> key_hashes AS same
        FROM data_sync.sync_step_pages,
             (SELECT COALESCE(array_agg(hashtextextended(k, 0)), '{}') AS hashes
              FROM unnest(%(keys)s::text[]) AS k) asked
        WHERE step_id = %(step)s AND slice = %(slice)s AND page = %(page)s
        """,
        {"step": step_id, "slice": part, "page": page, "keys": list(keys)},
    ).fetchone()
    return bool(row and row["same"])


def forget_pages(cursor: Cursor, step_id: int, part: str | None = None) -> None:
    """Drop the remembered keys of a slice, or of the whole unit."""
    cursor.execute(
        "DELETE FROM data_sync.sync_step_pages WHERE step_id = %s AND slice = COALESCE(%s, slice)",
        [step_id, part],
    )


# NOT IN, not NOT EXISTS: it is always one hash table of the keys, where the planner, which cannot know how
# many an array holds, joins in nested loops.
_VANISHED = """
WITH seen AS (
    SELECT unnest(key_hashes) AS hash FROM data_sync.sync_step_pages
    WHERE step_id = %(step_id)s AND slice = ANY(%(slices)s)
),
missing AS (
    SELECT t.key FROM {table} t
    WHERE t.account = %(account)s AND t.vanished_at IS NULL AND t.read_at < %(started_at)s
      AND {rows}
      AND EXISTS (SELECT 1 FROM data_sync.sync_logs l WHERE l.id = t.log_id AND l.scope = %(scope)s)
      AND hashtextextended(t.key, 0) NOT IN (SELECT hash FROM seen)
      AND NOT EXISTS (
          SELECT 1 FROM data_sync.reads r
          WHERE r.account = t.account AND r.kind = %(kind)s AND r.date_filter IN {filters}
            AND r.day = {day} AND r.ended_at > %(started_at)s AND r.step_id <> %(step_id)s)
    ORDER BY t.key FOR UPDATE
),
gone AS (
    UPDATE {table} t SET vanished_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM missing WHERE t.account = %(account)s AND t.key = missing.key
    RETURNING t.*
){history}
SELECT count(*) AS vanished FROM gone
"""

_VANISHED_HISTORY = """,
history AS (
    INSERT INTO data_sync.purchase_changes (account, key, change, from_status, to_status, from_status_word,
        to_status_word, from_sale_amount, to_sale_amount, from_sale_currency, to_sale_currency,
        from_commission, to_commission, from_commission_currency, to_commission_currency, log_id)
    SELECT account, key, 'vanished', status, status, status_word, status_word, sale_amount, sale_amount,
        sale_currency, sale_currency, commission, commission, commission_currency, commission_currency,
        %(log_id)s
    FROM gone
)"""


def mark_vanished(
    cursor: Cursor,
    table: KindTable,
    source: Source,
    *,
    slices: Sequence[str],
    days: tuple[date, date] | None,
    traffic: Traffic | None,
    started_at: datetime,
    scope: str,
) -> int:
    """Mark the rows that an undisturbed read of these days should have found and did not.

    Only rows that were last written under the same account settings (``scope``) are judged: a changed
    website id or zone reads other rows, which says nothing about these. Nor are days judged that another
    read has covered to its end since this one started: its answer is the newer one. Rows are locked in
    key order, as batches lock them.
    """
    conditions = ["true"]
    if days is not None:
        conditions.append("t.day BETWEEN %(first)s AND %(last)s")
    if traffic is not None:
        conditions.append("t.traffic = %(traffic)s")
    statement = _VANISHED.format(
        table=table.name,
        rows=" AND ".join(conditions),
        filters=table.filters,
        day=table.day,
        history=_VANISHED_HISTORY if table.kind is Kind.PURCHASES else "",
    )
    row = cursor.execute(
        statement,
        {
            "step_id": source.step_id,
            "log_id": source.log_id,
            "account": source.account,
            "kind": table.kind.value,
            "slices": list(slices),
            "first": days[0] if days else None,
            "last": days[1] if days else None,
            "traffic": traffic.value if traffic else None,
            "started_at": started_at,
            "scope": scope,
        },
    ).fetchone()
    found: int = one(row)["vanished"]
    return found


def record_read(
    cursor: Cursor,
    kind: Kind,
    source: Source,
    *,
    days: tuple[date, date] | None,
    traffic: Traffic | None,
    started_at: datetime,
    ended_at: datetime,
) -> None:
    """Note that these days were read to their end, so that an older answer cannot undo it (law 12)."""
    first, last = days or (NO_DAY, NO_DAY)
    cursor.execute(
        """
        INSERT INTO data_sync.reads AS r
            (account, kind, date_filter, day, started_at, ended_at, log_id, step_id)
        SELECT %(account)s, %(kind)s, %(filter)s, day::date, %(started_at)s, %(ended_at)s, %(log_id)s,
               %(step_id)s
        FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS day
        ORDER BY day
        ON CONFLICT (account, kind, date_filter, day) DO UPDATE SET started_at = excluded.started_at,
            ended_at = excluded.ended_at, log_id = excluded.log_id, step_id = excluded.step_id
        WHERE r.ended_at < excluded.ended_at
        """,
        {
            "account": source.account,
            "kind": kind.value,
            "filter": filter_of(traffic),
            "log_id": source.log_id,
            "step_id": source.step_id,
            "first": first,
            "last": last,
            "started_at": started_at,
            "ended_at": ended_at,
        },
    )
