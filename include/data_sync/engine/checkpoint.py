"""How far a unit of work has been read: what its step keeps between two pages, in JSON values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from data_sync.database import storable
from network_clients.facts import Order
from network_clients.records import Page


@dataclass
class SliceState:
    """How far a slice has been read. Times are ISO texts of the database's clock."""

    passes: int = 1
    """How often the list has been begun because it moved."""
    pages: int = 0
    page_cursor: dict[str, Any] | None = None
    """Cursor with which the last stored page was asked for."""
    next_cursor: dict[str, Any] | None = None
    total: int | None = None
    version: str | None = None
    """The list's own fingerprint, where the network sends one."""
    kept_at: int | None = None
    """Number of the page under which the last names were kept, see :mod:`data_sync.engine.pages`."""
    names: int = 0
    """How many names were kept."""
    counted: int = 0
    skipped: int = 0
    repeated: int = 0
    """How many of the counted items are not the first with their name, in a list that may have moved."""
    last_item: str | None = None
    last_page: str | None = None
    """Digest of the names on the last stored page."""
    chain: str = ""
    """Digest of the names on all pages, page by page."""
    chain_before: str | None = None
    """The same of the pass before, where that reached the end."""
    ambiguous: bool = False
    """A line came again word for word: there are two of it, or the list has changed its order meanwhile."""
    blind: bool = False
    """A page says nothing that would show whether the list has moved since the page before."""
    since: str | None = None
    """When the first page was asked for, before the slice was ever begun again."""
    started_at: str | None = None
    """The same since it was last begun again."""
    unchanged: int = 0
    outdated: int = 0
    rejected: int = 0
    disturbed: bool = False
    """The list moved, or a row without a key came: nothing may be marked vanished."""
    resumed: bool = False
    incomplete: bool = False
    ended: bool = False

    @property
    def is_undisturbed(self) -> bool:
        """Whether the list was read from first to last page in one go (law 13)."""
        return not (self.disturbed or self.resumed or self.incomplete)

    def begun_again(self, *, moved: bool) -> SliceState:
        """Return the state in which the list is read from its first page again.

        :param moved: whether it moved under this read; a list that changed between two tries did not.
        """
        before = self.chain if self.ended else None
        return SliceState(passes=self.passes + moved, since=self.since, chain_before=before)

    def has_moved(self, page: Page, order: Order) -> bool:
        """Tell whether a page belongs to another list than the pages before it.

        A list that only grows at its end has not moved by growing.
        """
        if self.pages == 0:
            return False
        if page.overlap and not self.repeats_item_of(page):
            return True
        return order is not Order.APPEND_STABLE and self._says_otherwise(page)

    def repeats_item_of(self, page: Page) -> bool:
        """Tell whether a page begins with the last item of the page before, as it was asked to."""
        return self.pages > 0 and page.overlap and item_of(page.first_item) == self.last_item

    def is_sure_of(self, page: Page, order: Order) -> bool:
        """Tell whether a page certainly belongs to the same list as the pages before it."""
        return order is Order.APPEND_STABLE or (page.version is not None and page.version == self.version)

    def is_page_again(self, page: Page, digest: str) -> bool:
        """Tell whether a page that is asked for again, and its list, are what they were.

        :param digest: of the names on the page.
        """
        same = digest == self.last_page and item_of(page.last_item) == self.last_item
        return same and not self._says_otherwise(page)

    def _says_otherwise(self, page: Page) -> bool:
        """Tell whether the network now names another total or fingerprint than before."""
        pairs = ((self.total, page.total), (self.version, page.version))
        return any(None not in pair and pair[0] != pair[1] for pair in pairs)

    @property
    def is_second_look(self) -> bool:
        """Whether the pass before this one reached the end too and showed the same names on every page."""
        return self.chain == self.chain_before

    def is_doubtful(self, order: Order) -> bool:
        """Tell whether the items that came may not be all that there are.

        Lines that came word for word again are believed when a second pass shows every page as it was.
        """
        return self._is_miscounted(order) or (self.ambiguous and not self.is_second_look)

    def _is_miscounted(self, order: Order) -> bool:
        """Tell whether the items that came are not as many as the network says, each counted once."""
        if self.repeated:
            return True
        if self.total is None:
            return False
        if self.counted + self.skipped < self.total:
            return True
        # Rows that vanish behind the cursor of a growing list were read before they did.
        return order is not Order.APPEND_STABLE and self.counted > self.total

    def take(
        self,
        page: Page,
        asked_with: dict[str, Any] | None,
        asked_at: str,
        digest: str,
        repeated: int,
        *,
        blind: bool,
    ) -> None:
        """Go on behind a page.

        :param blind: whether nothing would show that the list has moved since the page before.
        :param digest: of the names on the page.
        :param repeated: how many of its items are not the first with their name, see :attr:`repeated`.
        """
        self.since = self.since or asked_at
        self.started_at = self.started_at or asked_at
        self.pages += 1
        self.blind |= blind
        self.page_cursor = asked_with
        self.next_cursor = dict(page.cursor) if page.cursor is not None else None
        self.total = self.total if page.total is None else page.total
        self.version = page.version or self.version
        self.counted += page.counted
        self.skipped += page.skipped
        self.repeated += repeated
        self.last_item = item_of(page.last_item) or self.last_item
        self.last_page = digest
        self.chain = hashlib.blake2b((self.chain + digest).encode(), digest_size=16).hexdigest()
        self.incomplete |= page.capped
        self.ended = page.cursor is None


@dataclass
class UnitState:
    """The checkpoint of a unit: its slices as first planned, and how far each one is."""

    slices: list[dict[str, Any]] = field(default_factory=list)
    at: int = 0
    current: SliceState = field(default_factory=SliceState)
    proved: list[str] = field(default_factory=list)
    """Keys of the slices that were read undisturbed."""
    names: int = 0
    """How many names were kept of them."""
    incomplete: bool = False
    started_at: str | None = None

    @classmethod
    def load(cls, checkpoint: Mapping[str, Any] | None) -> UnitState:
        """Read a step's checkpoint; a fresh start without one.

        :raises msgspec.ValidationError: for anything that :meth:`dump` did not write.
        """
        return cls() if checkpoint is None else msgspec.convert(checkpoint, cls)

    def dump(self) -> dict[str, Any]:
        """Return the checkpoint in JSON values."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values


def item_of(key: str | None) -> str | None:
    """Return the key of a list's item as it is kept in the checkpoint."""
    return None if key is None else storable(key)
