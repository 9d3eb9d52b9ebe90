"""Steps: one row per unit of work, with its lease, its checkpoint and its own counts (law 10).

A step is held by one process at a time. Every batch renews the lease and moves the checkpoint in its
own transaction, and does so only while the step still names this process as its holder: a process that
was taken for dead and wakes up again cannot write any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from data_sync.database import Cursor, one, storable
from data_sync.errors import DataSyncError, StepTakenError, UnitCancelledError

#: How long a step counts as worked on after its last sign of life.
LEASE = "2 minutes"

#: A network that uses new words in every row must not fill the step with warnings about them.
_MOST_WARNINGS = 50

#: States of a step that needs no further try.
_READ = ("completed", "superseded", "skipped")

#: States in which a step goes on from its checkpoint when its task runs again.
_RESUMABLE = ("processing", "waiting", "retrying")


@dataclass(frozen=True)
class Place:
    """Which step: of an Airflow run, an account, and the unit's index."""

    dag_id: str
    run_id: str
    account: str
    unit: int


def holder_name(round_: int, holder: str) -> str:
    """Name a holder so that :func:`has_ended` knows its round again."""
    return f"{round_}/{holder}"


def lock(cursor: Cursor, place: Place) -> dict[str, Any] | None:
    """Lock a unit and return what its row says, with its run; ``None`` where there is no such unit."""
    return cursor.execute(
        """
        SELECT s.id, s.log_id, s.status, s.holder, s.cancelled_by, l.sync_run FROM data_sync.sync_log_steps s
        JOIN data_sync.sync_logs l ON l.id = s.log_id JOIN data_sync.sync_runs r ON r.id = l.sync_run
        WHERE r.dag_id = %(dag_id)s AND r.run_id = %(run_id)s AND l.account = %(account)s
          AND s.unit_index = %(unit)s
        FOR UPDATE OF s
        """,
        vars(place),
    ).fetchone()


def has_ended(cursor: Cursor, place: Place, round_: int) -> bool:
    """Lock a unit, and tell whether a try of this round has read it to its end.

    A try that is just writing its end is waited for: whoever looked without the lock would take the unit
    over a moment later, and read and count it a second time.
    """
    row = lock(cursor, place)
    if row is None or row["status"] not in _READ:
        return False
    return (row["holder"] or "").startswith(holder_name(round_, ""))


@dataclass(frozen=True)
class Step:
    """A unit of work as its holder sees it."""

    id: int
    log_id: int
    account: str
    network: str
    kind: str
    label: str
    first_day: date | None
    last_day: date | None
    holder: str
    checkpoint: dict[str, Any] | None
    """Where an earlier try of this unit stopped; ``None`` for a fresh start."""


# A fresh start counts its rows anew. What the unit has cost so far (requests, waits) stays: it was spent.
_CLAIM = """
UPDATE data_sync.sync_log_steps s SET
    status = 'processing', holder = %(holder)s, lease_until = clock_timestamp() + %(lease)s::interval,
    waiting_until = NULL, reason = NULL, error = NULL, finished_at = NULL, cancelled_by = NULL,
    updated_at = clock_timestamp(), is_complete = false,
    tries = CASE WHEN keep THEN s.tries ELSE 0 END + CASE WHEN old_status = 'waiting' THEN 0 ELSE 1 END,
    started_at = CASE WHEN keep THEN COALESCE(s.started_at, clock_timestamp()) ELSE clock_timestamp() END,
    checkpoint = CASE WHEN keep THEN s.checkpoint END,
    resumed = keep AND s.checkpoint IS NOT NULL,
    pages = CASE WHEN keep THEN s.pages ELSE 0 END,
    superseded_by = CASE WHEN keep THEN s.superseded_by END,
    rows_read = CASE WHEN keep THEN s.rows_read ELSE 0 END,
    rows_inserted = CASE WHEN keep THEN s.rows_inserted ELSE 0 END,
    rows_updated = CASE WHEN keep THEN s.rows_updated ELSE 0 END,
    rows_unchanged = CASE WHEN keep THEN s.rows_unchanged ELSE 0 END,
    rows_outdated = CASE WHEN keep THEN s.rows_outdated ELSE 0 END,
    rows_rejected = CASE WHEN keep THEN s.rows_rejected ELSE 0 END,
    rows_vanished = CASE WHEN keep THEN s.rows_vanished ELSE 0 END,
    warnings = CASE WHEN keep THEN s.warnings ELSE '[]' END
FROM (
    SELECT s.id, s.status AS old_status, s.status = ANY(%(resumable)s) AS keep
    FROM data_sync.sync_log_steps s JOIN data_sync.sync_logs l ON l.id = s.log_id
    JOIN data_sync.sync_runs r ON r.id = l.sync_run
    WHERE r.dag_id = %(dag_id)s AND r.run_id = %(run_id)s AND l.account = %(account)s
      AND s.unit_index = %(unit)s
    FOR UPDATE OF s
) before
WHERE s.id = before.id
RETURNING s.id, s.log_id, s.kind, s.label, s.first_day, s.last_day, s.checkpoint
"""


