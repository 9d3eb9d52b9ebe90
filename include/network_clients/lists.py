"""From a network's list to pages of records: what clients with offsets, and with page numbers, share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from network_clients.at_once import PagesAtOnce
from network_clients.paging import OffsetPaging, PageNumberPaging
from network_clients.records import Page
from network_clients.rows import Reading

Params = tuple[tuple[str, str], ...]


class Reader(Protocol):
    """Tells the items of a page apart; :class:`network_clients.rows.RowReader` is one."""

    def tell_apart(self, rows: Sequence[msgspec.Raw]) -> Reading:
        """Find the keys of all items of a page."""


@dataclass(frozen=True)
class NumberedPage:
    """What a network sent for one page number.

    :param per_page: the page size by the answer, whatever was asked for.
    :param version: see :attr:`network_clients.records.Page.version`.
    """

    rows: Sequence[msgspec.Raw]
    per_page: int | None = None
    total: int | None = None
    version: str | None = None


def read_by_offset(
    ask: Callable[[Params], tuple[Sequence[msgspec.Raw], int | None]],
    reader: Reader,
    *,
    limit: int,
    cursor: Mapping[str, object],
    at_once: int = 1,
) -> Iterator[Page]:
    """Read a list from a cursor to its end.

    :param ask: sends one request with the page's parameters; returns its rows and the list's total.
    :param limit: rows per page.
    :param cursor: ``position`` (none: the start); what else it holds is handed on in every page's cursor.
    :param at_once: how many pages are asked for at the same time, once a total tells how many there are.
    """
    paging = OffsetPaging(limit, position=int(str(cursor.get("position", 0))))
    with PagesAtOnce(ask, at_once) as pages:
        while not paging.done:
            overlap = paging.overlap
            asked, (rows, total) = pages.get(paging.params())
            again, fresh = reader.tell_apart(rows[:overlap]), reader.tell_apart(rows[overlap:])
            items = (*again.items, *fresh.items)
            counted = paging.take(len(rows), total)
            pages.expect(paging.following(total, at_once))
            yield Page(
                records=(*again.records, *fresh.records),
                # A row that was set aside on the page before is not set aside twice.
                rejected=tuple(fresh.rejected),
                cursor=None if paging.cursor is None else {**cursor, **paging.cursor},
                counted=counted,
                total=total,
                items=items,
                skipped=fresh.skipped,
                overlap=bool(overlap),
                asked=asked,
            )


def read_by_page(
    ask: Callable[[int], NumberedPage], reader: Reader, *, cursor: Mapping[str, object]
) -> Iterator[Page]:
    """Read a list from a cursor to its end, page number by page number.

    :param ask: sends the request for one page, counted from 1.
    :param cursor: ``page`` (none: the first one).
    """
    paging = PageNumberPaging(page=int(str(cursor.get("page", 1))))
    while not paging.done:
        sent = ask(paging.page)
        reading = reader.tell_apart(sent.rows)
        paging.take(len(sent.rows), per_page=sent.per_page, total=sent.total)
        yield Page(
            records=tuple(reading.records),
            rejected=tuple(reading.rejected),
            cursor=paging.cursor,
            items=tuple(reading.items),
            counted=len(sent.rows) - reading.skipped,
            skipped=reading.skipped,
            total=sent.total,
            version=sent.version,
        )
