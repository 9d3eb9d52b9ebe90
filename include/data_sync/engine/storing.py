"""Storing rows: which are new, which changed, which are old news (laws 11 to 15).

Runs inside the caller's transaction. One statement compares keys and fingerprints, so an unchanged row is
neither translated nor written. New rows are copied into their table in key order; changed ones are locked
in key order and decided one by one, so that two tasks on one account do not deadlock and never write an
older answer over a newer one.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
import psycopg

from data_sync.database import Cursor, one
from data_sync.engine import statements
from data_sync.engine.encoding import json_of, line_of, plain_line
from data_sync.engine.tables import KindTable, UnstorableRowError, row_of
from network_clients.records import Purchase, Record, RejectedRow, SentRow, Status


@dataclass(frozen=True)
class Source:
    """Where rows come from: the account, the log and the place in time.

    What this log has written ``since`` that moment is counted already, and so is what was on an earlier
    page: a row that comes again, because its list is read again or shows it twice, counts once.
    """

    account: str
    network: str
    log_id: int
    step_id: int
    since: datetime
    """The database's time before the first page of the slice was asked for, before it ever began again."""
    again: Sequence[str] = ()
    """Keys that were on an earlier page."""


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A row as it comes in: its key as Postgres can hold it, its fingerprint, and when it was asked for.

    ``asked_at`` is the database's time before its page was asked for.
    """

    key: str
    fingerprint: bytes
    row: Record | SentRow
    asked_at: datetime


@dataclass
class Stored:
    """What storing rows did."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    outdated: int = 0
    superseded_by: int | None = None
    """A log whose newer answer was kept instead."""
    rejected: list[RejectedRow] = field(default_factory=list)
    words: set[str] = field(default_factory=set)
    """Status words that the network's facts do not list."""

    def add(self, other: Stored) -> None:
        """Add the figures of rows that were there already."""
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.outdated += other.outdated
        self.superseded_by = other.superseded_by or self.superseded_by


#: What Postgres says to a value that it cannot hold. The last two are no ``DataError``: an index entry
#: that is too long, and JSON that is nested too deeply.
_REFUSALS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
)

#: Bytes that are handed to COPY at once.
_CHUNK = 128 * 1024


class _Ready(msgspec.Struct, frozen=True):
    """A row that was translated and laid out in its table's columns."""

    incoming: Incoming
    record: Record
    columns: list[Any]
    line: bytes


def store_rows(cursor: Cursor, table: KindTable, source: Source, rows: Sequence[Incoming]) -> Stored:
    """Store rows of one kind, each key once.

    A row that the database cannot hold (a NUL character, an impossible number) is set aside instead of
    failing the others.
    """
    return _Storing(cursor, table, source).store(rows) if rows else Stored()