def claim(cursor: Cursor, place: Place, *, holder: str) -> Step:
    """Take a unit of work, from whoever held it before, and go on where it stopped.

    :raises DataSyncError: when the run did not plan this unit.
    """
    row = cursor.execute(
        _CLAIM,
        vars(place) | {"holder": holder, "lease": LEASE, "resumable": list(_RESUMABLE)},
    ).fetchone()
    if row is None:
        raise DataSyncError(
            f"The run {place.run_id} of {place.dag_id} has no unit {place.unit} for {place.account}. Clear "
            "the whole run, so that open_run plans it again."
        )
    log = one(
        cursor.execute(
            """
            UPDATE data_sync.sync_logs SET status = 'processing', reason = NULL, error = NULL,
                finished_at = NULL, started_at = COALESCE(started_at, clock_timestamp()),
                cancel_requested_by = NULL, cancel_requested_at = NULL, updated_at = clock_timestamp()
            WHERE id = %s RETURNING network
            """,
            [row["log_id"]],
        ).fetchone()
    )
    return Step(
        id=row["id"],
        log_id=row["log_id"],
        account=place.account,
        network=log["network"],
        kind=row["kind"],
        label=row["label"],
        first_day=row["first_day"],
        last_day=row["last_day"],
        holder=holder,
        checkpoint=row["checkpoint"],
    )


def refusal_of(cursor: Cursor, step: Step) -> str | None:
    """Return why ``open_run`` said that this account may not be read, or ``None``."""
    row = one(
        cursor.execute("SELECT metadata FROM data_sync.sync_logs WHERE id = %s", [step.log_id]).fetchone()
    )
    found: str | None = row["metadata"].get("refused")
    return found


@dataclass
class Progress:
    """What a batch adds to its step. Counts of rows may be negative: a part that is read anew."""

    pages: int = 0
    requests: int = 0
    waited: float = 0.0
    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    outdated: int = 0
    rejected: int = 0
    vanished: int = 0
    expected: int | None = None
    superseded_by: int | None = None
    warnings: Sequence[str] = ()


class News(NamedTuple):
    """What a step's row tells its holder.

    :param now: the database's time.
    :param cancelled_by: who has asked that the unit ends, if somebody has.
    """

    now: datetime
    cancelled_by: str | None


def advance(cursor: Cursor, step: Step, progress: Progress, checkpoint: Mapping[str, object]) -> News:
    """Move the checkpoint, add the counts and renew the lease; part of the batch's transaction.

    :raises StepTakenError: when another process has taken the step over; the batch must roll back.
    :raises UnitCancelledError: when the step was ended meanwhile, because this process was taken for dead.
    """
    cursor.execute(
        """
        UPDATE data_sync.sync_log_steps SET
            checkpoint = %(checkpoint)s::jsonb,
            lease_until = clock_timestamp() + %(lease)s::interval, updated_at = clock_timestamp(),
            pages = pages + %(pages)s, requests = requests + %(requests)s,
            waited_seconds = waited_seconds + %(waited)s,
            rows_read = rows_read + %(read)s, rows_inserted = rows_inserted + %(inserted)s,
            rows_updated = rows_updated + %(updated)s, rows_unchanged = rows_unchanged + %(unchanged)s,
            rows_outdated = rows_outdated + %(outdated)s, rows_rejected = rows_rejected + %(rejected)s,
            rows_vanished = rows_vanished + %(vanished)s,
            items_expected = COALESCE(%(expected)s, items_expected),
            superseded_by = COALESCE(%(superseded_by)s, superseded_by),
            warnings = warnings || (
                SELECT COALESCE(jsonb_agg(fresh.text), '[]') FROM (
                    SELECT text FROM jsonb_array_elements(%(warnings)s::jsonb) AS text
                    WHERE NOT warnings @> text
                    LIMIT GREATEST(%(most)s - jsonb_array_length(warnings), 0)) fresh)
        WHERE id = %(id)s AND holder = %(holder)s AND status = 'processing'
        RETURNING clock_timestamp() AS now, cancelled_by
        """,
        vars(progress)
        | {
            "id": step.id,
            "holder": step.holder,
            "lease": LEASE,
            "checkpoint": json.dumps(checkpoint),
            "warnings": json.dumps([storable(text) for text in progress.warnings]),
            "most": _MOST_WARNINGS,
        },
    )
    return _news(cursor, step)


