"""Which logs are asked for, and which of them a person sees (law 19), as conditions on a row ``l``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data_sync.catalogue.belonging import SCHEDULES_WITH_GAPS
from data_sync.database import Cursor
from data_sync.looking.viewer import SEES_SCHEDULE, Viewer


@dataclass(frozen=True)
class LogFilter:
    """What is asked for, all of it together; what is ``None`` does not matter.

    :param schedule: a schedule's key.
    :param without_schedule: only logs of quick syncs and checks, which belong to no schedule.
    :param trigger: how the run came about, one of :class:`data_sync.runs.request.RunKind`.
    :param since: not before this moment (aware).
    :param before: before this moment (aware).
    :param text: words, all of which the log has; the last one may be the beginning of one.
    """

    network: str | None = None
    account: str | None = None
    status: str | None = None
    schedule: str | None = None
    without_schedule: bool = False
    sync_type: str | None = None
    trigger: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    text: str | None = None


@dataclass(frozen=True)
class Conditions:
    """A filter in SQL.

    :param time: between which moments.
    :param filters: what is looked at in each row, all of it in the index by time.
    :param text: which words it must have, where that matters.
    """

    time: str
    filters: str
    values: dict[str, Any]
    text: str = "true"

    @property
    def others(self) -> str:
        """All but the time."""
        return f"{self.filters} AND {self.text}"

    @property
    def all(self) -> str:
        """All of them together."""
        return f"{self.time} AND {self.others}"


# The signs that the column's own words are cut at; what is left of the last word finds what begins with it.
_TEXT = """
l.words @@ (NULLIF(plainto_tsquery('simple', translate(%(text)s, '-_.,:;/@''"()', '            '))::text, '')
            || ':*')::tsquery
"""

_EQUAL = ("schedule", "account", "network", "status", "sync_type", "trigger")
_COLUMNS = {"schedule": "schedule_key", "trigger": "kind"}


def conditions(cursor: Cursor, viewer: Viewer, wanted: LogFilter) -> Conditions:
    """Return the conditions on the logs that are asked for and that this person sees."""
    asked = [name for name in _EQUAL if getattr(wanted, name) is not None]
    values = {name: getattr(wanted, name) for name in asked}
    others = [f"l.{_COLUMNS.get(name, name)} = %({name})s" for name in asked]
    if wanted.without_schedule:
        others.append("l.schedule_key IS NULL")
    time = []
    if wanted.since is not None:
        time.append("l.created_at >= %(since)s")
        values["since"] = wanted.since
    if wanted.before is not None:
        time.append("l.created_at < %(before)s")
        values["before"] = wanted.before
    if wanted.text is not None:
        values["text"] = wanted.text
    if not viewer.is_admin:
        seen, theirs = _seen(cursor, viewer)
        others.append(seen)
        values |= theirs
    text = _TEXT if wanted.text is not None else "true"
    return Conditions(" AND ".join(time) or "true", " AND ".join(others) or "true", values, text)


# Of a key that was somebody else's before, or was another source's meanwhile, those logs are not theirs.
_SEEN = """
(l.requested_by = %(viewer)s
 OR (l.schedule_key = ANY(%(keys)s) AND l.created_at >= (%(made)s::jsonb ->> l.schedule_key)::timestamptz{}))
"""
_NOT_IN_GAP = """
     AND (l.created_at <@ (%(gaps)s::jsonb ->> l.schedule_key)::tstzrange) IS NOT TRUE
"""


def _seen(cursor: Cursor, viewer: Viewer) -> tuple[str, dict[str, Any]]:
    """Return the condition on a log that a person sees, with its values.

    They are the schedules' keys that a person sees or has deleted, and since when these are theirs. Who sees
    what both sources had under a key sees all of it.
    """
    cursor.execute(
        f"""
        SELECT s.key, min(s.created_at) AS created_at,
            CASE WHEN count(*) = 1 AND NOT bool_or(isempty(s.gap)) THEN min(s.gap::text) END AS gap
        FROM {SCHEDULES_WITH_GAPS} s WHERE {SEES_SCHEDULE} GROUP BY s.key ORDER BY s.key
        """,  # noqa: S608
        viewer.values,
    )
    found = cursor.fetchall()
    values = {
        "viewer": viewer.name,
        "keys": [row["key"] for row in found],
        "made": json.dumps({row["key"]: row["created_at"].isoformat() for row in found}),
    }
    gaps = {row["key"]: row["gap"] for row in found if row["gap"] is not None}
    if not gaps:
        return _SEEN.format(""), values
    return _SEEN.format(_NOT_IN_GAP), {**values, "gaps": json.dumps(gaps)}
