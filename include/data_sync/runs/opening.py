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

from data_sync.accounts import mirror_unknown, refused_accounts
from data_sync.database import Cursor, Database, now, one
from data_sync.maturity import RunSweep, plan_run
from data_sync.runs import guard, lease
from data_sync.runs.lease import RunWaitsError
from data_sync.runs.request import RunKind, RunRequest
from data_sync.schedules.date_ranges import DayRange
from data_sync.schedules.planning import MOST_WINDOWS, SweepPart, plan_sweep_units, plan_units


@dataclass
class OpenedRun:
    """The outcome: the units to map over, an empty list when the run was refused."""

    id: int
    units: list[dict[str, object]] = field(default_factory=list)
    refusal: str | None = None


def open_run(
    db: Database, request: RunRequest, *, missing_accounts: Mapping[str, str] | None = None
) -> OpenedRun:
    """Open a run, or say why it does no work.

    :param missing_accounts: account to the reason why it cannot be read; its log fails with it, as does
        that of an account which the run's author may not use.
    :raises RunWaitsError: while another run holds the schedule's lease.
    """
    with db.transaction() as cursor:
        sweep = plan_run(cursor, request)
        run = _insert_or_lock(cursor, request, sweep)
        holder = lease.claim(cursor, run["id"], request.schedule_key)
        if holder is not None and not _is_late(cursor, request):
            raise RunWaitsError(holder["id"], holder["run_id"])
        refusal = _refusal(cursor, run, request, holder)
        units = [] if refusal else run["units"]
        cursor.execute(
            "UPDATE data_sync.sync_runs SET state = 'open', closed_at = NULL, refusal = %s WHERE id = %s",
            [refusal, run["id"]],
        )
        wanted = [ref.conn_id for ref in request.schedule.networks]
        forbidden = refused_accounts(cursor, wanted, user=request.author, trusted=request.trusted)
        refused = {**forbidden, **(missing_accounts or {})}
        notes = {account: _notes(account, refused, sweep) for account in wanted}
        _make_logs(cursor, run["id"], request, units, refusal, notes)
    return OpenedRun(run["id"], units, refusal)


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
            "SELECT id, guard, units FROM data_sync.sync_runs WHERE dag_id = %s AND run_id = %s FOR UPDATE",
            [request.dag_id, request.run_id],
        ).fetchone()
    )


def _is_late(cursor: Cursor, request: RunRequest) -> bool:
    """Tell whether a scheduled run has waited until the schedule's next tick."""
    deadline: datetime | None = request.gives_up_at
    return request.kind is RunKind.SCHEDULED and deadline is not None and now(cursor) >= deadline


def _make_logs(
    cursor: Cursor,
    run: int,
    request: RunRequest,
    units: Sequence[Mapping[str, Any]],
    refusal: str | None,
    notes: Mapping[str, Mapping[str, object]],
) -> None:
    accounts = {ref.conn_id: ref.network for ref in request.schedule.networks}
    mirror_unknown(cursor, accounts)
    for account, network in accounts.items():
        log = one(
            cursor.execute(
                """
                INSERT INTO data_sync.sync_logs AS l (sync_run, account, network, schedule_key, schedule_name,
                    kind, sync_type, requested_by, status, reason, metadata, finished_at)
                VALUES (%(run)s, %(account)s, %(network)s, %(schedule_key)s, %(name)s, %(kind)s,
                    %(sync_type)s, %(requested_by)s, %(status)s, %(reason)s, %(metadata)s,
                    CASE WHEN %(status)s = 'skipped' THEN clock_timestamp() END)
                ON CONFLICT (sync_run, account) DO UPDATE SET status = excluded.status,
                    reason = excluded.reason, metadata = excluded.metadata, error = NULL, warnings = '[]',
                    started_at = NULL, finished_at = excluded.finished_at, updated_at = clock_timestamp()
                RETURNING id
                """,
                {
                    "run": run,
                    "account": account,
                    "network": network,
                    "schedule_key": request.schedule_key,
                    "name": request.schedule.name,
                    "kind": request.kind.value,
                    "sync_type": request.schedule.sync_type.value,
                    "requested_by": request.requested_by,
                    "status": "skipped" if refusal else "pending",
                    "reason": refusal,
                    "metadata": json.dumps(notes[account]),
                },
            ).fetchone()
        )
        _make_steps(cursor, log["id"], units)


def _make_steps(cursor: Cursor, log: int, units: Sequence[Mapping[str, Any]]) -> None:
    for unit in units:
        cursor.execute(
            """
            INSERT INTO data_sync.sync_log_steps AS s
                (log_id, unit_index, kind, label, first_day, last_day, date_filter, sweep)
            VALUES (%(log)s, %(index)s, %(kind)s, %(label)s, %(first)s, %(last)s, %(filter)s, %(sweep)s)
            ON CONFLICT (log_id, unit_index) DO UPDATE SET status = 'pending', holder = NULL, reason = NULL,
                error = NULL, started_at = NULL, finished_at = NULL, updated_at = clock_timestamp()
            WHERE s.status NOT IN ('processing', 'waiting', 'retrying')
            """,
            {
                "log": log,
                "index": unit["index"],
                "kind": unit["kind"],
                "label": unit["label"],
                "first": unit.get("first"),
                "last": unit.get("last"),
                "filter": _filter(unit),
                # A step of a sweep is known by having a plan; its task makes it.
                "sweep": "{}" if unit.get("sweep") else None,
            },
        )


def _filter(unit: Mapping[str, Any]) -> str | None:
    if unit.get("sweep") == SweepPart.CHANGES:
        return "changed"
    return "occurred" if unit.get("first") else None
