"""Pages that are stored together, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from data_sync.database import storable_all
from data_sync.engine.fingerprints import Fingerprints
from data_sync.engine.storing import Incoming
from network_clients.records import Record, RejectedRow, SentRow

#: A batch is stored when it holds so many rows or bytes, or when its first page has waited for so many
#: seconds: few enough to lose little by a kill, many enough for a transaction to cost next to nothing.
MOST_ROWS, MOST_BYTES, MOST_SECONDS = 5_000, 4 * 2**20, 1.0


@dataclass
class Batch:
    """What the next transaction of a unit stores.

    A key is on one page of a batch at most: a page that repeats another one begins a new batch.
    """

    first_page: int = 0
    """Its number in the list."""
    pages: int = 0
    rows: dict[str, Incoming] = field(default_factory=dict)
    rejected: list[RejectedRow] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """What tells that the rows were in the list, see :mod:`data_sync.engine.pages`."""
    again: list[str] = field(default_factory=list)
    """Names that were on earlier pages of the list."""
    uncounted: set[str] = field(default_factory=set)
    """Those that do not count when they are rejected: they may be the same rows at another place."""
    warnings: list[str] = field(default_factory=list)
    total: int | None = None
    size: int = 0
    began: float = field(default_factory=time.monotonic)

    def add_rows(
        self, rows: Sequence[Record | SentRow], fingerprints: Fingerprints, asked_at: datetime
    ) -> None:
        """Take the rows of a page; of a key that comes twice, the last form that can be stored counts."""
        names = storable_all([row.key for row in rows])
        for row, name in zip(rows, names, strict=True):
            incoming = Incoming(name, fingerprints.of(row), row, asked_at)
            if name in self.rows and not self._replaces(row, self.rows[name]):
                continue
            self.rows[name] = incoming
            self.size += len(row.raw)

    def _replaces(self, row: Record | SentRow, before: Incoming) -> bool:
        """Tell whether a row takes the place of one with its key; set aside which of them is unreadable."""
        found = row.translated() if isinstance(row, SentRow) else row
        if isinstance(found, RejectedRow):
            self.rejected.append(found)
            return False
        old = before.row.translated() if isinstance(before.row, SentRow) else before.row
        if isinstance(old, RejectedRow):
            self.rejected.append(old)
        return True

    @property
    def is_full(self) -> bool:
        """Whether no further page should be waited for."""
        return len(self.rows) >= MOST_ROWS or self.size >= MOST_BYTES or self.seconds_left <= 0

    @property
    def seconds_left(self) -> float:
        """How long the next page may take to be stored with these."""
        return max(self.began + MOST_SECONDS - time.monotonic(), 0.0)
