"""Settling: a log's status follows from its steps, and nothing stays open for ever (law 10).

``settle`` may be called by anyone, any number of times: by ``close_run``, by the schedule's next
``open_run``, by upkeep. A step that did not write its own end is closed only when Airflow says that
its task, or the whole run, has ended. A pause ends nothing: what it holds back is shown as held.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from data_sync.database import Cursor, Database
from data_sync.runs import guard
from data_sync.runs.lookup import StoredRun
from data_sync.schedules.accounts import AccountRef

#: Airflow's words for a task that will not run any more by itself.
_ENDED_TASK = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
_ENDED_RUN = frozenset({"success", "failed"})
#: Words for a task whose process runs or is about to.
_MOVING_TASK = frozenset({"running", "queued", "restarting"})
#: A log that is not over yet.
OPEN_LOG = ("pending", "processing", "held")
#: A unit that is over.
ENDED_STEP = ("completed", "failed", "skipped", "superseded", "cancelled")

_WHY = {
    "failed": "The task ended without finishing: it was killed, marked as failed, or its machine went away.",
    "upstream_failed": "The task never started, because one before it failed: its log in Airflow says why.",
    "skipped": "The task was skipped.",
    "removed": "The task is gone from the DAG.",
    "success": "Airflow counts the task as successful, but it has not read this unit to its end: somebody "
    "marked it so, or cleared open_run alone.",
}
_RUN_GONE = "The Airflow run was deleted before this unit had finished."
_RUN_OVER = "The Airflow run ended before this unit had finished."
_HELD = "held by pause: the DAG is paused, so nothing more of this run starts. Unpause it, and it goes on."


class AirflowView(Protocol):
    """What settling asks Airflow; a task, the api-server and tests each answer in their own way."""

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        """Return the DAG run's state, or ``None`` when the run does not exist any more."""

    def task_states(self, dag_id: str, run_id: str) -> Mapping[str, str | None]:
        """Return the state of each task instance, by task id, with ``_<map index>`` when it is mapped."""

    def is_paused(self, dag_id: str) -> bool:
        """Tell whether the DAG is paused: Airflow then starts no task of its runs."""


@dataclass(frozen=True)
class Settled:
    """The outcome: whether the run is closed now, and which reads were complete."""

    is_closed: bool
    has_just_closed: bool
    """Whether it was this call that closed it: of all who settle a run, one tells people how it ended."""
    statuses: Mapping[str, str]
    """Account to the log's status."""
    complete: tuple[tuple[str, str], ...]
    """Pairs of account and kind that were read completely."""


@dataclass
class _Findings:
    """What Airflow says about the open steps of a run."""

    verdicts: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Step to the status it ends with and the reason."""
    held: set[str] = field(default_factory=set)
    """Accounts whose open steps wait for nothing but the end of a pause."""


def settle(db: Database, run: StoredRun, airflow: AirflowView) -> Settled:
    """Close what has ended, derive every log's status, and close the run when all logs have ended."""
    with db.transaction() as cursor:
        open_steps = _open_steps(cursor, run.id)
    # Airflow is asked outside the transaction: its answer may take a while.
    found = _ask(run, open_steps, airflow) if open_steps else _Findings()
    with db.transaction() as cursor:
        cursor.execute("SELECT 1 FROM data_sync.sync_runs WHERE id = %s FOR UPDATE", [run.id])
        for step in open_steps:
            if step["id"] in found.verdicts:
                _close_step(cursor, step, *found.verdicts[step["id"]])
        _derive_logs(cursor, run.id)
        _show_held(cursor, run.id, found.held)
        statuses = _statuses(cursor, run.id)
        is_closed = all(status not in OPEN_LOG for status in statuses.values())
        has_just_closed = is_closed and _close_run(cursor, run.id)
        return Settled(is_closed, has_just_closed, statuses, _complete_pairs(cursor, run.id))


def conclude(cursor: Cursor, run: int, log: int) -> None:
    """Let a log's status follow from its steps at once; the run is closed by who settles it.

    The caller has locked the run's row.
    """
    _derive_logs(cursor, run, log)


def _close_run(cursor: Cursor, run: int) -> bool:
    """Close the run; tell whether it was open until now."""
    guard.give_back(cursor, run)
    cursor.execute(
        "UPDATE data_sync.sync_runs SET state = 'closed', closed_at = clock_timestamp() "
        "WHERE id = %s AND state = 'open'",
        [run],
    )
    was_open = cursor.rowcount == 1
    cursor.execute("DELETE FROM data_sync.schedule_leases WHERE sync_run = %s", [run])
    # Its DAG need no longer have what only this run had: a group, or itself where its schedule was deleted.
    cursor.execute(
        """
        UPDATE data_sync.catalogue_state SET revision = revision + 1 WHERE EXISTS (
            SELECT 1 FROM data_sync.sync_runs r
            LEFT JOIN data_sync.sync_schedules s ON s.key = r.schedule_key AND s.deleted_at IS NULL
            WHERE r.id = %s AND r.dag_id = 'sync__' || r.schedule_key
              AND s.definition -> 'networks' IS DISTINCT FROM r.definition -> 'networks')
        """,
        [run],
    )
    return was_open


