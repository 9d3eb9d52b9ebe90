"""Storing the rows of one page: which are new, which changed, which are old news (laws 11 to 15).

Runs inside the caller's transaction. Rows are first compared by digest, so an unchanged row is neither
sent nor written. New rows are inserted in key order, changed ones are locked in key order and decided
one by one, so that two tasks on one account do not deadlock and never write an older answer over a
newer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

import psycopg

from data_sync.database import Cursor, one
from data_sync.engine.tables import KindTable, UnstorableRowError, encode_row
from network_clients.records import Kind, Record, RejectedRow


@dataclass(frozen=True)
class Source:
    """Where rows come from: the account, the log and the page's place in time.

    What this log has written ``since`` that moment is counted already, and so is what was on an earlier
    page: a row that comes again, because its list is read again or shows it twice, counts once.
    """

    account: str
    network: str
    log_id: int
    step_id: int
    asked_at: datetime
    """The database's time before the page was asked for."""
    since: datetime
    """The same for the first page of the slice, before it was ever started again."""
    again: Sequence[str] = ()
    """Keys of the page that were on an earlier one."""


@dataclass
class Stored:
    """What storing a page did."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    outdated: int = 0
    superseded_by: int | None = None
    """A log whose newer answer was kept instead."""
    rejected: list[RejectedRow] = field(default_factory=list)

    def add(self, other: Stored) -> None:
        """Add the figures of a part to those of the whole."""
        self.inserted += other.inserted
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.outdated += other.outdated
        self.superseded_by = other.superseded_by or self.superseded_by
        self.rejected += other.rejected


#: What Postgres says to a value that it cannot hold. The last two are no ``DataError``: an index entry
#: that is too long, and JSON that is nested too deeply.
_REFUSALS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
)


@dataclass(frozen=True)
class _Row:
    key: str
    encoded: bytes
    digest: bytes
    record: Record


def store_records(cursor: Cursor, table: KindTable, source: Source, records: Sequence[Record]) -> Stored:
    """Store records of one kind; a record that comes twice counts once, its last form.

    A row that the database cannot hold (a NUL character, an impossible number) is set aside instead of
    failing its page.
    """
    rows: dict[str, _Row] = {}
    rejected = []
    for record in records:
        try:
            rows[record.key] = _Row(record.key, *encode_row(record), record)
        except UnstorableRowError as error:
            rejected.append(RejectedRow(reason=str(error), key=record.key, raw=record.raw))
    stored = _store_or_split(cursor, table, source, list(rows.values()))
    stored.rejected += rejected
    return stored


def _store_or_split(cursor: Cursor, table: KindTable, source: Source, rows: list[_Row]) -> Stored:
    if not rows:
        return Stored()
    try:
        with cursor.connection.transaction():
            return _store(cursor, table, source, rows)
    except _REFUSALS as error:
        if len(rows) == 1:
            reason = f"The database refuses this row: {error.diag.message_primary or error}"
            return Stored(rejected=[RejectedRow(reason=reason, key=rows[0].key, raw=rows[0].record.raw)])
    middle = len(rows) // 2
    stored = _store_or_split(cursor, table, source, rows[:middle])
    stored.add(_store_or_split(cursor, table, source, rows[middle:]))
    return stored


def _store(cursor: Cursor, table: KindTable, source: Source, rows: list[_Row]) -> Stored:
    known = _known_rows(cursor, table, source, [row.key for row in rows])
    fresh = [row for row in rows if row.key not in known]
    changed = [row for row in rows if row.key in known and known[row.key].digest != row.digest]
    same = [known[row.key] for row in rows if row.key in known and known[row.key].digest == row.digest]
    inserted = _insert(cursor, table, source, fresh)
    # Another task may have inserted a row in between: then it is there to be compared like any other.
    changed += [row for row in fresh if row.key not in inserted]
    stored, counted_changes = _update(cursor, table, source, changed)
    stored.inserted = len(inserted)
    done = stored.inserted + stored.updated + stored.outdated
    stored.unchanged = len(rows) - done - counted_changes - sum(found.is_counted for found in same)
    return stored


@dataclass(frozen=True)
class _Known:
    digest: bytes
    is_counted: bool


def _known_rows(cursor: Cursor, table: KindTable, source: Source, keys: list[str]) -> dict[str, _Known]:
    cursor.execute(
        f"SELECT t.key, {_COUNTED} AS counted, "  # noqa: S608
        f"CASE WHEN t.vanished_at IS NULL THEN t.digest ELSE ''::bytea END AS digest "
        f"FROM {table.name} t WHERE t.account = %(account)s AND t.key = ANY(%(keys)s)",
        {
            "account": source.account,
            "keys": keys,
            "log_id": source.log_id,
            "since": source.since,
            "again": list(source.again),
        },
    )
    return {row["key"]: _Known(bytes(row["digest"]), row["counted"]) for row in cursor}


def _values(source: Source, table: KindTable, rows: Sequence[_Row]) -> dict[str, object]:
    return {
        "account": source.account,
        "network": source.network,
        "log_id": source.log_id,
        "step_id": source.step_id,
        "asked_at": source.asked_at,
        "since": source.since,
        "again": list(source.again),
        "kind": table.kind.value,
        "rows": b"[" + b",".join(row.encoded for row in rows) + b"]",
        "keys": [row.key for row in rows],
        "digests": [row.digest for row in rows],
    }


def _insert(cursor: Cursor, table: KindTable, source: Source, rows: list[_Row]) -> set[str]:
    if not rows:
        return set()
    cursor.execute(_insert_sql(table), _values(source, table, rows))
    return {row["key"] for row in cursor}


def _update(cursor: Cursor, table: KindTable, source: Source, rows: list[_Row]) -> tuple[Stored, int]:
    """Decide about rows that are there already; also return how many of them were counted before."""
    if not rows:
        return Stored(), 0
    values = _values(source, table, rows)
    cursor.execute(
        f"SELECT key FROM {table.name} WHERE account = %(account)s AND key = ANY(%(keys)s) "  # noqa: S608
        "ORDER BY key FOR UPDATE",
        values,
    )
    found = one(cursor.execute(_update_sql(table), values).fetchone())
    counted: int = found.pop("counted")
    return Stored(**found), counted


def _incoming(table: KindTable) -> str:
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    return f"""
    incoming AS (
        SELECT r.*, d.digest
        FROM json_to_recordset(convert_from(%(rows)s, 'UTF8')::json) AS r({columns})
        JOIN unnest(%(keys)s::text[], %(digests)s::bytea[]) AS d(key, digest) USING (key)
    )"""  # noqa: S608


@cache
def _insert_sql(table: KindTable) -> str:
    columns = ", ".join(table.columns)
    return f"""
    WITH {_incoming(table)}
    INSERT INTO {table.name} (account, network, {columns}, digest, first_seen_at, updated_at, read_at, log_id)
    SELECT %(account)s, %(network)s, {columns}, digest, clock_timestamp(), clock_timestamp(), %(asked_at)s,
           %(log_id)s
    FROM incoming ORDER BY key
    ON CONFLICT (account, key) DO NOTHING
    RETURNING key
    """  # noqa: S608


# Which of two versions is the newer one (law 12). Where both carry the network's time of change, it
# decides. Otherwise the later question does: asked after the stored version was, and after the last
# page of every whole read of that day that is already committed. Whether a row is there at all has no
# time of the network: a row that a read found gone only comes back by a later question.
_ASKED_LATER = "(%(asked_at)s >= t.read_at AND newer.log_id IS NULL)"
_ALLOWED = f"""
    CASE WHEN i.changed_at < t.changed_at THEN false
         WHEN i.changed_at > t.changed_at AND t.vanished_at IS NULL THEN true
         ELSE {_ASKED_LATER} END
