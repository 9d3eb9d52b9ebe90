"""Reading one unit of work: slice by slice, page by page, a few pages in one transaction.

How a broken-off or moving list is handled (law 11): a list whose order is append-stable goes on at its
cursor. Any other list is picked up by asking for the last stored page again; if that page, the total and
the list's own fingerprint are what they were, the read goes on, else the slice starts again. A list that
moves while it is read is read again from its start, at most three times. What shows it: the total or the
fingerprint changes, the row that each page repeats from the one before is another one, or any other row
comes that was on an earlier page. Nor is a list complete that shows as many rows as it should, but one of
them twice. Where a fingerprint allows a report's lines to come twice, equal ones are believed when a second
pass shows them again; and where nothing would show that one row went and another came between two pages, rows
are marked as vanished only when a second pass agrees. That costs requests, never truth: rows are upserted,
and a row that comes again counts once.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import msgspec

from data_sync.database import Cursor, Database, ServerClock, now
from data_sync.engine import completeness
from data_sync.engine.batch import Batch
from data_sync.engine.checkpoint import SliceState, UnitState
from data_sync.engine.completeness import Scope
from data_sync.engine.feed import Feed
from data_sync.engine.fingerprints import Fingerprints
from data_sync.engine.pages import (
    are_remembered,
    count_before,
    digest_of,
    forget_pages,
    hashes_of,
    lines_of,
    names_of,
    number_doubles,
    remember_pages,
    remembered,
    told_apart,
    without_overlap,
)
from data_sync.engine.rejected import NAMELESS, name_of, refuse_too_many, store_rejected
from data_sync.engine.seen import SeenNames
from data_sync.engine.storing import Source, Stored, store_rows
from data_sync.engine.tables import TABLES, KindTable
from data_sync.engine.warnings import DOUBLES, MOVED, unknown_words
from data_sync.errors import StepTakenError, UnitCancelledError
from data_sync.ledger import steps
from data_sync.ledger.steps import News, Progress, Step
from network_clients.facts import Filter, Order
from network_clients.interface import NetworkClient, ReadRequest, Slice
from network_clients.records import Page

#: How often a list that keeps moving is read before its rows are taken as they came.
LONGEST_CHASE = 3

#: How long a page may be waited for before the step's row is looked at, in seconds.
_SILENCE = 10.0


class _ListMovedError(Exception):
    """Raised inside a slice when its list is not the one that the read began with.

    :param meanwhile: whether it moved under this read, not between two tries of the unit.
    """

    def __init__(self, *, meanwhile: bool) -> None:
        super().__init__()
        self.meanwhile = meanwhile


class UnitReader:
    """Reads one step with a client and stores what comes, until the unit's end.

    :param request: what the step reads, in the network's own days.
    :param scope: fingerprint of the account's settings, see :func:`completeness.judge_rows`.
    """

    def __init__(
        self, db: Database, step: Step, client: NetworkClient, request: ReadRequest, *, scope: str
    ) -> None:
        self.db = db
        self.step = step
        self.client = client
        self.request = request
        self.scope = scope
        self._known_scope: Scope | None = None
        self.kind = request.kind
        self.table: KindTable = TABLES[self.kind]
        self.state = UnitState.load(step.checkpoint)
        self._fingerprints = Fingerprints(client, self.table)
        self._clock = ServerClock(db)
        self._asked_at: datetime | None = None
        self._seen = SeenNames()
        self._batch = Batch()
        self._billed = (0, 0.0)
        self._cancelled_by: str | None = None

    def run(self) -> bool:
        """Read everything that is left; return whether the unit was read completely.

        :raises NetworkError: when the network cannot be read.
        :raises WaitTooLongError: when the limiter refuses to sleep that long.
        :raises StepTakenError: when another process has taken the unit over.
        :raises UnitCancelledError: when somebody has asked that it ends; the last batch is stored.
        :raises TooManyRejectedError: when too many of the rows that came had to be set aside.
        """
        parts = self._plan()
        while self.state.at < len(parts):
            self._heed()
            self._read_slice(parts[self.state.at])
        return self._finish(parts)

    def _plan(self) -> list[Slice]:
        if not self.state.slices:
            self.state.slices = [msgspec.to_builtins(part) for part in self.client.slices(self.request)]
            with self.db.transaction() as cursor:
                self.state.started_at = now(cursor).isoformat()
                self._advance(cursor, Progress())
        return [msgspec.convert(part, Slice) for part in self.state.slices]

    @property
    def _order(self) -> Order:
        return self.client.facts.kinds[self.kind].order

    def _read_slice(self, part: Slice) -> None:
        while not self.state.current.ended:
            self._heed()
            try:
                self._read_pages(part)
            except _ListMovedError as moved:
                self._start_again(part, moved=moved.meanwhile)
        self._close_slice(part)

    def _read_pages(self, part: Slice) -> None:
        current = self.state.current
        asked_with = self._entry_cursor(part)
        verify = current.pages > 0 and self._order is not Order.APPEND_STABLE
        self._seen = self._seen_names(part)
        pages = self.client.pages(self.kind, part, asked_with)
        with Feed(pages, self.client.pages_ahead) as feed:
            while (arrived := self._next_page(feed, part)) is not None:
                page, asked = arrived
                if verify:
                    self._verify_resumed(page)
                else:
                    self._take(part, page, self._time_at(asked), asked_with)
                verify = False
                if page.cursor is None:
                    break
                asked_with = dict(page.cursor)
                if self._batch.is_full:
                    self._store_batch(part)
            current.ended = True
            self._store_batch(part)

    def _seen_names(self, part: Slice) -> SeenNames:
        """Begin to remember names, from those on which an earlier process has left off."""
        if not self.state.current.pages:
            return SeenNames()
        with self.db.transaction() as cursor:
            return SeenNames(self._hashes_of, remembered(cursor, self.step.id, part.key))

    def _hashes_of(self, names: Sequence[str]) -> Sequence[int]:
        """Hash names as remembered ones are."""
        with self.db.transaction() as cursor:
            return hashes_of(cursor, names)

    def _next_page(self, feed: Feed, part: Slice) -> tuple[Page, float] | None:
        """Wait for the next page; store what is there when it takes long, or does not come at all."""
        try:
            while True:
                try:
                    return feed.take(self._batch.seconds_left if self._batch.pages else _SILENCE)
                except queue.Empty:
                    if self._batch.pages:
                        self._store_batch(part)
                    else:
                        self._look()
        except Exception:
            self._store_batch(part)
            raise

    def _time_at(self, instant: float) -> datetime:
        asked_at = self._clock.at(instant)
        self._asked_at = max(asked_at, self._asked_at or asked_at)
        return self._asked_at

    def _entry_cursor(self, part: Slice) -> dict[str, Any] | None:
        current = self.state.current
        if current.pages == 0:
            return None
        if current.kept_at is not None:
            with self.db.transaction() as cursor:
                if not are_remembered(cursor, self.step.id, part.key, current.kept_at):
                    raise _ListMovedError(meanwhile=False)
        current.resumed = True
        return current.next_cursor if self._order is Order.APPEND_STABLE else current.page_cursor

    def _verify_resumed(self, page: Page) -> None:
        if not self.state.current.is_page_again(page, digest_of(names_of(page))):
            raise _ListMovedError(meanwhile=False)

    def _start_again(self, part: Slice, *, moved: bool) -> None:
        """Read this slice from its first page; what it has written stays counted, the rest does not."""
        old = self.state.current
        self.state.current = old.begun_again(moved=moved)
        undo = Progress(
            read=-(old.unchanged + old.outdated + old.rejected),
            unchanged=-old.unchanged,
            outdated=-old.outdated,
            rejected=-old.rejected,
        )
        with self.db.transaction() as cursor:
            forget_pages(cursor, self.step.id, part.key)
            self._advance(cursor, undo)

    def _take(self, part: Slice, page: Page, asked_at: datetime, asked_with: dict[str, Any] | None) -> None:
        """Take a page into the next batch, if it belongs to the list that is being read."""
        current, names = self.state.current, names_of(page)
        fresh, kept, seen = self._without_overlap(part, page)
        is_sure = current.is_sure_of(page, self._order)
        items = told_apart(fresh)
        if current.has_moved(page, self._order) or not (is_sure or seen.keys().isdisjoint(items)):
            self._chase(part)
        rows = number_doubles(fresh.records, seen if is_sure else {})
        pairs = zip(fresh.records, rows, strict=True)
        doubles = [] if rows is fresh.records else [new.key for old, new in pairs if old is not new]
        # Where a fingerprint says that the list is at rest, a name that comes twice is two items.
        repeated = 0 if is_sure or page.version else len(items) - len({*items}) - len(doubles)
        if seen and self._order is not Order.APPEND_STABLE:
            current.ambiguous |= not seen.keys().isdisjoint(lines_of(fresh))
        number = current.pages
        blind = number > 0 and not (is_sure or page.overlap)
        digest = digest_of(names)
        current.take(page, asked_with, asked_at.isoformat(), digest, max(repeated, 0), blind=blind)
        kept += doubles
        self._seen.add(kept)
        batch = self._batch
        if batch.pages == 0:
            batch = self._batch = Batch(first_page=number)
        batch.pages += 1
        batch.add_rows(rows, self._fingerprints, asked_at)
        batch.rejected += fresh.rejected
        batch.names += kept
        batch.again += seen
        batch.uncounted |= set() if is_sure else seen.keys()
        batch.warnings += [*page.warnings, *([DOUBLES] if doubles else [])]
        batch.total = page.total

    def _without_overlap(self, part: Slice, page: Page) -> tuple[Page, list[str], Mapping[str, int]]:
        """Return a page without what it repeats, its names, and how often they stand on earlier pages."""
        if not self.state.current.repeats_item_of(page):
            names = _all_names(page)
            return page, names, self._seen_before(part, names)
        if (page.first_item or "").startswith(NAMELESS):
            # Which row it is shows by having come before.
            seen = self._seen_before(part, _all_names(page))
            fresh = without_overlap(page, seen)
            return fresh, _all_names(fresh), seen
        fresh = without_overlap(page, {})
        names = _all_names(fresh)
        return fresh, names, self._seen_before(part, names)

    def _seen_before(self, part: Slice, names: Sequence[str]) -> Mapping[str, int]:
        """Count how often names stand on earlier pages; those that do not are left out."""
        if not self.state.current.pages or not (suspects := self._seen.suspects(names)):
            return {}
        self._store_batch(part)
        with self.db.transaction() as cursor:
            return count_before(cursor, self.step.id, part.key, suspects)

    def _store_batch(self, part: Slice) -> None:
        """Store the pages that were taken, together with their checkpoint."""
        batch, self._batch = self._batch, Batch()
        current = self.state.current
        if not batch.pages and not current.ended:
            return
        with self.db.transaction() as cursor:
            source = self._source(current.since, batch.again)
            stored = store_rows(cursor, self.table, source, [*batch.rows.values()])
            set_aside = [*stored.rejected, *batch.rejected]
            store_rejected(cursor, self.kind, source, set_aside)
            stored.rejected = [
                row for row in set_aside if row.key is None or name_of(row) not in batch.uncounted
            ]
            if batch.pages:
                self._remember(cursor, part, batch)
            self._advance(cursor, self._progress_of(batch, stored))
        self._heed()

    def _remember(self, cursor: Cursor, part: Slice, batch: Batch) -> None:
        current = self.state.current
        if not remember_pages(
            cursor, self.step.id, part.key, batch.first_page, batch.names, after=current.kept_at
        ):
            raise _ListMovedError(meanwhile=False)
        current.kept_at = batch.first_page
        current.names += len(batch.names)

    def _chase(self, part: Slice) -> None:
        """Have a list that moved read from its start, or take it as it comes when that was tried enough."""
        current = self.state.current
        if current.passes < LONGEST_CHASE:
            # The pages before are good.
            self._store_batch(part)
            raise _ListMovedError(meanwhile=True)
        current.disturbed = current.incomplete = True

    def _progress_of(self, batch: Batch, stored: Stored) -> Progress:
        current, rejected = self.state.current, len(stored.rejected)
        current.unchanged += stored.unchanged
        current.outdated += stored.outdated
        current.rejected += rejected
        current.disturbed |= any(row.key is None for row in stored.rejected)
        return Progress(
            pages=batch.pages,
            read=stored.inserted + stored.updated + stored.unchanged + stored.outdated + rejected,
            inserted=stored.inserted,
            updated=stored.updated,
            unchanged=stored.unchanged,
            outdated=stored.outdated,
            rejected=rejected,
            expected=batch.total if len(self.state.slices) == 1 else None,
            superseded_by=stored.superseded_by,
            warnings=[*dict.fromkeys(batch.warnings), *unknown_words(stored.words)],
        )

    def _close_slice(self, part: Slice) -> None:
        """Check the count, draw the conclusions of a slice and go on to the next one."""
        current = self.state.current
        if current.is_doubtful(self._order) and not current.incomplete:
            if current.passes < LONGEST_CHASE:
                self._start_again(part, moved=True)
                return
            current.disturbed = current.incomplete = True
        if self._wants_second_look(part):
            if current.passes < LONGEST_CHASE:
                self._start_again(part, moved=True)
                return
            current.disturbed = True
        with self.db.transaction() as cursor:
            if current.is_undisturbed:
                self.state.proved.append(part.key)
                self.state.names += current.names
            self.state.incomplete |= current.incomplete
            vanished = self._conclude_days(cursor, part)
            self.state.at += 1
            self.state.current = SliceState()
            warnings = [MOVED] if current.disturbed and current.incomplete else []
            self._advance(cursor, Progress(vanished=vanished, warnings=warnings))

    def _wants_second_look(self, part: Slice) -> bool:
        """Tell whether rows would be marked as vanished that a silent move of the list may have hidden.

        Where one item goes and another comes between two pages, the total stays the same, and the item at the
        edge is on neither page. Two passes that agree page by page have not met that.
        """
        current = self.state.current
        if not (current.blind and current.is_undisturbed) or current.is_second_look:
            return False
        if part.start is None and len(self.state.slices) > 1:
            # What the snapshot as a whole proves shows at its end only.
            return True
        with self.db.transaction() as cursor, cursor.connection.transaction(force_rollback=True):
            if part.start is not None:
                return self._conclude_days(cursor, part) > 0
            started_at = datetime.fromisoformat(current.started_at or now(cursor).isoformat())
            return self._conclude(cursor, [part], current.names, None, started_at, proves=True) > 0

    def _conclude_days(self, cursor: Cursor, part: Slice) -> int:
        """Draw the conclusions of a slice that covers days; those of a snapshot wait for its unit."""
        if part.start is None or part.end is None:
            return 0
        current = self.state.current
        vanished = 0
        if part.by is Filter.OCCURRED and not current.incomplete:
            started_at = datetime.fromisoformat(current.started_at or now(cursor).isoformat())
            days = (part.start, part.end)
            vanished = self._conclude(
                cursor, [part], current.names, days, started_at, proves=current.is_undisturbed
            )
        forget_pages(cursor, self.step.id, part.key)
        return vanished

    def _conclude(
        self,
        cursor: Cursor,
        parts: Sequence[Slice],
        names: int,
        days: tuple[date, date] | None,
        started_at: datetime,
        *,
        proves: bool,
    ) -> int:
        """Note a read that reached its end; return how many rows it proves to be gone."""
        source = self._source(started_at.isoformat())
        traffic = parts[0].traffic if days else None
        vanished = 0
        if proves:
            scope = self._known_scope or completeness.scope_of(cursor, self.step.account, self.scope)
            self._known_scope = scope
            vanished = completeness.judge_rows(
                cursor, self.table, source, slices=[part.key for part in parts], names=names, days=days,
                traffic=traffic, started_at=started_at, scope=scope,
            )  # fmt: skip
        completeness.record_read(
            cursor, self.kind, source, days=days, traffic=traffic, started_at=started_at, ended_at=now(cursor)
        )
        return vanished

    def _finish(self, parts: Sequence[Slice]) -> bool:
        complete = not self.state.incomplete
        with self.db.transaction() as cursor:
            if parts and self.request.start is None and complete:
                started_at = datetime.fromisoformat(self.state.started_at or now(cursor).isoformat())
                proves = len(self.state.proved) == len(parts)
                vanished = self._conclude(cursor, parts, self.state.names, None, started_at, proves=proves)
                self._advance(cursor, Progress(vanished=vanished))
            forget_pages(cursor, self.step.id)
            refuse_too_many(cursor, self.step)
            return steps.finish_read(cursor, self.step, is_complete=complete)

    def _source(self, since: str | None, again: Sequence[str] = ()) -> Source:
        return Source(
            account=self.step.account,
            network=self.step.network,
            log_id=self.step.log_id,
            step_id=self.step.id,
            since=self._clock.at(time.monotonic()) if since is None else datetime.fromisoformat(since),
            again=again,
        )

    def _advance(self, cursor: Cursor, progress: Progress) -> None:
        progress.requests, progress.waited = self.unbilled()
        with self._ending_with_the_limiter():
            self._note(steps.advance(cursor, self.step, progress, self.state.dump()))
        self._billed = (self.client.requests, self.client.waited)

    def _look(self) -> None:
        """See whether the unit is still wanted while nothing comes from the network."""
        with self._ending_with_the_limiter(), self.db.transaction() as cursor:
            self._note(steps.look(cursor, self.step))
        # The next page may take as long as this one.
        self.db.close()
        self._heed()

    @contextmanager
    def _ending_with_the_limiter(self) -> Iterator[None]:
        """Where the unit is not ours any more, let nobody wait for a turn to ask the network for it."""
        try:
            yield
        except (StepTakenError, UnitCancelledError):
            self.client.limiter.stop()
            raise

    def _note(self, news: News) -> None:
        self._clock.note(news.now)
        self._cancelled_by = news.cancelled_by

    def _heed(self) -> None:
        """Stop between two batches when somebody has asked for it."""
        if self._cancelled_by is not None:
            self.client.limiter.stop()
            raise UnitCancelledError(self._cancelled_by)

    def unbilled(self) -> tuple[int, float]:
        """Return the requests and seconds of waiting that no batch has carried yet."""
        return self.client.requests - self._billed[0], self.client.waited - self._billed[1]


def _all_names(page: Page) -> list[str]:
    """Return what tells that the rows of a page were in the list: their names, and those of lines."""
    return [*names_of(page), *lines_of(page)]
