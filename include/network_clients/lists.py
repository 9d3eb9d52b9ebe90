"""From a network's list to pages of records: what every client with offsets shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from network_clients.paging import OffsetPaging
from network_clients.records import Page
from network_clients.rows import RowReader

Params = tuple[tuple[str, str], ...]


def read_by_offset(
    ask: Callable[[Params], tuple[Sequence[msgspec.Raw], int | None]],
    reader: RowReader,
    *,
    limit: int,
    cursor: Mapping[str, object],
) -> Iterator[Page]:
    """Read a list from a cursor to its end.

    :param ask: sends one request with the page's parameters; returns its rows and the list's total.
    :param limit: rows per page.
    :param cursor: ``position`` (none: the start); what else it holds is handed on in every page's cursor.
    """
    paging = OffsetPaging(limit, position=int(str(cursor.get("position", 0))))
    while not paging.done:
        overlap = paging.overlap
        rows, total = ask(paging.params())
        again, fresh = reader.read(rows[:overlap]), reader.read(rows[overlap:])
        items = again.items + fresh.items
        counted = paging.take(len(rows), total)
        yield Page(
            records=(*again.records, *fresh.records),
            # A row that was set aside on the page before is not set aside twice.
            rejected=tuple(fresh.rejected),
            cursor=None if paging.cursor is None else {**cursor, **paging.cursor},
            counted=counted,
            total=total,
            first_item=items[0] if items else None,
            last_item=items[-1] if items else None,
            overlap=bool(overlap),
        )
