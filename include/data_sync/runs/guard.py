"""``max_runs_per_day``: an atomic claim, once per run, for a calendar day of the database's clock (law 8).

There is no counter: the claims of a day are the rows of ``sync_runs`` that hold one. A claim is judged
at a run's first ``open_run`` and kept when the run is retried or cleared.
"""

from __future__ import annotations

from data_sync.database import Cursor, one
from data_sync.runs.lookup import StoredRun
from data_sync.runs.request import RunKind, RunRequest
from data_sync.schedules.model import Schedule


def claim(cursor: Cursor, run: int, request: RunRequest) -> str | None:
    """Claim a run of today's allowance; return the refusal in plain words, or ``None`` when it may run.

    Simultaneous claims of one schedule are counted one after another: a lock that ends with the
    transaction lines them up, also where the catalogue has no row for the schedule.
    """
    return _claim(cursor, run, request.schedule_key, request.kind, request.schedule)


def claim_again(cursor: Cursor, run: StoredRun) -> str | None:
    """Judge a run anew whose claim was given back, when one of its units is cleared; see :func:`claim`."""
    if run.guard != "given_back":
        return None
    return _claim(cursor, run.id, run.schedule_key, RunKind(run.kind), run.schedule)


def _claim(
    cursor: Cursor, run: int, schedule_key: str | None, kind: RunKind, schedule: Schedule
) -> str | None:
    counted = kind.is_counted or (kind is RunKind.BACKFILL and schedule.backfills_count)
    if schedule_key is None or not counted or schedule.max_runs_per_day is None:
        return None
    values = {
        "key": schedule_key,
        "zone": schedule.timezone,
        "run": run,
        "most": schedule.max_runs_per_day,
    }
    cursor.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('max_runs_per_day ' || %(key)s, 0))", values
    )
    row = one(
        cursor.execute(
            """
            WITH today AS (SELECT (clock_timestamp() AT TIME ZONE %(zone)s)::date AS day),
            used AS (
                SELECT count(*) AS runs FROM data_sync.sync_runs r, today
                WHERE r.schedule_key = %(key)s AND r.guard = 'claimed' AND r.guard_day = today.day
                  AND r.id <> %(run)s
            )
            UPDATE data_sync.sync_runs r SET guard_day = today.day,
                guard = CASE WHEN used.runs < %(most)s THEN 'claimed' ELSE 'refused' END
            FROM today, used WHERE r.id = %(run)s
            RETURNING r.guard, r.guard_day, used.runs
            """,
            values,
        ).fetchone()
    )
    if row["guard"] == "claimed":
        return None
    return (
        f"max_runs_per_day is {schedule.max_runs_per_day}, and {row['runs']} runs have already started on "
        f"{row['guard_day']} ({schedule.timezone}). The next ones start after midnight there, or raise the "
        "limit in the schedule."
    )


def give_back(cursor: Cursor, run: int) -> None:
    """Return the claim of a run that ended without a single request to a network."""
    cursor.execute(
        """
        UPDATE data_sync.sync_runs r SET guard = 'given_back'
        WHERE r.id = %s AND r.guard = 'claimed' AND NOT EXISTS (
            SELECT 1 FROM data_sync.sync_log_steps s JOIN data_sync.sync_logs l ON l.id = s.log_id
            WHERE l.sync_run = r.id AND s.requests > 0)
        """,
        [run],
    )
