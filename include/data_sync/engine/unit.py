"""Reading one unit of work: slice by slice, page by page, each page in one transaction.

How a broken-off or moving list is handled (law 11): a list whose order is append-stable goes on at its
cursor. Any other list is picked up by asking for the last stored page again; if that page and the
total are what they were, the read goes on, else the slice starts again. A list that moves while it is
read (the total changes, or the row that each page repeats from the one before is another one) is read
again from its start, at most three times. That costs requests, never truth: rows are upserted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from data_sync.database import Cursor, Database, now
from data_sync.engine import completeness
from data_sync.engine.batch import Source, Stored, store_records
from data_sync.engine.rejected import store_rejected
from data_sync.engine.tables import TABLES, KindTable
from data_sync.ledger import steps
from data_sync.ledger.steps import Progress, Step
from network_clients.facts import Filter, Order
from network_clients.interface import NetworkClient, ReadRequest, Slice
from network_clients.records import Page, Record, Status

#: How often a list that keeps moving is read before its rows are taken as they came.
LONGEST_CHASE = 3

_MOVED = "The list kept changing while it was read; rows that vanished are not marked this time."


class _ListMovedError(Exception):
    """Raised inside a slice when its list is not the one that the read began with."""


@dataclass
class SliceState:
    """How far a slice has been read: its checkpoint, in JSON values."""

    number: int = 0
    passes: int = 1
    pages: int = 0
    page_cursor: dict[str, Any] | None = None
    """Cursor with which the last stored page was asked for."""
    next_cursor: dict[str, Any] | None = None
    total: int | None = None
    counted: int = 0
    last_item: str | None = None
    started_at: str | None = None
    read: int = 0
    unchanged: int = 0
    rejected: int = 0
    disturbed: bool = False
    """The list moved, or a row without a key came: nothing may be marked vanished."""
    resumed: bool = False
    incomplete: bool = False
    ended: bool = False


@dataclass
class UnitState:
    """The checkpoint of a unit: its slices as first planned, and how far each one is."""

    slices: list[dict[str, Any]]
    at: int = 0
    current: SliceState = field(default_factory=SliceState)
    proved: list[str] = field(default_factory=list)
    """Keys of the slices that were read undisturbed."""
    incomplete: bool = False
    started_at: str | None = None


class UnitReader:
    """Reads one step with a client and stores what comes, until the unit's end.

    :param request: what the step reads, in the network's own days.
    :param scope: fingerprint of the account's settings, see :func:`completeness.mark_vanished`.
    """

    def __init__(
        self, db: Database, step: Step, client: NetworkClient, request: ReadRequest, *, scope: str
    ) -> None:
        self.db = db
        self.step = step
        self.client = client
        self.request = request
        self.scope = scope
        self.kind = request.kind
        self.table: KindTable = TABLES[self.kind]
        self.state = self._load_state()
        self._billed = (0, 0.0)
        self._last_keys: frozenset[str] = frozenset()

    def _load_state(self) -> UnitState:
        if self.step.checkpoint is not None:
            return msgspec.convert(self.step.checkpoint, UnitState)
        return UnitState(slices=[])

    def run(self) -> bool:
        """Read everything that is left; return whether the unit was read completely.

        :raises NetworkError: when the network cannot be read.
        :raises WaitTooLongError: when the limiter refuses to sleep that long.
        :raises StepTakenError: when another process has taken the unit over.
        """
        parts = self._plan()
        while self.state.at < len(parts):
            self._read_slice(parts[self.state.at])
        return self._finish(parts)

    def _plan(self) -> list[Slice]:
        if not self.state.slices:
            self.state.slices = [msgspec.to_builtins(part) for part in self.client.slices(self.request)]
            with self.db.transaction() as cursor:
                self.state.started_at = now(cursor).isoformat()
                self._advance(cursor, Progress())
        return [msgspec.convert(part, Slice) for part in self.state.slices]

    def _read_slice(self, part: Slice) -> None:
        while not self.state.current.ended:
            try:
                self._read_pages(part)
            except _ListMovedError:
                self._start_again(part)
        self._close_slice(part)

    def _read_pages(self, part: Slice) -> None:
        current = self.state.current
        cursor = self._entry_cursor(current)
        pages: Iterator[Page] = self.client.pages(self.kind, part, cursor)
        verify = current.pages > 0 and self._order is not Order.APPEND_STABLE
        asked_with = cursor
        while True:
            asked_at = self.db.clock()
            page = next(pages, None)
            if page is None:
                current.ended = True
                return
            if verify:
                self._verify_resumed(part, page)
                verify = False
            else:
                self._store_page(part, page, asked_at, asked_with)
            asked_with = dict(page.cursor) if page.cursor is not None else None
            if page.cursor is None:
                current.ended = True
                return

    @property
    def _order(self) -> Order:
        return self.client.facts.kinds[self.kind].order

    def _entry_cursor(self, current: SliceState) -> dict[str, Any] | None:
        if current.pages == 0:
            return None
        current.resumed = True
        return current.next_cursor if self._order is Order.APPEND_STABLE else current.page_cursor

    def _verify_resumed(self, part: Slice, page: Page) -> None:
        current = self.state.current
        keys = [record.key for record in page.records]
        with self.db.transaction() as cursor:
            same = completeness.same_page_as_before(cursor, self.step.id, part.key, current.pages - 1, keys)
        if not same or page.total != current.total or page.last_item != current.last_item:
            raise _ListMovedError
        self._last_keys = frozenset(keys)

    def _start_again(self, part: Slice) -> None:
        """Forget what this slice has counted so far and read it from its first page."""
        old = self.state.current
        self.state.current = SliceState(number=old.number, passes=old.passes + 1)
        self._last_keys = frozenset()
        undo = Progress(read=-old.read, unchanged=-old.unchanged, rejected=-old.rejected)
        with self.db.transaction() as cursor:
            completeness.forget_pages(cursor, self.step.id, part.key)
            self._advance(cursor, undo)

    def _store_page(
        self, part: Slice, page: Page, asked_at: datetime, asked_with: dict[str, Any] | None
    ) -> None:
        current = self.state.current
        self._watch_for_movement(current, page)
        records = [record for record in page.records if record.key not in self._last_keys]
        keys = frozenset(record.key for record in page.records)
        with self.db.transaction() as cursor:
            source = self._source(asked_at)
            stored = store_records(cursor, self.table, source, records)
            rejected = [*page.rejected, *stored.rejected]
            store_rejected(cursor, self.kind, source, rejected)
            known = [*keys, *(row.key for row in rejected if row.key is not None)]
            completeness.remember_page(cursor, self.step.id, part.key, current.pages, known, page.last_item)
            self._note_page(current, page, asked_at, asked_with, stored, len(rejected))
            current.disturbed |= any(row.key is None for row in rejected)
            progress = self._progress_of(records, page, stored, len(rejected))
            self._advance(cursor, progress)
        self._last_keys = keys

    def _watch_for_movement(self, current: SliceState, page: Page) -> None:
        moved = current.pages > 0 and (
            page.total != current.total or (page.overlap and page.first_item != current.last_item)
        )
        if moved and current.passes < LONGEST_CHASE:
            raise _ListMovedError
        current.disturbed |= moved
        current.incomplete |= moved
        current.total = page.total

    def _note_page(
        self,
        current: SliceState,
        page: Page,
        asked_at: datetime,
        asked_with: dict[str, Any] | None,
        stored: Stored,
        rejected: int,
    ) -> None:
        current.started_at = current.started_at or asked_at.isoformat()
        current.pages += 1
        current.page_cursor = asked_with
        current.next_cursor = dict(page.cursor) if page.cursor is not None else None
        current.counted += page.counted
        current.last_item = page.last_item or current.last_item
        current.read += stored.inserted + stored.updated + stored.unchanged + stored.outdated + rejected
        current.unchanged += stored.unchanged
        current.rejected += rejected
        current.incomplete |= page.capped
        current.ended = page.cursor is None

    def _progress_of(self, records: Sequence[Record], page: Page, stored: Stored, rejected: int) -> Progress:
        return Progress(
            pages=1,
            read=stored.inserted + stored.updated + stored.unchanged + stored.outdated + rejected,
            inserted=stored.inserted,
            updated=stored.updated,
            unchanged=stored.unchanged,
            outdated=stored.outdated,
            rejected=rejected,
            expected=page.total if len(self.state.slices) == 1 else None,
            superseded_by=stored.superseded_by,
            warnings=[*page.warnings, *_unknown_words(records)],
        )

    def _close_slice(self, part: Slice) -> None:
        """Check the count, draw the conclusions of a slice and go on to the next one."""
        current = self.state.current
        if current.total is not None and current.counted != current.total:
            if current.passes < LONGEST_CHASE:
                self._start_again(part)
                return
            current.disturbed = current.incomplete = True
        with self.db.transaction() as cursor:
            ended_at = now(cursor)
            warnings = [_MOVED] if current.disturbed and current.incomplete else []
            if not (current.disturbed or current.resumed or current.incomplete):
                self.state.proved.append(part.key)
            self.state.incomplete |= current.incomplete
            vanished = self._conclude_dated(cursor, part, ended_at)
            self.state.at += 1
            self.state.current = SliceState(number=self.state.at)
            self._last_keys = frozenset()
            self._advance(cursor, Progress(vanished=vanished, warnings=warnings))

    def _conclude_dated(self, cursor: Cursor, part: Slice, ended_at: datetime) -> int:
        """Mark what vanished from the days of a slice that proves them; a snapshot waits for its unit."""
        if part.start is None or part.end is None:
            return 0
        vanished = 0
        if part.key in self.state.proved and part.by is Filter.OCCURRED:
            days = (part.start, part.end)
            started_at = datetime.fromisoformat(self.state.current.started_at or ended_at.isoformat())
            source = self._source(started_at)
            vanished = completeness.mark_vanished(
                cursor, self.table, source, slices=[part.key], days=days, traffic=part.traffic,
                started_at=started_at, scope=self.scope,
            )  # fmt: skip
            completeness.record_read(
                cursor, self.kind, source, days=days, started_at=started_at, ended_at=ended_at
            )
        completeness.forget_pages(cursor, self.step.id, part.key)
        return vanished

    def _finish(self, parts: Sequence[Slice]) -> bool:
        with self.db.transaction() as cursor:
            if parts and self.request.start is None and len(self.state.proved) == len(parts):
                self._advance(cursor, Progress(vanished=self._conclude_snapshot(cursor)))
            completeness.forget_pages(cursor, self.step.id)
            complete = not self.state.incomplete
            kept = cursor.execute(
                "SELECT superseded_by FROM data_sync.sync_log_steps WHERE id = %s", [self.step.id]
            ).fetchone()
            superseded = kept["superseded_by"] if kept else None
            if superseded is not None:
                reason = f"superseded by log {superseded}: a newer answer for the same rows was there first"
                steps.finish(cursor, self.step, "superseded", reason=reason)
                return False
            steps.finish(cursor, self.step, "completed", is_complete=complete)
        return complete

    def _conclude_snapshot(self, cursor: Cursor) -> int:
        ended_at = now(cursor)
        started_at = datetime.fromisoformat(self.state.started_at or ended_at.isoformat())
        source = self._source(started_at)
        vanished = completeness.mark_vanished(
            cursor, self.table, source, slices=self.state.proved, days=None, traffic=None,
            started_at=started_at, scope=self.scope,
        )  # fmt: skip
        completeness.record_read(
            cursor, self.kind, source, days=None, started_at=started_at, ended_at=ended_at
        )
        return vanished

    def _source(self, asked_at: datetime) -> Source:
        return Source(
            account=self.step.account,
            network=self.step.network,
            log_id=self.step.log_id,
            step_id=self.step.id,
            asked_at=asked_at,
        )

    def _advance(self, cursor: Cursor, progress: Progress) -> None:
        requests, waited = self.client.requests, self.client.waited
        progress.requests = requests - self._billed[0]
        progress.waited = waited - self._billed[1]
        steps.advance(cursor, self.step, progress, msgspec.to_builtins(self.state))
        self._billed = (requests, waited)

    def unbilled(self) -> tuple[int, float]:
        """Return the requests and seconds of waiting that no batch has carried yet."""
        return self.client.requests - self._billed[0], self.client.waited - self._billed[1]


def _unknown_words(records: Sequence[Record]) -> list[str]:
    words = {
        getattr(record, "status_word", None)
        for record in records
        if getattr(record, "status", None) is Status.UNKNOWN
    }
    return [
        f"The network used the status {word!r}, which is not known; its rows are kept as 'unknown'."
        for word in sorted(str(word) for word in words)
    ]
