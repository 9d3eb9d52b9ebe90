"""How networks cut lists into pages: each way a small object that knows where it is and asks nobody.

A client asks ``params()`` (or ``link``) what to request, sends it, tells ``take()`` what came, and goes on
until ``done``. ``cursor`` is where the next page starts, in JSON values, and makes an equal object in
another process.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from network_clients.addresses import origin_of


class PagingError(ValueError):
    """Raised when a network's paging leads nowhere; its text says how."""


@dataclass
class OffsetPaging:
    """``offset`` and ``limit``, with the last row of the page before asked for again.

    Offsets lose or double rows when the list moves between two pages. The overlapping row shows it: it
    must be the same one as before.

    :param limit: items asked for; the server may send fewer.
    :param position: how many items of the list have been taken already.
    """

    limit: int
    position: int = 0
    done: bool = False
    received: int = 0
    """How many items the last page held."""

    @property
    def overlap(self) -> int:
        """How many items at the start of the next page are asked for again: 0 or 1."""
        return 1 if self.position else 0

    @property
    def cursor(self) -> dict[str, object] | None:
        """Where the next page starts; ``None`` after the last one."""
        return None if self.done else {"position": self.position}

    def params(self) -> tuple[tuple[str, str], ...]:
        """Return the query parameters of the next page."""
        return ("limit", str(self.limit)), ("offset", str(self.position - self.overlap))

    def following(self, total: int | None, most: int) -> list[tuple[tuple[str, str], ...]]:
        """Return the parameters of the next pages, each as long as the last one; none without a total."""
        if self.done or total is None:
            return []
        first = self.position - self.overlap
        starts = range(first, total - self.overlap, max(self.received - 1, 1))
        return [(("limit", str(self.limit)), ("offset", str(start))) for start in starts[:most]]

    def take(self, received: int, total: int | None) -> int:
        """Go on behind a page, and return how many of its items are new.

        With a total, a short page is no end by itself: some servers cap pages below what was asked. An
        empty page always is.
        """
        fresh = max(received - self.overlap, 0)
        self.received = received
        self.position += fresh
        short = received < self.limit if total is None else self.position >= total
        self.done = not fresh or short
        return fresh


@dataclass
class PageNumberPaging:
    """Pages counted from 1. Sizes and totals are the answer's: what was asked for may be ignored."""

    page: int = 1
    done: bool = False

    @property
    def cursor(self) -> dict[str, object] | None:
        """Where the next page starts; ``None`` after the last one."""
        return None if self.done else {"page": self.page}

    def take(
        self,
        received: int,
        *,
        per_page: int | None = None,
        total: int | None = None,
        last_page: int | None = None,
    ) -> None:
        """Go on behind a page.

        :param per_page: the page size by the answer; without an envelope the size that was asked for.
        :param total: items of the list, :param last_page: number of its last page, by the answer.
        """
        if last_page is not None:
            ended = self.page >= last_page
        elif per_page is not None and total is not None:
            ended = self.page * per_page >= total
        else:
            ended = per_page is not None and received < per_page
        self.done = ended or received == 0
        self.page += 1


@dataclass
class CursorPaging:
    """The answer names the next page's token (Trackier), or the last id and whether that was all (CJ)."""

    token: str | None = None
    done: bool = False

    @property
    def cursor(self) -> dict[str, object] | None:
        """Where the next page starts; ``None`` after the last one."""
        return None if self.done else {"token": self.token}

    def take(self, received: int, token: str | None, *, complete: bool | None = None) -> None:
        """Go on behind a page.

        :param complete: the network's own flag, where it has one; else no token, the same token again or
            an empty page ends the list.
        :raises PagingError: when the list is said to go on, but no new token tells where.
        """
        stuck = not token or token == self.token
        if complete is False and stuck:
            raise PagingError("the list is said to be incomplete, but no new cursor came with it")
        self.done = complete if complete is not None else stuck or received == 0
        self.token = token


@dataclass
class NextLinkPaging:
    """The answer holds the address of the next page, relative or absolute; only the same host is followed.

    :param link: path and query of the next page.
    """

    base_url: str
    link: str
    done: bool = False

    @property
    def cursor(self) -> dict[str, object] | None:
        """Where the next page starts; ``None`` after the last one."""
        return None if self.done else {"link": self.link}

    def take(self, next_link: str | None) -> None:
        """Go on behind a page; a missing or empty link ends the list.

        :raises PagingError: for a link to another host, which must not see the credentials, and for one
            that leads back to the page just read.
        """
        if not next_link:
            self.done = True
            return
        target = urljoin(self.base_url + self.link, next_link)
        try:
            same = origin_of(target) == origin_of(self.base_url)
        except ValueError:
            same = False
        if not same:
            raise PagingError("the link to the next page leads to another host")
        parts = urlsplit(target)
        link = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if link == self.link:
            raise PagingError("the link to the next page leads to the same page")
        self.link = link


@dataclass
class SinglePage:
    """The whole list in one answer."""

    done: bool = False
    cursor: None = None

    def take(self) -> None:
        """Say that the answer came."""
        self.done = True