def _show_held(cursor: Cursor, run: int, accounts: set[str]) -> None:
    if accounts:
        cursor.execute(
            "UPDATE data_sync.sync_logs SET status = 'held', reason = %s, updated_at = clock_timestamp() "
            "WHERE sync_run = %s AND account = ANY(%s) AND status IN ('pending', 'processing')",
            [_HELD, run, list(accounts)],
        )


def _open_steps(cursor: Cursor, run: int) -> list[dict[str, Any]]:
    return cursor.execute(
        """
        SELECT s.id, s.unit_index, s.holder, l.account FROM data_sync.sync_log_steps s
        JOIN data_sync.sync_logs l ON l.id = s.log_id
        WHERE l.sync_run = %s AND s.status <> ALL(%s) AND l.status <> 'skipped'
        """,
        [run, list(ENDED_STEP)],
    ).fetchall()


def _ask(run: StoredRun, open_steps: list[dict[str, Any]], airflow: AirflowView) -> _Findings:
    found = _Findings()
    state = airflow.run_state(run.dag_id, run.run_id)
    if state is None:
        found.verdicts = {step["id"]: ("cancelled", _RUN_GONE) for step in open_steps}
        return found
    tasks = airflow.task_states(run.dag_id, run.run_id)
    moving = set()
    for step in open_steps:
        task = f"{AccountRef.from_conn_id(step['account']).group_id}.sync"
        # A mapped task that never got as far as being expanded has a single instance without an index.
        now = tasks.get(f"{task}_{step['unit_index']}", tasks.get(task))
        if now in _ENDED_TASK:
            found.verdicts[step["id"]] = ("failed", _WHY[now])
        elif state in _ENDED_RUN:
            found.verdicts[step["id"]] = ("failed", _RUN_OVER)
        elif now in _MOVING_TASK:
            moving.add(step["account"])
    left = {step["account"] for step in open_steps if step["id"] not in found.verdicts} - moving
    if left and airflow.is_paused(run.dag_id):
        found.held = left
    return found


def _close_step(cursor: Cursor, step: Mapping[str, Any], status: str, reason: str) -> None:
    """End a step from outside; whoever still holds it can write nothing any more.

    A step that another try has taken since Airflow was asked is not what the answer was about.
    """
    cursor.execute(
        """
        UPDATE data_sync.sync_log_steps SET lease_until = NULL, waiting_until = NULL,
            holder = CASE WHEN cancelled_by IS NOT NULL THEN holder END,
            status = CASE WHEN cancelled_by IS NULL THEN %(status)s ELSE 'cancelled' END,
            reason = COALESCE('cancelled by ' || cancelled_by, %(reason)s),
            error = CASE WHEN cancelled_by IS NULL THEN COALESCE(error, %(error)s::jsonb) END,
            finished_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE id = %(id)s AND status <> ALL(%(ended)s) AND holder IS NOT DISTINCT FROM %(holder)s
        """,
        {
            "id": step["id"],
            "holder": step["holder"],
            "status": status,
            "reason": reason,
            "ended": list(ENDED_STEP),
            "error": json.dumps(
                {"verdict": "ended from outside", "message": f"{reason} Clear the task in Airflow to go on."}
            ),
        },
    )


