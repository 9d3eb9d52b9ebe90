"""Whose is what was done under a key: a key may pass from one schedule to another, and back."""

from __future__ import annotations

from data_sync.catalogue.stored import StoredSchedule, find
from data_sync.database import Cursor

#: All schedules, deleted ones too, of which each has a ``gap``: a span of time in which its key was
#: the other source's. The logs of a key from ``created_at`` on are the schedule's own, but for those.
SCHEDULES_WITH_GAPS = """
(SELECT k.key, k.source, k.owner, k.definition, k.created_at,
    CASE WHEN o.key IS NULL THEN 'empty'
         WHEN k.source = 'postgres' THEN tstzrange(LEAST(o.created_at, o.deleted_at), CASE
             WHEN o.deleted_at < COALESCE(k.deleted_at, 'infinity') THEN o.deleted_at END)
         WHEN k.deleted_at < COALESCE(o.deleted_at, 'infinity') THEN tstzrange(k.deleted_at, NULL)
         ELSE 'empty' END AS gap
 FROM data_sync.sync_schedules k
 LEFT JOIN data_sync.sync_schedules o ON o.key = k.key AND o.source <> k.source)
"""


def find_own(cursor: Cursor, key: str, log: int) -> StoredSchedule | None:
    """Return the schedule in force of a key if a log is its own, and not that of another one before it."""
    entry = find(cursor, key)
    if entry is None:
        return None
    cursor.execute(
        f"SELECT 1 FROM {SCHEDULES_WITH_GAPS} s, data_sync.sync_logs l WHERE l.id = %s AND s.key = %s "  # noqa: S608
        "AND s.source = %s AND l.schedule_key = s.key AND l.created_at >= s.created_at "
        "AND NOT l.created_at <@ s.gap",
        [log, key, entry.source],
    )
    return entry if cursor.fetchone() else None