"""
_COUNTED = "(t.key = ANY(%(again)s::text[]) OR (t.log_id = %(log_id)s AND t.updated_at >= %(since)s))"


@cache
def _update_sql(table: KindTable) -> str:
    assignments = ", ".join(f"{name} = d.{name}" for name in table.columns if name != "key")
    history = _HISTORY if table.kind is Kind.PURCHASES else ""
    old = _OLD_MONEY if table.kind is Kind.PURCHASES else ""
    return f"""
    WITH {_incoming(table)},
    decided AS (
        SELECT i.*, t.vanished_at IS NOT NULL AS had_vanished, {old}
               {_ALLOWED} AS allowed, {_COUNTED} AS counted,
               CASE WHEN i.changed_at < t.changed_at THEN t.log_id
                    ELSE COALESCE(newer.log_id, t.log_id) END AS kept_log
        FROM incoming i
        JOIN {table.name} t ON t.account = %(account)s AND t.key = i.key
        LEFT JOIN LATERAL (
            SELECT r.log_id FROM data_sync.reads r
            WHERE r.account = %(account)s AND r.kind = %(kind)s AND r.date_filter IN {table.filters}
              AND r.day = {table.day} AND r.ended_at > %(asked_at)s AND r.step_id <> %(step_id)s
            ORDER BY r.ended_at DESC LIMIT 1
        ) newer ON true
        WHERE t.digest <> i.digest OR t.vanished_at IS NOT NULL
    ),
    applied AS (
        UPDATE {table.name} t
        SET {assignments}, digest = d.digest, updated_at = clock_timestamp(),
            read_at = GREATEST(t.read_at, %(asked_at)s), vanished_at = NULL, log_id = %(log_id)s
        FROM decided d WHERE t.account = %(account)s AND t.key = d.key AND d.allowed
    ){history}
    SELECT count(*) FILTER (WHERE allowed AND NOT counted) AS updated,
           count(*) FILTER (WHERE NOT allowed AND NOT counted) AS outdated,
           count(*) FILTER (WHERE counted) AS counted,
           max(kept_log) FILTER (WHERE NOT allowed AND kept_log <> %(log_id)s) AS superseded_by
    FROM decided
    """  # noqa: S608


_MONEY = ("status", "status_word", "sale_amount", "sale_currency", "commission", "commission_currency")
_OLD_MONEY = " ".join(f"t.{name} AS old_{name}," for name in _MONEY)
_HISTORY = f""",
    history AS (
        INSERT INTO data_sync.purchase_changes (account, key, change,
            {", ".join(f"from_{name}, to_{name}" for name in _MONEY)}, network_time, log_id)
        SELECT %(account)s, d.key, CASE WHEN d.had_vanished THEN 'returned' ELSE 'changed' END,
            {", ".join(f"d.old_{name}, d.{name}" for name in _MONEY)}, d.changed_at, %(log_id)s
        FROM decided d
        WHERE d.allowed AND (d.had_vanished OR ({", ".join(f"d.old_{name}" for name in _MONEY)})
            IS DISTINCT FROM ({", ".join(f"d.{name}" for name in _MONEY)}))
    )"""  # noqa: S608