# Rows, requests and tries of a log are always the sums of its steps; its status follows from theirs.
_DERIVE = """
WITH sums AS (
    SELECT s.log_id,
        bool_or(s.status IN ('processing', 'waiting', 'retrying')) AS any_working,
        bool_or(s.status = 'pending') AS any_pending,
        bool_or(s.status = 'failed') AS any_failed,
        bool_or(s.status = 'cancelled') AS any_cancelled,
        bool_or(s.status = 'superseded') AS any_superseded,
        bool_or(s.status = 'completed') AS any_completed,
        max(s.tries) AS tries, sum(s.requests) AS requests, sum(s.waited_seconds) AS waited,
        sum(s.requests) FILTER (WHERE s.sweep IS NOT NULL) AS sweep_requests,
        min(s.started_at) AS started_at, max(s.finished_at) AS finished_at,
        (array_agg(s.error ORDER BY s.status = 'failed' DESC, s.status = 'cancelled' DESC, s.unit_index)
            FILTER (WHERE s.error IS NOT NULL))[1] AS error,
        (array_agg(s.reason ORDER BY s.status = 'failed' DESC, s.status = 'cancelled' DESC, s.unit_index)
            FILTER (WHERE s.reason IS NOT NULL))[1] AS reason
    FROM data_sync.sync_log_steps s JOIN data_sync.sync_logs l ON l.id = s.log_id
    WHERE l.sync_run = %(run)s AND l.status <> 'skipped'
      AND l.id = COALESCE(%(log)s::bigint, l.id) GROUP BY s.log_id
),
per_kind AS (
    SELECT s.log_id, s.kind, jsonb_build_object('read', sum(s.rows_read), 'inserted', sum(s.rows_inserted),
        'updated', sum(s.rows_updated), 'unchanged', sum(s.rows_unchanged), 'outdated', sum(s.rows_outdated),
        'rejected', sum(s.rows_rejected), 'vanished', sum(s.rows_vanished)) AS figures
    FROM data_sync.sync_log_steps s JOIN data_sync.sync_logs l ON l.id = s.log_id
    WHERE l.sync_run = %(run)s AND l.kind <> 'check' GROUP BY s.log_id, s.kind
),
counts AS (SELECT log_id, jsonb_object_agg(kind, figures) AS counts FROM per_kind GROUP BY log_id),
warned AS (
    SELECT log_id, jsonb_agg(DISTINCT warning) AS warnings
    FROM data_sync.sync_log_steps s JOIN data_sync.sync_logs l ON l.id = s.log_id,
         jsonb_array_elements(s.warnings) AS warning
    WHERE l.sync_run = %(run)s GROUP BY log_id
)
UPDATE data_sync.sync_logs l SET
    status = CASE
        WHEN sums.any_working OR (sums.any_pending AND sums.started_at IS NOT NULL) THEN 'processing'
        WHEN sums.any_pending THEN 'pending'
        WHEN sums.any_failed THEN 'failed' WHEN sums.any_cancelled THEN 'cancelled'
        WHEN sums.any_superseded THEN 'superseded' WHEN sums.any_completed THEN 'completed'
        ELSE 'skipped' END,
    tries = sums.tries, requests = sums.requests, waited_seconds = sums.waited,
    counts = COALESCE(counts.counts, '{}'), warnings = COALESCE(warned.warnings, '[]'),
    metadata = CASE WHEN sums.sweep_requests IS NULL THEN l.metadata ELSE jsonb_set(l.metadata, '{sweep}',
        COALESCE(l.metadata -> 'sweep', '{}') || jsonb_build_object('requests', sums.sweep_requests)) END,
    error = sums.error, reason = sums.reason, started_at = sums.started_at,
    finished_at = CASE WHEN sums.any_working OR sums.any_pending THEN NULL ELSE sums.finished_at END,
    updated_at = clock_timestamp()
FROM sums LEFT JOIN counts USING (log_id) LEFT JOIN warned USING (log_id)
WHERE l.id = sums.log_id
"""


def _derive_logs(cursor: Cursor, run: int, log: int | None = None) -> None:
    cursor.execute(_DERIVE, {"run": run, "log": log})
    # A log without any unit (a backfill of catalogues alone) has nothing to do.
    cursor.execute(
        """
        UPDATE data_sync.sync_logs l SET status = 'skipped', reason = 'There was nothing to read.',
            finished_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE l.sync_run = %s AND l.status = 'pending'
          AND NOT EXISTS (SELECT 1 FROM data_sync.sync_log_steps s WHERE s.log_id = l.id)
        """,
        [run],
    )


def _statuses(cursor: Cursor, run: int) -> dict[str, str]:
    cursor.execute("SELECT account, status FROM data_sync.sync_logs WHERE sync_run = %s", [run])
    return {row["account"]: row["status"] for row in cursor}


# A superseded unit is as complete as the log that was newer (law 12).
_COMPLETE = """
SELECT l.account, s.kind FROM data_sync.sync_log_steps s JOIN data_sync.sync_logs l ON l.id = s.log_id
WHERE l.sync_run = %s AND l.status <> 'skipped' AND s.status <> 'skipped'
GROUP BY l.account, s.kind
HAVING bool_and(s.is_complete AND (s.status = 'completed' OR s.status = 'superseded' AND (
    SELECT COALESCE(bool_and(n.status = 'completed' AND n.is_complete), false)
    FROM data_sync.sync_log_steps n WHERE n.log_id = s.superseded_by AND n.kind = s.kind)))
ORDER BY l.account, s.kind
"""


def _complete_pairs(cursor: Cursor, run: int) -> tuple[tuple[str, str], ...]:
    cursor.execute(_COMPLETE, [run])
    return tuple((row["account"], row["kind"]) for row in cursor)
