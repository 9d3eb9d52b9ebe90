"""What running syncs do at this moment, and exactly what has changed since somebody last looked.

A row of a log or a step says in which transaction it was changed last. A :class:`Position` is the snapshot of
Postgres's transactions under which somebody has looked: what was changed in a transaction that the snapshot
does not show has changed since, whatever numbers the transactions have and in whatever order they were
committed. So a position that a caller gives back after a while misses nothing, and repeats nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data_sync.budgets import list_budgets
from data_sync.catalogue.belonging import SCHEDULES_WITH_GAPS
from data_sync.database import Cursor, one
from data_sync.ledger.settle import OPEN_LOG
from data_sync.looking.logs import FIELDS, FIGURES
from data_sync.looking.viewer import Viewer, sees_schedule

#: For how long a position can be given back, in seconds. Rows that were restored into another server name
#: transactions that are none of its own: only those that were changed lately can have changed since.
KEPT = 86_400
#: How many logs that have ended since are told at most.
MOST_ENDED = 500

#: How many transactions a position may lie back: one that is made up must not have all logs looked through.
_MOST_TRANSACTIONS = 5_000_000

#: Longer ones, where very many transactions were under way, are cut to what needs no list of them.
_LONGEST = 1_500
_POSITION = re.compile(r"([0-9]{1,12})-([0-9]{1,19}):([0-9]{1,19}):((?:[0-9]{1,19}(?:,[0-9]{1,19})*)?)")


@dataclass(frozen=True)
class Position:
    """Up to where somebody has seen.

    :param at: when, in seconds of the database's clock since 1970.
    :param snapshot: of Postgres's transactions, as ``pg_current_snapshot()`` writes it.
    """

    at: int
    snapshot: str

    def __str__(self) -> str:
        """Return the text that :meth:`parse` reads."""
        return f"{self.at}-{self.snapshot}"

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """Read a position that was given out; ``None`` for any other text."""
        found = _POSITION.fullmatch(text)
        if found is None:
            return None
        at, first, behind, under_way = found.groups()
        numbers = [int(number) for number in under_way.split(",") if number]
        # In order, and within: anything else is no snapshot to Postgres.
        is_whole = numbers == sorted({*numbers}) and all(int(first) <= n < int(behind) for n in numbers)
        if not is_whole or not 3 <= int(first) <= int(behind) < 2**63:
            return None
        # The lower half of a transaction's number is never zero, and Postgres takes no such text.
        if any(number % 2**32 == 0 for number in (int(first), int(behind), *numbers)):
            return None
        return cls(int(at), f"{int(first)}:{int(behind)}:{','.join(map(str, numbers))}")


@dataclass(frozen=True)
class Progress:
    """What was found.

    :param logs: each with ``limits``, a list of the account's :class:`data_sync.budgets.Budget`, and with
        ``seen_by``, the places (from 0) of the viewers who see it.
    :param steps: units of these logs, likewise.
    :param position: up to where this goes.
    :param is_whole: whether nothing is left out that has changed since the position that was given.
    """

    position: Position
    logs: Sequence[dict[str, Any]] = ()
    steps: Sequence[dict[str, Any]] = ()
    is_whole: bool = True


def begin(cursor: Cursor, viewer: Viewer, since: Position | None) -> Progress:
    """Return all running logs that a person sees, and those that have ended since a position of theirs.

    Is the first thing in its transaction, and so is :func:`changes`.
    """
    position = _look(cursor)
    is_known = since is not None and _is_ours(cursor, since, position)
    values = _values([viewer], since if is_known else position)
    logs = _logs(cursor, _OPEN_OR_ENDED if is_known else _OPEN, values)
    ended = [log for log in logs if log["status"] not in OPEN_LOG]
    steps = _steps(cursor, logs, "TRUE", values)
    is_whole = since is None or (is_known and len(ended) <= MOST_ENDED)
    return Progress(position, logs, steps, is_whole)


def changes(cursor: Cursor, viewers: Sequence[Viewer], since: Position | None) -> Progress:
    """Return what has changed since a position; with ``None``, only where to go on from."""
    position = _look(cursor)
    if since is None or not viewers:
        return Progress(position)
    values = _values(viewers, since)
    logs = _logs(cursor, _CHANGED_LOGS, values)
    return Progress(position, logs, _steps(cursor, logs, _STEP_CHANGED, values))


# The first condition is for the index; numbers that lie ahead are of another server.
_CHANGED = """
({0}.changed_in >= pg_snapshot_xmin(%(since)s::pg_snapshot)
 AND {0}.changed_in < pg_snapshot_xmax(pg_current_snapshot())
 AND NOT pg_visible_in_snapshot({0}.changed_in, %(since)s::pg_snapshot))
