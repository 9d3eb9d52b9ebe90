"""Cancelling a log: its units end, what they have stored stays, the other accounts of the run go on.

A unit that no process works on ends at once, in the transaction that asks for it. One that is being read
sees the mark in its own row, in the transaction that stores its next batch, and ends behind that. A unit
whose task has yet to start, or starts again, ends then without asking the network. Each of them locks the
step's row before it decides, so a unit that finishes at the same moment is completed or cancelled, and
never both or neither. Somebody who clears the task in Airflow afterwards has it read anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data_sync.database import Cursor, Database, one
from data_sync.errors import ConfigError
from data_sync.ledger import steps
from data_sync.ledger.settle import ENDED_STEP, OPEN_LOG, conclude
from data_sync.ledger.steps import Place, Step


@dataclass(frozen=True)
class Cancellation:
    """A log that somebody has cancelled.

    :param requested_by: who was the first to ask.
    :param requested_at: when (aware).
    :param asleep: indexes of the units whose tasks Airflow would wake much later, only to end them.
    """

    log: int
    requested_by: str
    requested_at: datetime
    dag_id: str
    run_id: str
    account: str
    asleep: Sequence[int] = ()


def cancel(cursor: Cursor, log: int, who: str) -> Cancellation:
    """Have a log end that is not over yet; asked again, answer as the first time.

    :param who: as people are told: "cancelled by anna".
    :raises ConfigError: when there is no such log, or it is over.
    """
    row = cursor.execute(
        """
        SELECT l.account, r.id AS run, r.dag_id, r.run_id
        FROM data_sync.sync_logs l JOIN data_sync.sync_runs r ON r.id = l.sync_run
        WHERE l.id = %s FOR UPDATE OF r
        """,
        [log],
    ).fetchone()
    if row is None:
        raise ConfigError(f"There is no log {log}. `data-sync logs` lists them.")
    # What the log says is looked at behind the lock.
    row |= one(
        cursor.execute(
            "SELECT status, cancel_requested_by, cancel_requested_at FROM data_sync.sync_logs WHERE id = %s",
            [log],
        ).fetchone()
    )
    asleep: list[int] = []
    if row["cancel_requested_at"] is None:
        if refusal := why_not(log, row["status"]):
            raise ConfigError(refusal)
        row |= _note(cursor, log, who)
        asleep = _end_units(cursor, log, who)
        conclude(cursor, row["run"], log)
    return Cancellation(
        log, row["cancel_requested_by"], row["cancel_requested_at"], row["dag_id"], row["run_id"],
        row["account"], asleep,
    )  # fmt: skip


def why_not(log: int, status: str) -> str | None:
    """Return why a log in this state cannot be cancelled, or ``None`` where it can."""
    if status in OPEN_LOG:
        return None
    return f"The log {log} is {status}: it is over, so there is nothing to cancel."


def _note(cursor: Cursor, log: int, who: str) -> dict[str, Any]:
    return one(
        cursor.execute(
            "UPDATE data_sync.sync_logs SET cancel_requested_by = %s, "
            "cancel_requested_at = clock_timestamp(), updated_at = clock_timestamp() WHERE id = %s "
            "RETURNING cancel_requested_by, cancel_requested_at",
            [who, log],
        ).fetchone()
    )


def _end_units(cursor: Cursor, log: int, who: str) -> list[int]:
    """Mark the units that have not ended, and end those that no process works on."""
    cursor.execute(
        """
        WITH open AS (
            SELECT id, status,
                status <> 'processing' OR COALESCE(lease_until < clock_timestamp(), true) AS is_idle
            FROM data_sync.sync_log_steps WHERE log_id = %(log)s AND status <> ALL(%(ended)s)
            ORDER BY unit_index FOR UPDATE
        ), forgotten AS (
            DELETE FROM data_sync.sync_step_pages WHERE step_id IN (SELECT id FROM open WHERE is_idle)
        )
        UPDATE data_sync.sync_log_steps s SET cancelled_by = %(who)s, updated_at = clock_timestamp(),
            status = CASE WHEN is_idle THEN 'cancelled' ELSE s.status END,
            reason = CASE WHEN is_idle THEN 'cancelled by ' || %(who)s ELSE s.reason END,
            error = CASE WHEN is_idle THEN NULL ELSE s.error END,
            lease_until = CASE WHEN is_idle THEN NULL ELSE s.lease_until END, waiting_until = NULL,
            finished_at = CASE WHEN is_idle THEN clock_timestamp() END
        FROM open WHERE s.id = open.id
        RETURNING s.unit_index, open.status IN ('waiting', 'retrying') AS is_asleep
        """,
        {"log": log, "who": who, "ended": list(ENDED_STEP)},
    )
    return [row["unit_index"] for row in cursor if row["is_asleep"]]


def called_off(cursor: Cursor, place: Place, round_: int, holder: str) -> str | None:
    """End a unit that was cancelled before this try of its task; return who has asked for it, if so.

    :param round_: another one than that of the tries before means that somebody has cleared the task since:
        then it is read anew.
    """
    # The run first, as everywhere.
    cursor.execute(
        "SELECT 1 FROM data_sync.sync_runs WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s FOR UPDATE",
        vars(place),
    )
    row = steps.lock(cursor, place)
    if row is None or row["cancelled_by"] is None or row["status"] not in ("processing", "cancelled"):
        return None
    if row["holder"] is not None and not row["holder"].startswith(steps.holder_name(round_, "")):
        return None
    who: str = row["cancelled_by"]
    _end(cursor, row["id"], who, steps.holder_name(round_, holder))
    conclude(cursor, row["sync_run"], row["log_id"])
    return who


def end_unit(db: Database, run: int, step: Step, who: str) -> None:
    """End a unit whose process has seen that it was cancelled; its log follows at once."""
    with db.transaction() as cursor:
        cursor.execute("SELECT 1 FROM data_sync.sync_runs WHERE id = %s FOR UPDATE", [run])
        held = cursor.execute(
            "SELECT 1 FROM data_sync.sync_log_steps WHERE id = %s AND holder = %s AND status = 'processing' "
            "FOR UPDATE",
            [step.id, step.holder],
        ).fetchone()
        if held is not None:
            _end(cursor, step.id, who, step.holder)
            conclude(cursor, run, step.log_id)


def _end(cursor: Cursor, step: int, who: str, holder: str) -> None:
    cursor.execute("DELETE FROM data_sync.sync_step_pages WHERE step_id = %s", [step])
    cursor.execute(
        """
        UPDATE data_sync.sync_log_steps SET status = 'cancelled', holder = %s,
            reason = 'cancelled by ' || %s, error = NULL, is_complete = false, lease_until = NULL,
            waiting_until = NULL, finished_at = COALESCE(finished_at, clock_timestamp()),
            updated_at = clock_timestamp()
        WHERE id = %s
        """,
        [holder, who, step],
    )
