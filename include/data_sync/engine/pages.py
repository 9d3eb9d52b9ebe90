"""The pages that a read in progress has seen, kept as 64-bit hashes of names beside its step.

They tell whether a list has moved, which rows of a report are the second with their key, and at the end
which stored rows the read did not find.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from data_sync.database import Cursor, one, storable, storable_all
from data_sync.engine.rejected import NAMELESS, name_of
from network_clients.records import Grain, Page, Purchase, Record, RejectedRow, SentRow


def names_of(page: Page) -> list[str]:
    """Return the names of everything on a page, as Postgres can hold them.

    Keys of records and of rows set aside, as often as they come, and once each item of the paged list
    that is neither.
    """
    names = [*storable_all([row.key for row in page.records]), *map(name_of, page.rejected)]
    if names == [*page.items]:
        return names
    known = set(names)
    return [*names, *(item for item in dict.fromkeys(storable_all(page.items)) if item not in known)]


def digest_of(names: Iterable[str]) -> str:
    """Return what is the same for two pages with the same names, in whatever order."""
    return hashlib.blake2b(msgspec.json.encode(sorted(set(names))), digest_size=16).hexdigest()


def told_apart(page: Page) -> list[str]:
    """Return the items of the list on a page, those left out that have no key.

    Two rows without one may be equal to the last byte in a list at rest.
    """
    return [item for item in storable_all(page.items) if not item.startswith(NAMELESS)]


def lines_of(page: Page) -> list[str]:
    """Name the lines of a report on a page by all that they say.

    A line that comes again word for word is another one of the same kind, or the same one at another place.
    """
    if not _has_lines(page.records):
        return []
    return [
        f"{storable(record.key)}\n{hashlib.blake2b(record.raw, digest_size=16).hexdigest()}"
        for record in page.records
        if _is_line(record)
    ]


def _has_lines(rows: Sequence[Record | SentRow]) -> bool:
    """Tell whether any of these rows is a line of a report; most pages hold rows of one reader alone."""
    readers = {row.translator for row in rows if type(row) is SentRow}
    if any(reader.grain is Grain.REPORT_ROW for reader in readers):
        return True
    return any([_is_line(row) for row in rows if type(row) is not SentRow])


def _is_line(row: Record | SentRow) -> bool:
    if isinstance(row, SentRow):
        return row.translator.grain is Grain.REPORT_ROW
    return isinstance(row, Purchase) and row.grain is Grain.REPORT_ROW


def without_overlap(page: Page, seen: Mapping[str, int]) -> Page:
    """Return a page without its first item, which is the last one of the page before.

    :param seen: which names of the page stand on earlier ones.
    """
    first = storable(page.first_item or "")
    records, rejected = list(page.records), list(page.rejected)
    if found := [at for at, record in enumerate(records) if storable(record.key) == first]:
        del records[found[0]]
    elif found := [at for at, row in enumerate(rejected) if _is_item(row, first, seen)]:
        del rejected[found[0]]
    return msgspec.structs.replace(
        page, records=tuple(records), rejected=tuple(rejected), items=page.items[1:], overlap=False
    )


def _is_item(row: RejectedRow, item: str, seen: Mapping[str, int]) -> bool:
    # Without a key, the item's digest is not the row's name: that the row came before must do.
    nameless = row.key is None and item.startswith(NAMELESS)
    return name_of(row) == item or (nameless and name_of(row) in seen)


def number_doubles(
    records: Sequence[Record | SentRow], seen: Mapping[str, int]
) -> Sequence[Record | SentRow]:
    """Give report rows with the same key keys of their own: the second is ``<key>#2``, and so on.

    They are sums of different orders, so each counts; the order of the list keeps the numbers stable. Of
    orders with the same key the last form is the one that counts, so they stay as they are.

    :param seen: how often a key was in this list before.
    """
    if not _has_lines(records):
        return records
    counts = Counter(seen)
    numbered: list[Record | SentRow] = []
    for record in records:
        if _is_line(record):
            name = storable(record.key)
            counts[name] += 1
            if counts[name] > 1:
                record = msgspec.structs.replace(record, key=f"{record.key}#{counts[name]}")
        numbered.append(record)
    return numbered


def remember_pages(
    cursor: Cursor, step_id: int, part: str, page: int, names: Sequence[str], *, after: int | None
) -> bool:
    """Keep the names of pages until the unit ends.

    What is kept lives without a log of its own, which costs next to nothing, and is gone after a crash of
    the server.

    :param page: the number of the first one.
    :param after: the number that the names before were kept under.
    :return: ``False`` when those are gone.
    """
    cursor.execute(
        """
        INSERT INTO data_sync.sync_step_pages (step_id, slice, page, key_hashes)
        SELECT %(step)s, %(slice)s, %(page)s, COALESCE(array_agg(hashtextextended(n, 0)), '{}')
        FROM unnest(%(names)b::text[]) AS n
        HAVING %(after)s::integer IS NULL OR EXISTS (
            SELECT 1 FROM data_sync.sync_step_pages
            WHERE step_id = %(step)s AND slice = %(slice)s AND page = %(after)s)
        ON CONFLICT (step_id, slice, page) DO UPDATE SET key_hashes = excluded.key_hashes
        RETURNING page
        """,
        {"step": step_id, "slice": part, "page": page, "names": list(names), "after": after},
    )
    return cursor.fetchone() is not None


def are_remembered(cursor: Cursor, step_id: int, part: str, page: int) -> bool:
    """Tell whether the names that were kept under a page's number are still there."""
    cursor.execute(
        "SELECT 1 FROM data_sync.sync_step_pages WHERE step_id = %s AND slice = %s AND page = %s",
        [step_id, part, page],
    )
    return cursor.fetchone() is not None


