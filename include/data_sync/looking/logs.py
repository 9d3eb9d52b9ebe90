"""The list of logs: newest first, at the same cost with thousands of logs and with millions.

Where few logs match, they are all found, counted and sorted. Where many do, the list is walked in its order,
a stretch of it per page: a page may then hold fewer entries than asked for, even none, while the list goes
on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg

from data_sync.database import Cursor, one
from data_sync.looking.log_filters import Conditions, LogFilter, conditions
from data_sync.looking.viewer import Viewer

#: Up to this many of the planner's units of cost, all that matches is found: some ten milliseconds.
_CHEAP = 1_500
#: What a page costs the planner here: it would believe that each comes from a disk, and so take a few
#: thousand logs for more expensive than a look at a million in memory.
_PAGE_COST = "0.1"
#: And when it takes longer than this after all, the list is walked.
_QUICK = "100ms"
#: Of words that more logs have, each log is asked instead of the index of words.
_FREQUENT = 20_000
#: How many logs one page looks at, at most: where an index alone can judge them, and where words are read.
STRETCH, STRETCH_OF_TEXT = 25_000, 10_000


@dataclass(frozen=True)
class Mark:
    """A place in the list: what follows is older."""

    at: datetime
    id: int


@dataclass(frozen=True)
class LogPage:
    """A part of the list.

    :param total: how many there are in all.
    :param is_estimate: whether that is the planner's estimate: counting would read them all.
    :param next: where the rest begins; ``None`` at the end.
    """

    rows: Sequence[dict[str, Any]]
    total: int
    is_estimate: bool
    next: Mark | None


#: What an entry says, of a log ``l`` with its figures.
FIELDS = """
l.id, l.sync_run, l.account, l.network, l.schedule_key, l.schedule_name, l.kind AS trigger, l.sync_type,
l.requested_by, l.status, COALESCE(l.error ->> 'message', l.reason) AS reason, l.created_at, l.started_at,
l.finished_at, f.*
"""

# What a log has done is in its steps: its own sums are made when the run is settled.
FIGURES = """
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(s.rows_read), 0)::bigint AS rows_read,
        COALESCE(sum(s.rows_inserted), 0)::bigint AS rows_inserted,
        COALESCE(sum(s.rows_updated), 0)::bigint AS rows_updated,
        COALESCE(sum(s.rows_unchanged), 0)::bigint AS rows_unchanged,
        COALESCE(sum(s.rows_vanished), 0)::bigint AS rows_vanished,
        COALESCE(sum(s.rows_rejected), 0)::bigint AS rows_rejected,
        COALESCE(sum(s.requests), 0)::bigint AS requests,
        COALESCE(sum(s.waited_seconds), 0)::float8 AS waited_seconds, COALESCE(max(s.tries), 0) AS tries
    FROM data_sync.sync_log_steps s WHERE s.log_id = l.id
) f
"""

_NEWEST_FIRST = "ORDER BY l.created_at DESC, l.id DESC"
_AFTER = "(l.created_at, l.id) < (%(mark_at)s, %(mark_id)s)"


def list_page(
    cursor: Cursor, viewer: Viewer, wanted: LogFilter, *, after: Mark | None, limit: int
) -> LogPage:
    """Return a part of the logs that a person sees, newest first.

    :param after: where the part before it has ended.
    """
    if after is not None and wanted.before is not None and wanted.before <= after.at:
        # All that is asked for is older: Postgres would begin at the place and look at all in between.
        after = None
    found = _weighed(cursor, conditions(cursor, viewer, wanted))
    rows, cost = _estimate(cursor, found.all, found.values)
    page = _whole(cursor, found, after, limit) if cost <= _CHEAP else None
    return page or _walk(cursor, found, after, limit, total=rows)


def _whole(cursor: Cursor, found: Conditions, after: Mark | None, limit: int) -> LogPage | None:
    """Find all that matches; ``None`` when that takes longer than the planner had expected."""
    begin = f"WHERE {_AFTER}" if after else ""
    try:
        with _within(cursor, statement_timeout=_QUICK, random_page_cost=_PAGE_COST, seq_page_cost=_PAGE_COST):
            found_rows = cursor.execute(
                "WITH found AS MATERIALIZED (SELECT l.id, l.created_at FROM data_sync.sync_logs l "  # noqa: S608
                f"WHERE {found.all}), page AS MATERIALIZED (SELECT l.id FROM found l {begin} {_NEWEST_FIRST} "
                "LIMIT %(limit)s) SELECT (SELECT count(*) FROM found) AS total, p.* FROM (SELECT) always "
                f"LEFT JOIN (SELECT {FIELDS} FROM page JOIN data_sync.sync_logs l ON l.id = page.id "
                f"{FIGURES}) p ON true ORDER BY p.created_at DESC, p.id DESC",
                {**found.values, **_marked(after), "limit": limit + 1},
            ).fetchall()
    except psycopg.errors.QueryCanceled:
        return None
    total = found_rows[0]["total"]
    page = [row for row in found_rows if row["id"] is not None]
    return LogPage(page[:limit], total, False, _mark(page[limit - 1]) if page[limit:] else None)


@contextmanager
def _within(cursor: Cursor, **settings: str) -> Iterator[None]:
    """Have a block run under other settings of the server, and all that follows under those from before."""
    with cursor.connection.transaction():
        before = cursor.execute(
            "SELECT name, current_setting(name) AS value FROM unnest(%s::text[]) name", [list(settings)]
        ).fetchall()
        _set(cursor, settings)
        yield
        _set(cursor, {row["name"]: row["value"] for row in before})


def _set(cursor: Cursor, settings: Mapping[str, str]) -> None:
    cursor.execute(
        "SELECT set_config(name, value, true) FROM unnest(%s::text[], %s::text[]) s (name, value)",
        [list(settings), list(settings.values())],
    )


def walk_page(cursor: Cursor, viewer: Viewer, wanted: LogFilter, after: Mark | None, limit: int) -> LogPage:
    """Return a part of the list without counting it: for who reads all of it."""
    return _walk(cursor, conditions(cursor, viewer, wanted), after, limit, total=0)


def count_up_to(cursor: Cursor, viewer: Viewer, wanted: LogFilter, most: int) -> int:
    """Count the logs, and stop at ``most``."""
    found = conditions(cursor, viewer, wanted)
    cursor.execute(
        f"SELECT count(*) AS total FROM (SELECT 1 FROM data_sync.sync_logs l WHERE {found.all} "  # noqa: S608
        "LIMIT %(most)s) found",
        {**found.values, "most": most},
    )
    return int(one(cursor.fetchone())["total"])


def _walk(cursor: Cursor, found: Conditions, after: Mark | None, limit: int, *, total: int) -> LogPage:
    begin = f"AND {_AFTER}" if after else ""
    stretch = f"FROM data_sync.sync_logs l WHERE {found.time} {begin} {_NEWEST_FIRST}"
    ids = (
        f"SELECT l.id, l.created_at FROM (SELECT l.id, l.created_at, ({found.others}) AS fits {stretch} "  # noqa: S608
        "LIMIT %(stretch)s) l WHERE l.fits"
    )
    page = _rows(cursor, ids, found, after, limit)
    if len(page) > limit:
        return LogPage(page[:limit], total, True, _mark(page[limit - 1]))
    last = cursor.execute(
        f"SELECT l.id, l.created_at {stretch} OFFSET %(last)s LIMIT 1",
        {**found.values, **_marked(after), "last": _stretch(found) - 1},
    ).fetchone()
    if last is None and after is None:
        # That was the whole list.
        return LogPage(page, len(page), False, None)
    return LogPage(page, total, True, _mark(last) if last else None)


def _rows(
    cursor: Cursor, ids: str, found: Conditions, after: Mark | None, limit: int
) -> list[dict[str, Any]]:
    """Return the entries of a page and one more, if there is one."""
    begin = f"WHERE {_AFTER}" if after else ""
    return cursor.execute(
        f"WITH page AS MATERIALIZED (SELECT l.id FROM ({ids}) l {begin} {_NEWEST_FIRST} "  # noqa: S608
        f"LIMIT %(limit)s) SELECT {FIELDS} FROM page JOIN data_sync.sync_logs l ON l.id = page.id "
        f"{FIGURES} {_NEWEST_FIRST}",
        {**found.values, **_marked(after), "limit": limit + 1, "stretch": _stretch(found)},
    ).fetchall()


def _weighed(cursor: Cursor, found: Conditions) -> Conditions:
    """Keep words that many logs have from being looked up in the index of words.

    It would gather all of those logs before anything else is looked at, and the planner takes that for cheap.
    """
    if "text" not in found.values:
        return found
    rows, _ = _estimate(cursor, found.text, found.values)
    return replace(found, text=f"({found.text}) IS TRUE") if rows > _FREQUENT else found


def _estimate(cursor: Cursor, wanted: str, values: Mapping[str, Any]) -> tuple[int, float]:
    """Return how many logs the planner expects to match, and what it takes to find them all."""
    with _within(cursor, random_page_cost=_PAGE_COST, seq_page_cost=_PAGE_COST):
        cursor.execute(
            f"EXPLAIN (FORMAT JSON) SELECT l.id, l.created_at FROM data_sync.sync_logs l WHERE {wanted}",  # noqa: S608
            values,
        )
        plan = one(cursor.fetchone())["QUERY PLAN"][0]["Plan"]
    return int(plan["Plan Rows"]), float(plan["Total Cost"])


def _stretch(found: Conditions) -> int:
    return STRETCH_OF_TEXT if "text" in found.values else STRETCH


def _mark(row: dict[str, Any]) -> Mark:
    return Mark(row["created_at"], row["id"])


def _marked(after: Mark | None) -> dict[str, Any]:
    return {"mark_at": after.at, "mark_id": after.id} if after else {}
