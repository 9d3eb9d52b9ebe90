"""The lease of a schedule: at most one of its runs works at a time (law 9).

``open_run`` takes it, and so does every unit when its task starts: a unit that somebody clears long after
its run was over, or that goes on after a pause, waits for a run that is going meanwhile. Settling gives it
back.
"""

from __future__ import annotations

from typing import Any

from data_sync.database import Cursor, one


class RunWaitsError(Exception):
    """Raised when another run of the same schedule is still going: ask again later, holding nothing."""

    def __init__(self, held_by: int, holder: str) -> None:
        self.held_by = held_by
        super().__init__(f"The previous run {holder} of this schedule is still going.")


# A run of which nothing works any more, because a pause holds all that is left of it, keeps nobody waiting.
_CLAIM = """
INSERT INTO data_sync.schedule_leases AS e (schedule_key, sync_run) VALUES (%(key)s, %(run)s)
ON CONFLICT (schedule_key) DO UPDATE SET sync_run = excluded.sync_run, claimed_at = clock_timestamp()
WHERE e.sync_run <> excluded.sync_run
  AND (EXISTS (SELECT 1 FROM data_sync.sync_runs r WHERE r.id = e.sync_run AND r.state = 'closed')
       OR (SELECT bool_or(l.status = 'held') AND NOT bool_or(l.status IN ('pending', 'processing'))
           FROM data_sync.sync_logs l WHERE l.sync_run = e.sync_run))
"""


def claim(cursor: Cursor, run: int, schedule_key: str | None) -> dict[str, Any] | None:
    """Take the schedule's lease; return the run that holds it (id, run_id), or ``None`` when it is ours."""
    if schedule_key is None:
        return None
    cursor.execute(_CLAIM, {"key": schedule_key, "run": run})
    row = one(
        cursor.execute(
            """
            SELECT r.id, r.run_id FROM data_sync.schedule_leases e
            JOIN data_sync.sync_runs r ON r.id = e.sync_run WHERE e.schedule_key = %s
            """,
            [schedule_key],
        ).fetchone()
    )
    return None if row["id"] == run else row