def remembered(cursor: Cursor, step_id: int, part: str) -> Iterator[int]:
    """Iterate over the hashes of all names that are remembered of a slice."""
    cursor.execute(
        "SELECT key_hashes FROM data_sync.sync_step_pages WHERE step_id = %s AND slice = %s",
        [step_id, part],
        binary=True,
    )
    for row in cursor:
        yield from row["key_hashes"]


def hashes_of(cursor: Cursor, names: Sequence[str]) -> Sequence[int]:
    """Hash names as :func:`remember_pages` does."""
    cursor.execute(
        "SELECT array_agg(hashtextextended(name, 0) ORDER BY place) AS hashes "
        "FROM unnest(%b::text[]) WITH ORDINALITY AS n(name, place)",
        [names],
        binary=True,
    )
    found: list[int] | None = one(cursor.fetchone())["hashes"]
    return found or []


def count_before(cursor: Cursor, step_id: int, part: str, names: Sequence[str]) -> dict[str, int]:
    """Count how often each of these names stands on remembered pages; those that do not are left out."""
    # IS TRUE keeps the planner, which cannot know how many an array holds, from joining in nested loops: it
    # looks each hash up in one hash table of those that are asked for.
    cursor.execute(
        """
        WITH asked AS MATERIALIZED (
            SELECT DISTINCT n AS name, hashtextextended(n, 0) AS hash FROM unnest(%(names)s::text[]) AS n
        ),
        seen AS MATERIALIZED (
            SELECT hash, count(*) AS times FROM data_sync.sync_step_pages, unnest(key_hashes) AS hash
            WHERE step_id = %(step)s AND slice = %(slice)s AND (hash IN (SELECT hash FROM asked)) IS TRUE
            GROUP BY hash
        )
        SELECT name, times FROM asked JOIN seen USING (hash)
        """,
        {"step": step_id, "slice": part, "names": list(names)},
    )
    return {row["name"]: row["times"] for row in cursor}


def forget_pages(cursor: Cursor, step_id: int, part: str | None = None) -> None:
    """Drop the remembered names of a slice, or of the whole unit."""
    cursor.execute(
        "DELETE FROM data_sync.sync_step_pages WHERE step_id = %s AND slice = COALESCE(%s, slice)",
        [step_id, part],
    )