def look(cursor: Cursor, step: Step) -> News:
    """Renew the lease while nothing comes; see :func:`advance`."""
    cursor.execute(
        "UPDATE data_sync.sync_log_steps SET lease_until = clock_timestamp() + %s::interval "
        "WHERE id = %s AND holder = %s AND status = 'processing' "
        "RETURNING clock_timestamp() AS now, cancelled_by",
        [LEASE, step.id, step.holder],
    )
    return _news(cursor, step)


def _news(cursor: Cursor, step: Step) -> News:
    row = cursor.fetchone()
    if row is None:
        raise _lost(cursor, step)
    return News(row["now"], row["cancelled_by"])


def _lost(cursor: Cursor, step: Step) -> DataSyncError:
    """Say why a process may not write to its step any more."""
    row = cursor.execute(
        "SELECT cancelled_by FROM data_sync.sync_log_steps WHERE id = %s AND holder = %s",
        [step.id, step.holder],
    ).fetchone()
    if row is not None and row["cancelled_by"] is not None:
        return UnitCancelledError(row["cancelled_by"])
    return StepTakenError(f"Another process works on {step.label} of {step.account} now.")


def finish(
    cursor: Cursor,
    step: Step,
    status: str,
    *,
    reason: str | None = None,
    error: Mapping[str, object] | None = None,
    is_complete: bool = False,
) -> None:
    """Write the end of a step; part of its last transaction.

    :param status: completed, failed, retrying, superseded, skipped or cancelled.
    :raises StepTakenError: when another process has taken the step over.
    :raises UnitCancelledError: instead of another try, when somebody has asked that the unit ends.
    """
    cursor.execute(
        """
        UPDATE data_sync.sync_log_steps SET
            status = %(status)s, reason = %(reason)s, error = %(error)s::jsonb,
            is_complete = %(is_complete)s, lease_until = NULL, waiting_until = NULL,
            finished_at = CASE WHEN %(status)s = 'retrying' THEN NULL ELSE clock_timestamp() END,
            updated_at = clock_timestamp()
        WHERE id = %(id)s AND holder = %(holder)s AND status = 'processing'
          AND (%(status)s <> 'retrying' OR cancelled_by IS NULL) RETURNING id
        """,
        {
            "id": step.id,
            "holder": step.holder,
            "status": status,
            "reason": reason,
            "error": None if error is None else json.dumps(error),
            "is_complete": is_complete,
        },
    )
    if cursor.fetchone() is None:
        raise _lost(cursor, step)


def finish_read(cursor: Cursor, step: Step, *, is_complete: bool) -> bool:
    """Write the end of a unit that was read to its end; part of its last transaction.

    A unit some of whose answers were older than what another log had stored ends as superseded by it.

    :return: whether the unit counts as complete by itself.
    :raises StepTakenError: when another process has taken the step over.
    """
    row = one(
        cursor.execute(
            """
            UPDATE data_sync.sync_log_steps SET warnings = CASE WHEN rows_rejected = 0 THEN warnings ELSE
                warnings || to_jsonb(
                    'Rows set aside: ' || rows_rejected || '. The table rejected_records says why.') END
            WHERE id = %s RETURNING superseded_by
            """,
            [step.id],
        ).fetchone()
    )
    newer = row["superseded_by"]
    if newer is None:
        finish(cursor, step, "completed", is_complete=is_complete)
        return is_complete
    reason = f"superseded by log {newer}: a newer answer for the same rows was there first"
    finish(cursor, step, "superseded", reason=reason, is_complete=is_complete)
    return False


def wait(cursor: Cursor, step: Step, until: datetime, reason: str) -> None:
    """Note that the step waits without a process until a moment, which extends its lease.

    :raises StepTakenError: when another process has taken the step over.
    :raises UnitCancelledError: when somebody has asked that the unit ends.
    """
    cursor.execute(
        """
        UPDATE data_sync.sync_log_steps SET status = 'waiting', waiting_until = %(until)s,
            reason = %(reason)s, lease_until = %(until)s + %(lease)s::interval,
            updated_at = clock_timestamp()
        WHERE id = %(id)s AND holder = %(holder)s AND status = 'processing' AND cancelled_by IS NULL
        RETURNING id
        """,
        {"id": step.id, "holder": step.holder, "until": until, "reason": reason, "lease": LEASE},
    )
    if cursor.fetchone() is None:
        raise _lost(cursor, step)


def add_costs(cursor: Cursor, step: Step, *, requests: int, waited: float) -> None:
    """Add requests and waits that no batch has carried, such as those of a failed page."""
    cursor.execute(
        "UPDATE data_sync.sync_log_steps SET requests = requests + %s, waited_seconds = waited_seconds + %s "
        "WHERE id = %s AND holder = %s",
        [requests, waited, step.id, step.holder],
    )
