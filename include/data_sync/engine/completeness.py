"""What a read from the first to the last page proves: which rows are gone, and how new the table is.

At the end of an undisturbed read, the names that its pages held (:mod:`data_sync.engine.pages`) tell which
stored rows of the same days were not found; those are marked, never removed (law 13). A read that was
resumed, or whose list moved, proves nothing of the kind. After a change of the account's settings, a row is
judged from the first read that finds it under the new ones. Every read that reached the end of its list is
noted per day, resumed or not: older answers may not undo it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from data_sync.database import Cursor, one
from data_sync.engine.storing import Source
from data_sync.engine.tables import IN_HISTORY, NO_DAY, KindTable, filter_of
from network_clients.records import Kind, Traffic

_HASH = "hashtextextended(t.key, 0)"

# NOT IN, not NOT EXISTS: it is always one hash table of the keys, where the planner, which cannot know how
# many an array holds, joins in nested loops.
_MISSING = f"""
    EXISTS (SELECT 1 FROM data_sync.sync_logs l WHERE l.id = t.log_id AND l.scope = %(scope)s)
    AND {_HASH} NOT IN (SELECT hash FROM seen)
"""  # noqa: S608
_FOUND = f"{_HASH} IN (SELECT hash FROM seen)"  # noqa: S608
_STALE = f"""
    t.updated_at < %(started_at)s AND {_FOUND} AND t.log_id IN (
        SELECT id FROM data_sync.sync_logs WHERE account = %(account)s AND scope <> %(scope)s)
"""  # noqa: S608

# One statement for both judgements, so that it locks rows in key order, as batches do.
_JUDGE = """
WITH seen AS (
    SELECT unnest(key_hashes) AS hash FROM data_sync.sync_step_pages
    WHERE step_id = %(step_id)s AND slice = ANY(%(slices)s)
),
judged AS (
    SELECT t.key, {found} AS found FROM {table} t
    WHERE t.account = %(account)s AND t.vanished_at IS NULL AND t.read_at < %(started_at)s
      AND {rows} AND ({wanted})
      AND (SELECT COALESCE(sum(cardinality(key_hashes)), 0) FROM data_sync.sync_step_pages
           WHERE step_id = %(step_id)s AND slice = ANY(%(slices)s)) = %(names)s
      AND NOT EXISTS (
          SELECT 1 FROM data_sync.reads r
          WHERE r.account = t.account AND r.kind = %(kind)s AND r.date_filter IN {filters}
            AND r.day = {day} AND r.ended_at > %(started_at)s AND r.step_id <> %(step_id)s)
    ORDER BY t.key FOR UPDATE
),
gone AS (
    UPDATE {table} t SET vanished_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM judged WHERE t.account = %(account)s AND t.key = judged.key AND NOT judged.found
    RETURNING t.*
),
adopted AS (
    UPDATE {table} t SET log_id = %(log_id)s
    FROM judged WHERE t.account = %(account)s AND t.key = judged.key AND judged.found
){history}
SELECT count(*) AS vanished FROM gone
"""

_VANISHED_HISTORY = f""",
history AS (
    INSERT INTO data_sync.purchase_changes (account, key, change,
        {", ".join(f"from_{name}, to_{name}" for name in IN_HISTORY)}, log_id)
    SELECT account, key, 'vanished', {", ".join(f"{name}, {name}" for name in IN_HISTORY)}, %(log_id)s
    FROM gone
)"""  # noqa: S608


@dataclass(frozen=True)
class Scope:
    """Under which settings of the account a read looks for rows.

    :param fingerprint: of the settings that decide which rows a read finds.
    :param has_others: whether a log of the account has read under other ones too.
    """

    fingerprint: str
    has_others: bool


def scope_of(cursor: Cursor, account: str, fingerprint: str) -> Scope:
    """Look whether these settings are the only ones under which an account was read."""
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM data_sync.sync_logs WHERE account = %s AND scope <> %s) AS others",
        [account, fingerprint],
    )
    return Scope(fingerprint, has_others=one(cursor.fetchone())["others"])


def judge_rows(
    cursor: Cursor,
    table: KindTable,
    source: Source,
    *,
    slices: Sequence[str],
    names: int,
    days: tuple[date, date] | None,
    traffic: Traffic | None,
    started_at: datetime,
    scope: Scope,
) -> int:
    """Mark the rows that an undisturbed read of these days should have found and did not; count them.

    Only rows that were last seen under the same account settings are judged so: a changed website id or
    zone reads other rows, which says nothing about these. A row that was last written under other settings
    and is found gets this log, and nothing else of it changes: from now on it belongs to these settings.
    Days that another read has covered to its end since this one started are left alone: its answer is the
    newer one.

    :param names: how many names were kept of these slices; where some are gone, nothing is judged.
    """
    conditions = ["true"]
    if days is not None:
        conditions.append("t.day BETWEEN %(first)s AND %(last)s")
    if traffic is not None:
        conditions.append("t.traffic = %(traffic)s")
    statement = _JUDGE.format(
        table=table.name,
        rows=" AND ".join(conditions),
        found=_FOUND if scope.has_others else "false",
        wanted=f"({_MISSING}) OR ({_STALE})" if scope.has_others else _MISSING,
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
            "names": names,
            "first": days[0] if days else None,
            "last": days[1] if days else None,
            "traffic": traffic.value if traffic else None,
            "started_at": started_at,
            "scope": scope.fingerprint,
        },
    ).fetchone()
    vanished: int = one(row)["vanished"]
    return vanished


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