class _Storing:
    """Stores one batch."""

    def __init__(self, cursor: Cursor, table: KindTable, source: Source) -> None:
        self._cursor = cursor
        self._table = table
        self._source = source
        self._stored = Stored()

    def store(self, rows: Sequence[Incoming]) -> Stored:
        found = one(
            self._cursor.execute(
                statements.compare(self._table),
                {
                    **self._values(),
                    "keys": [row.key for row in rows],
                    "digests": [row.fingerprint for row in rows],
                },
            ).fetchone()
        )
        self._stored.unchanged += found["unchanged"]
        self._stored.words.update(found["words"] or ())
        fresh = [rows[number - 1] for number in found["fresh"] or ()]
        changed = [*self._translated(rows[number - 1] for number in found["changed"] or ())]
        # Another task may have inserted a row in between: then it is there to be compared like any other.
        self._update([*changed, *self._insert(fresh, found["now"])])
        return self._stored

    def _translated(self, rows: Iterable[Incoming]) -> Iterator[_Ready]:
        """Translate rows, and set aside those that cannot be stored truthfully."""
        for incoming in rows:
            row = incoming.row
            record = row.translated() if isinstance(row, SentRow) else row
            if isinstance(record, RejectedRow):
                self._stored.rejected.append(record)
                continue
            try:
                columns = row_of(self._table, record)
                ready = _Ready(incoming, record, columns, line_of(columns))
            except UnstorableRowError as error:
                self._reject(record, str(error))
                continue
            if isinstance(record, Purchase) and record.status is Status.UNKNOWN:
                self._stored.words.add(str(record.status_word))
            yield ready

    def _insert(self, rows: list[Incoming], now: datetime) -> list[_Ready]:
        """Copy new rows into their table; return those that another task has inserted meanwhile."""
        if not rows:
            return []
        rows.sort(key=lambda row: row.key)
        known = len(self._stored.rejected)
        try:
            with self._cursor.connection.transaction():
                self._stored.inserted += self._copy(rows, now)
        except _REFUSALS:
            # One of them cannot be held, or is there by now: which, the slower way finds out.
            del self._stored.rejected[known:]
            return self._insert_or_split([*self._translated(rows)])
        return []

    def _copy(self, rows: Iterable[Incoming], now: datetime) -> int:
        """Copy rows as they are translated, none of which is kept meanwhile; return how many."""
        source, chunk, copied = self._source, bytearray(), 0
        start = b"\t%b\t%b\t\\\\x" % (source.account.encode(), source.network.encode())
        written = now.isoformat()
        ends = cache(lambda asked: f"\t{written}\t{written}\t{asked.isoformat()}\t{source.log_id}\n".encode())
        with self._cursor.copy(statements.copy(self._table)) as copy:
            for incoming, line in self._lines(rows):
                chunk += line
                chunk += start
                chunk += hexlify(incoming.fingerprint)
                chunk += ends(incoming.asked_at)
                copied += 1
                if len(chunk) > _CHUNK:
                    copy.write(chunk)
                    chunk = bytearray()
            copy.write(chunk)
        return copied

    def _lines(self, rows: Iterable[Incoming]) -> Iterator[tuple[Incoming, bytes]]:
        """Translate rows into lines of COPY, those that are plainly well-formed at once."""
        for incoming in rows:
            row = incoming.row
            plain = row.plain() if type(row) is SentRow else None
            line = None if plain is None else plain_line(plain)
            if line is None:
                yield from ((ready.incoming, ready.line) for ready in self._translated((incoming,)))
            else:
                yield incoming, line

    def _insert_or_split(self, rows: list[_Ready]) -> list[_Ready]:
        if not rows:
            return []
        try:
            with self._cursor.connection.transaction():
                self._cursor.execute(statements.insert(self._table), self._values_of(rows))
                inserted = {row["key"] for row in self._cursor}
        except _REFUSALS as error:
            first, second = self._halves(rows, error)
            return [*self._insert_or_split(first), *self._insert_or_split(second)]
        self._stored.inserted += len(inserted)
        return [row for row in rows if row.record.key not in inserted]

    def _update(self, rows: list[_Ready]) -> None:
        """Decide about rows that are there already."""
        if not rows:
            return
        try:
            with self._cursor.connection.transaction():
                values = self._values_of(rows)
                self._cursor.execute(statements.lock(self._table), values)
                found = one(self._cursor.execute(statements.update(self._table), values).fetchone())
        except _REFUSALS as error:
            for half in self._halves(rows, error):
                self._update(half)
        else:
            self._stored.add(Stored(**found))

    def _halves(self, rows: list[_Ready], error: psycopg.Error) -> tuple[list[_Ready], list[_Ready]]:
        """Split rows one of which Postgres refuses; a single one is set aside."""
        if len(rows) == 1:
            self._reject(
                rows[0].record, f"The database refuses this row: {error.diag.message_primary or error}"
            )
            return [], []
        middle = len(rows) // 2
        return rows[:middle], rows[middle:]

    def _reject(self, record: Record, reason: str) -> None:
        self._stored.rejected.append(RejectedRow(reason=reason, key=record.key, raw=record.raw))

    def _values_of(self, rows: list[_Ready]) -> dict[str, object]:
        encoded = [json_of(self._table, row.columns) for row in rows]
        return {
            **self._values(),
            "rows": b"[" + b",".join(encoded) + b"]",
            "keys": [row.incoming.key for row in rows],
            "digests": [row.incoming.fingerprint for row in rows],
            "asked_at": [row.incoming.asked_at for row in rows],
        }

    def _values(self) -> dict[str, object]:
        source = self._source
        return {
            "account": source.account,
            "network": source.network,
            "log_id": source.log_id,
            "step_id": source.step_id,
            "since": source.since,
            "again": list(source.again),
            "kind": self._table.kind.value,
        }