"""
_STEP_CHANGED = _CHANGED.format("s")

_OPEN = "SELECT l.id FROM data_sync.sync_logs l WHERE l.status IN ('pending', 'processing', 'held')"
_LATELY = f"""
SELECT l.id FROM data_sync.sync_logs l
WHERE {_CHANGED.format("l")} AND l.updated_at > clock_timestamp() - make_interval(secs => %(kept)s)
"""  # noqa: S608
_CHANGED_LOGS = f"""
{_LATELY} UNION SELECT s.log_id FROM ({_OPEN}) l JOIN data_sync.sync_log_steps s ON s.log_id = l.id
WHERE {_STEP_CHANGED}
"""  # noqa: S608

# The same as in the list of logs, for many people at once.
_SEEN_BY = f"""
ARRAY(SELECT (v.place - 1)::integer
      FROM unnest(%(names)s::text[], %(admins)s::boolean[]) WITH ORDINALITY AS v (name, is_admin, place)
      WHERE v.is_admin OR l.requested_by = v.name OR EXISTS (
          SELECT 1 FROM {SCHEDULES_WITH_GAPS} s
          WHERE s.key = l.schedule_key AND l.created_at >= s.created_at AND NOT l.created_at <@ s.gap
            AND {sees_schedule("v.name", "v.is_admin")}))
"""  # noqa: S608


# Those that the one viewer sees: the limit must not be used up by others.
_OPEN_OR_ENDED = f"""
{_OPEN} UNION (
    {_LATELY} AND l.status NOT IN ('pending', 'processing', 'held') AND cardinality({_SEEN_BY}) > 0
    ORDER BY l.id DESC LIMIT %(most)s)
"""


def _look(cursor: Cursor) -> Position:
    """Let all of this transaction see one and the same state; return which."""
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    row = one(
        cursor.execute(
            """
            SELECT floor(EXTRACT(EPOCH FROM clock_timestamp()))::bigint AS at, s::text AS snapshot,
                format('%s:%s:', pg_snapshot_xmin(s), pg_snapshot_xmin(s)) AS short
            FROM pg_current_snapshot() s
            """
        ).fetchone()
    )
    return Position(row["at"], row["snapshot"] if len(row["snapshot"]) < _LONGEST else row["short"])


def _is_ours(cursor: Cursor, since: Position, now: Position) -> bool:
    """Tell whether a position is of this server, and not too old."""
    row = cursor.execute(
        """
        SELECT pg_snapshot_xmax(s) <= newest
            AND newest::text::numeric - pg_snapshot_xmin(s)::text::numeric < %s AS is_past
        FROM CAST(%s AS pg_snapshot) s, pg_snapshot_xmax(pg_current_snapshot()) newest
        """,
        [_MOST_TRANSACTIONS, since.snapshot],
    ).fetchone()
    return bool(one(row)["is_past"]) and now.at - KEPT < since.at <= now.at


def _values(viewers: Sequence[Viewer], since: Position | None) -> dict[str, Any]:
    return {
        "names": [viewer.name for viewer in viewers],
        "admins": [viewer.is_admin for viewer in viewers],
        "since": since.snapshot if since else None,
        "kept": KEPT,
        "most": MOST_ENDED + 1,
    }


def _logs(cursor: Cursor, ids: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    cursor.execute(
        f"""
        SELECT * FROM (
            SELECT {FIELDS}, u.*, l.cancel_requested_by, l.cancel_requested_at, {_SEEN_BY} AS seen_by
            FROM data_sync.sync_logs l {FIGURES}
            CROSS JOIN LATERAL (
                SELECT count(*) AS units, count(s.finished_at) AS units_ended,
                    COALESCE(sum(s.pages), 0)::bigint AS pages
                FROM data_sync.sync_log_steps s WHERE s.log_id = l.id) u
            WHERE l.id IN ({ids})) found
        WHERE cardinality(seen_by) > 0 ORDER BY id
        """,  # noqa: S608
        values,
    )
    logs = cursor.fetchall()
    budgets = list_budgets(cursor, sorted({log["account"] for log in logs})) if logs else []
    for log in logs:
        log["limits"] = [budget for budget in budgets if budget.account == log["account"]]
    return logs


def _steps(
    cursor: Cursor, logs: Sequence[dict[str, Any]], condition: str, values: dict[str, Any]
) -> list[dict[str, Any]]:
    if not logs:
        return []
    seen_by = {log["id"]: log["seen_by"] for log in logs}
    cursor.execute(
        f"""
        SELECT s.log_id, s.unit_index, s.kind, s.label, s.status, COALESCE(s.error ->> 'message', s.reason)
            AS reason, s.waiting_until, s.tries, s.pages, s.items_expected, s.requests,
            s.waited_seconds::float8 AS waited_seconds, s.rows_read, s.rows_inserted, s.rows_updated,
            s.rows_unchanged, s.rows_outdated, s.rows_rejected, s.rows_vanished, s.is_complete, s.started_at,
            s.finished_at
        FROM data_sync.sync_log_steps s WHERE s.log_id = ANY(%(logs)s) AND {condition}
        ORDER BY s.log_id, s.unit_index
        """,  # noqa: S608
        {**values, "logs": [*seen_by]},
    )
    return [{**row, "seen_by": seen_by[row["log_id"]]} for row in cursor]
