"""``open_run``: claims the lease and the guard, fixes range and definition, makes logs and steps.

Everything happens in one transaction, so a run is either open with all its units or not at all, and
doing it again finds the same answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from data_sync import catalogue
from data_sync.accounts import mirror_unknown, refused_accounts
from data_sync.database import Cursor, Database, now, one
from data_sync.maturity import RunSweep, plan_run
from data_sync.runs import guard, lease, logs
from data_sync.runs.lease import RunWaitsError
from data_sync.runs.request import RunKind, RunRequest
from data_sync.schedules.date_ranges import DayRange
from data_sync.schedules.planning import MOST_WINDOWS, plan_sweep_units, plan_units


class ScheduleChangedError(Exception):
    """Raised when the schedule was edited while its run was about to open: ask again what it says now."""


@dataclass
class OpenedRun:
    """The outcome: the units to map over, an empty list when the run was refused."""

    id: int
    units: list[dict[str, object]] = field(default_factory=list)
    refusal: str | None = None


def open_run(
    db: Database,
    request: RunRequest,
    *,
    missing_accounts: Mapping[str, str] | None = None,
    without_task: Mapping[str, str] | None = None,
) -> OpenedRun:
    """Open a run, or say why it does no work.

    :param missing_accounts: account to the reason why it cannot be read; its log fails with it, as does
        that of an account which the run's author may not use.
    :param without_task: account to the reason why Airflow has no task for it in this run; nobody else would
        ever write the end of its log, so that is written at once.
    :raises RunWaitsError: while another run holds the schedule's lease.
    :raises ScheduleChangedError: when the request was made from a definition that is not in force any more.
    """
    accounts = [ref.conn_id for ref in request.schedule.networks]
    with db.transaction() as cursor:
        # By itself: it counts as a change of the catalogue, whose editors must not wait for this run.
        mirror_unknown(cursor, [account for account in accounts if account not in (missing_accounts or {})])
    with db.transaction() as cursor:
        sweep = plan_run(cursor, request)
        run = _insert_or_lock(cursor, request, sweep)
        holder = lease.claim(cursor, run["id"], request.schedule_key)
        if holder is not None and not _is_late(cursor, request):
            raise RunWaitsError(holder["id"], holder["run_id"])
        _require_in_force(cursor, request)
        refusal = _refusal(cursor, run, request, holder)
        units = [] if refusal else run["units"]
        cursor.execute(
            "UPDATE data_sync.sync_runs SET state = 'open', closed_at = NULL, refusal = %s WHERE id = %s",
            [refusal, run["id"]],
        )
        forbidden = refused_accounts(cursor, accounts, user=request.author, trusted=request.trusted)
        refused = {**forbidden, **(missing_accounts or {})}
        taskless = {} if refusal else without_task or {}
        notes = {account: _notes(account, refused, sweep) for account in accounts}
        # A run that is opened once more while it is open still, as its task was killed, begins nothing anew
        # that somebody has cancelled meanwhile; one that was over is done again whole.
        cancelled = logs.cancelled(cursor, run["id"]) if run["state"] == "open" else frozenset()
        leave_out = {*taskless, *cancelled}
        logs.make(cursor, run["id"], request, units, refusal, notes, leave_out=leave_out)
        for account, reason in taskless.items():
            logs.make_ended(cursor, run["id"], request, account, units, refused.get(account, reason))
    return OpenedRun(run["id"], units, refusal)


def _require_in_force(cursor: Cursor, request: RunRequest) -> None:
    """Hold the schedule as it is until the run is open.

    Whoever edits it then finds the run in flight, and its DAG keeps what this run needs.
    """
    if request.made_from is None:
        return
    key = request.schedule_key
    cursor.execute("SELECT 1 FROM data_sync.sync_schedules WHERE key = %s FOR SHARE", [key])
    entry = catalogue.find(cursor, str(key))
    if entry is None or (entry.source, entry.revision) != request.made_from:
        raise ScheduleChangedError(f"The schedule {key} has just been edited.")


def _refusal(
    cursor: Cursor, run: Mapping[str, Any], request: RunRequest, holder: Mapping[str, Any] | None
) -> str | None:
    if holder is not None:
        return f"previous run still going: {holder['run_id']} had not ended when the next tick was due"
    if run["guard"] == "claimed":
        return None
    return guard.claim(cursor, run["id"], request)


def _notes(account: str, refused: Mapping[str, str], sweep: RunSweep | None) -> dict[str, object]:
    notes: dict[str, object] = {"refused": refused[account]} if account in refused else {}
    if sweep is not None:
        notes["sweep"] = {"open_days": sweep.open_days[account]}
    return notes


def _planned(request: RunRequest, days: DayRange, sweep: RunSweep | None) -> Sequence[Mapping[str, object]]:
    backfill, sync_type = request.kind is RunKind.BACKFILL, request.schedule.sync_type
    if sweep is None or sweep.is_empty:
        units = plan_units(sync_type, days, backfill=backfill)
    else:
        units = plan_units(sync_type, days, max_windows=MOST_WINDOWS - 2)
        units += plan_sweep_units(units, sweep.days, changes=sweep.changes)
    return [unit.to_dict() for unit in units]


def _insert_or_lock(cursor: Cursor, request: RunRequest, sweep: RunSweep | None) -> dict[str, Any]:
    days = request.schedule.days(request.anchor)
    units = _planned(request, days, sweep) if request.units is None else request.units
    cursor.execute(
        """
        INSERT INTO data_sync.sync_runs (dag_id, run_id, schedule_key, schedule_name, kind, requested_by,
            anchor, timezone, sync_type, range_name, first_day, last_day, definition, units, retry_of)
        VALUES (%(dag_id)s, %(run_id)s, %(schedule_key)s, %(name)s, %(kind)s, %(requested_by)s, %(anchor)s,
            %(zone)s, %(sync_type)s, %(range)s, %(first)s, %(last)s, %(definition)s, %(units)s, %(retry_of)s)
        ON CONFLICT (dag_id, run_id) DO NOTHING
        """,
        {
            "dag_id": request.dag_id,
            "run_id": request.run_id,
            "schedule_key": request.schedule_key,
            "name": request.schedule.name,
            "kind": request.kind.value,
            "requested_by": request.requested_by,
            "anchor": request.anchor,
            "zone": request.schedule.timezone,
            "sync_type": request.schedule.sync_type.value,
            "range": request.schedule.date_range.value,
            "first": days.first,
            "last": days.last,
            "definition": json.dumps(request.definition),
            "units": json.dumps(units),
            "retry_of": request.retry_of,
        },
    )
    # A run that was opened before keeps its range, units and definition.
    return one(
        cursor.execute(
            "SELECT id, guard, units, state FROM data_sync.sync_runs "
            "WHERE dag_id = %s AND run_id = %s FOR UPDATE",
            [request.dag_id, request.run_id],
        ).fetchone()
    )


def _is_late(cursor: Cursor, request: RunRequest) -> bool:
    """Tell whether a scheduled run has waited until the schedule's next tick."""
    deadline: datetime | None = request.gives_up_at
    return request.kind is RunKind.SCHEDULED and deadline is not None and now(cursor) >= deadline
