"""Logs: the list, one of them with all about it, reading again what failed, and cancelling what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Query, Request

from data_sync.dag.names import QUICK_SYNC, SYNC
from data_sync.dag.people import is_trusted
from data_sync.errors import ConfigError
from data_sync.ledger import cancelling
from data_sync.ledger.cancelling import Cancellation
from data_sync.looking import log as one_log
from data_sync.looking import logs as looking
from data_sync.looking.days import midnight
from data_sync.looking.log_filters import LogFilter
from data_sync.runs.retrying import why_not_retried
from data_sync.schedules.accounts import AccountRef
from sync_api.access import Caller, LogRunner, Reader
from sync_api.breaker import in_thread
from sync_api.cursors import cursor_of, mark_of
from sync_api.idempotency import OnceOnly
from sync_api.problems import Problem
from sync_api.room import Tables, base_path, problems, room, viewer_of
from sync_api.shapes.logs import (
    AirflowRun,
    CancelledLog,
    LogCollection,
    LogCounts,
    LogDetail,
    LogError,
    LogEvent,
    LogFilters,
    LogId,
    LogItem,
    LogNeighbour,
    LogQuery,
    LogStep,
    RejectedRow,
)
from sync_api.shapes.schedules import StartedRun
from sync_api.starting import skip_tasks, start, started_before

router = room("/logs", "Logs")

#: The word for logs of no schedule, where a schedule's key may stand.
MANUAL = "manual"


@router.get("", responses=problems(422))
def list_logs(caller: Reader, db: Tables, query: Annotated[LogQuery, Query()]) -> LogCollection:
    """List the logs of your schedules and of what you started, newest first; admins see all.

    Ask for the part that follows with ``cursor``; logs that are made meanwhile move nothing.
    """
    after = mark_of(query.cursor)
    with db.transaction() as cursor:
        page = looking.list_page(cursor, viewer_of(caller), filter_of(query), after=after, limit=query.limit)
    return LogCollection(
        items=[LogItem.model_validate(row) for row in page.rows],
        total_entries=page.total,
        is_estimate=page.is_estimate,
        next=cursor_of(page.next),
    )


@router.get("/{log}", responses=problems(404))
def get_log(request: Request, caller: Reader, db: Tables, log: LogId) -> LogDetail:
    """Show what a log has done, when, what went wrong, and what to do about it."""
    viewer = viewer_of(caller)
    with db.transaction() as cursor:
        row = _found(one_log.find(cursor, viewer, log), log)
        steps = one_log.steps(cursor, log)
        rejected = one_log.rejected(cursor, log)
        around = one_log.around(cursor, viewer, row)
        refusal = why_not_retried(cursor, log, user=caller.name, is_trusted=is_trusted)
    # Below Airflow's own base path, whatever that is here.
    run_url = (
        f"{base_path(request).removesuffix('/sync')}"
        f"/dags/{quote(row['dag_id'], safe='')}/runs/{quote(row['run_id'], safe='')}"
    )
    task = f"{run_url}/tasks/{AccountRef.from_conn_id(row['account']).group_id}.{SYNC}/mapped"
    has_failed = row["status"] in ("failed", "cancelled") and row["reason"]
    return LogDetail(
        **{**row, "warnings": list(row["warnings"])},
        can_be_retried=refusal is None,
        retry_refusal=refusal,
        can_be_cancelled=cancelling.why_not(log, row["status"]) is None and not row["cancel_requested_at"],
        error=LogError(verdict=row["verdict"], message=row["reason"]) if has_failed else None,
        counts=_counts(steps),
        steps=[LogStep(**step, airflow_url=f"{task}/{step['unit_index']}") for step in steps],
        timeline=_timeline(row, steps),
        rejected=[RejectedRow(**entry) for entry in rejected],
        airflow=AirflowRun(dag_id=row["dag_id"], run_id=row["run_id"], url=run_url),
        around=[LogNeighbour(**entry) for entry in around],
    )


@router.post("/{log}/retry", status_code=202, responses=problems(404, 409))
async def retry_log(
    request: Request, caller: LogRunner, db: Tables, log: LogId, once: OnceOnly
) -> StartedRun:
    """Read again what failed of a log, with the definition and the days that it had.

    Of a schedule's log the accounts are used as when the schedule is run, else as you may use them. What a
    network refused, such as wrong credentials, fails again until it is mended.
    """
    refusal = await in_thread(_why_not_retried, caller, db, log)
    if refusal is not None:
        # An earlier try of this request may have started the run, and that is the one then.
        found = await started_before(request, caller, (QUICK_SYNC,))
        if found is None:
            raise Problem(409, "not-retryable", refusal)
        return found
    return await start(request, caller, QUICK_SYNC, {"log": log}, word=once.word)


@router.post("/{log}/cancel", status_code=202, responses=problems(404, 409))
async def cancel_log(request: Request, caller: LogRunner, db: Tables, log: LogId) -> CancelledLog:
    """End a log that is not over: what it has read stays, and other accounts of its run go on.

    A unit that is being read ends behind its next batch of rows, one that waits or has yet to start at once.
    Asked again, the answer is the same.
    """
    found = await in_thread(_cancel, caller, db, log)
    # Airflow would wake these much later, only to find that there is nothing to do.
    sync = f"{AccountRef.from_conn_id(found.account).group_id}.{SYNC}"
    await skip_tasks(request, caller, found.dag_id, found.run_id, [(sync, index) for index in found.asleep])
    return CancelledLog(
        log=log, cancel_requested_by=found.requested_by, cancel_requested_at=found.requested_at
    )


def filter_of(query: LogFilters) -> LogFilter:
    """Return what a query asks for."""
    zone = ZoneInfo(query.timezone)
    is_manual = query.schedule == MANUAL
    return LogFilter(
        network=query.network,
        account=query.account,
        status=query.status,
        schedule=None if is_manual else query.schedule,
        without_schedule=is_manual,
        sync_type=query.sync_type.value if query.sync_type else None,
        trigger=query.trigger.value if query.trigger else None,
        since=midnight(query.day_from, zone) if query.day_from else None,
        before=midnight(query.day_to, zone, later=1) if query.day_to else None,
        text=query.text,
    )


def _found(row: dict[str, Any] | None, log: int) -> dict[str, Any]:
    if row is None:
        raise Problem(404, "log-missing", f"There is no log {log}. GET /sync/logs lists yours.")
    return row


def _why_not_retried(caller: Caller, db: Tables, log: int) -> str | None:
    with db.transaction() as cursor:
        _found(one_log.find(cursor, viewer_of(caller), log), log)
        return why_not_retried(cursor, log, user=caller.name, is_trusted=is_trusted)


def _cancel(caller: Caller, db: Tables, log: int) -> Cancellation:
    with db.transaction() as cursor:
        _found(one_log.find(cursor, viewer_of(caller), log), log)
        try:
            return cancelling.cancel(cursor, log, caller.name)
        except ConfigError as refusal:
            raise Problem(409, "not-cancellable", str(refusal)) from None


_COUNTED = ("read", "inserted", "updated", "unchanged", "outdated", "rejected", "vanished")


def _counts(steps: Sequence[Mapping[str, Any]]) -> list[LogCounts]:
    kinds = dict.fromkeys(step["kind"] for step in steps)
    return [
        LogCounts(kind=kind, **{word: sum(s[f"rows_{word}"] for s in steps if s["kind"] == kind)
                                for word in _COUNTED})
        for kind in kinds
    ]  # fmt: skip


def _timeline(row: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> list[LogEvent]:
    """Return its moments in their order; of equal ones, in which they must have happened."""
    moments: list[tuple[Any, str, str | None, str | None]] = [
        (row["opened_at"], "opened", None, None),
        (row["started_at"], "started", None, None),
        *((step["started_at"], "unit started", step["label"], None) for step in steps),
        *((step["finished_at"], "unit ended", step["label"], step["status"]) for step in steps),
        (row["finished_at"], "ended", None, row["status"]),
        (row["closed_at"], "run closed", None, None),
    ]
    known = sorted((moment for moment in moments if moment[0] is not None), key=lambda moment: moment[0])
    return [
        LogEvent.model_validate({"at": at, "event": event, "unit": unit, "status": status})
        for at, event, unit, status in known
    ]
