"""The logs of a run as it opens: one per account, with a step for each unit of its work."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from typing import Any

from data_sync.accounts import network_of
from data_sync.database import Cursor, one
from data_sync.runs.request import RunRequest
from data_sync.schedules.planning import SweepPart

_INSERT_LOG = """
INSERT INTO data_sync.sync_logs AS l (sync_run, account, network, schedule_key, schedule_name,
    kind, sync_type, requested_by, status, reason, metadata, finished_at)
VALUES (%(run)s, %(account)s, %(network)s, %(schedule_key)s, %(name)s, %(kind)s,
    %(sync_type)s, %(requested_by)s, %(status)s, %(reason)s, %(metadata)s,
    CASE WHEN %(status)s <> 'pending' THEN clock_timestamp() END)
"""


def make(
    cursor: Cursor,
    run: int,
    request: RunRequest,
    units: Sequence[Mapping[str, Any]],
    refusal: str | None,
    notes: Mapping[str, Mapping[str, object]],
    *,
    leave_out: Container[str],
) -> None:
    """Make the logs of a run that opens, with a step per unit; those that are there begin anew.

    :param refusal: why the run does no work: its logs are skipped.
    :param notes: account to the log's ``metadata``; ``refused`` there is the reason why the account cannot be
        read: its units fail with it when they start.
    :param leave_out: accounts whose logs are not touched.
    """
    for account in (ref.conn_id for ref in request.schedule.networks):
        if account in leave_out:
            continue
        status = "skipped" if refusal else "pending"
        row = cursor.execute(
            _INSERT_LOG
            + """
            ON CONFLICT (sync_run, account) DO UPDATE SET status = excluded.status,
                reason = excluded.reason, metadata = excluded.metadata, error = NULL, warnings = '[]',
                started_at = NULL, finished_at = excluded.finished_at, updated_at = clock_timestamp(),
                cancel_requested_by = NULL, cancel_requested_at = NULL
            RETURNING id
            """,
            _log_values(run, request, account, status, refusal, notes.get(account, {})),
        ).fetchone()
        _make_steps(cursor, one(row)["id"], units)


def cancelled(cursor: Cursor, run: int) -> frozenset[str]:
    """Return the accounts whose logs of this run somebody has cancelled."""
    cursor.execute(
        "SELECT account FROM data_sync.sync_logs WHERE sync_run = %s AND cancel_requested_at IS NOT NULL",
        [run],
    )
    return frozenset(row["account"] for row in cursor)


def make_ended(
    cursor: Cursor,
    run: int,
    request: RunRequest,
    account: str,
    units: Sequence[Mapping[str, Any]],
    reason: str,
) -> None:
    """Make the failed log of an account that no task will read; one that is there already stays as it is."""
    row = cursor.execute(
        _INSERT_LOG + "ON CONFLICT (sync_run, account) DO NOTHING RETURNING id",
        _log_values(run, request, account, "failed", reason, {}),
    ).fetchone()
    if row is None:
        return
    _make_steps(cursor, row["id"], units)
    error = json.dumps({"verdict": "not configured", "message": reason, "detail": ""})
    cursor.execute(
        "UPDATE data_sync.sync_log_steps SET status = 'failed', reason = %s, error = %s::jsonb, "
        "finished_at = clock_timestamp() WHERE log_id = %s",
        [reason, error, row["id"]],
    )
    cursor.execute("UPDATE data_sync.sync_logs SET error = %s::jsonb WHERE id = %s", [error, row["id"]])


def _log_values(
    run: int,
    request: RunRequest,
    account: str,
    status: str,
    reason: str | None,
    metadata: Mapping[str, object],
) -> dict[str, Any]:
    return {
        "run": run,
        "account": account,
        "network": network_of(account),
        "schedule_key": request.schedule_key,
        "name": request.schedule.name,
        "kind": request.kind.value,
        "sync_type": request.schedule.sync_type.value,
        "requested_by": request.requested_by,
        "status": status,
        "reason": reason,
        "metadata": json.dumps(dict(metadata)),
    }


def _make_steps(cursor: Cursor, log: int, units: Sequence[Mapping[str, Any]]) -> None:
    for unit in units:
        cursor.execute(
            """
            INSERT INTO data_sync.sync_log_steps AS s
                (log_id, unit_index, kind, label, first_day, last_day, date_filter, sweep)
            VALUES (%(log)s, %(index)s, %(kind)s, %(label)s, %(first)s, %(last)s, %(filter)s, %(sweep)s)
            ON CONFLICT (log_id, unit_index) DO UPDATE SET status = 'pending', holder = NULL, reason = NULL,
                error = NULL, started_at = NULL, finished_at = NULL, updated_at = clock_timestamp(),
                cancelled_by = NULL
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
