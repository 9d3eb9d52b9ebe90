"""Quick syncs and backfills: what they would cost, starting them, and the newest ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import Request

from data_sync.accounts import refused_accounts
from data_sync.dag.names import QUICK_SYNC
from data_sync.dag.people import is_trusted
from data_sync.dag.requests import changed_for_once
from data_sync.database import now
from data_sync.looking import by_hand
from data_sync.looking.plan import AccountPlan, make_plan
from data_sync.looking.plan import Plan as Planned
from data_sync.schedules.model import Schedule
from data_sync.schedules.problems import Finding, ScheduleRefusedError
from data_sync.schedules.words import SyncType
from network_clients import registry
from sync_api.access import BodyRunner, Caller, Planner, Reader
from sync_api.breaker import in_thread
from sync_api.idempotency import OnceOnly
from sync_api.problems import Problem
from sync_api.room import Tables, problems, room, viewer_of
from sync_api.schedules import days_of, find
from sync_api.shapes.manual import (
    ManualBody,
    ManualCollection,
    ManualLog,
    ManualRun,
    Plan,
    PlannedAccount,
    PlannedPace,
    PlannedWindow,
    WaitsFor,
)
from sync_api.shapes.problem import FieldError
from sync_api.shapes.schedules import StartedRun
from sync_api.starting import start

router = room("", "Quick syncs")


@router.post("/manual", status_code=202, responses=problems(404, 409))
async def start_manual_sync(
    request: Request, caller: BodyRunner, db: Tables, once: OnceOnly, body: ManualBody
) -> StartedRun:
    """Start a quick sync of networks and days that you choose, or run a schedule once, also for past days."""
    await in_thread(_require_allowed, caller, db, body)
    return await start(request, caller, QUICK_SYNC, body.words(), word=once.word)


@router.get("/manual/recent")
def list_recent_manual_syncs(caller: Reader, db: Tables) -> ManualCollection:
    """Show the five newest runs that you started by hand; everybody's, if you are an admin."""
    with db.transaction() as cursor:
        rows = by_hand.recent(cursor, viewer_of(caller))
    items = [ManualRun(**{**row, "logs": [ManualLog(**log) for log in row["logs"]]}) for row in rows]
    return ManualCollection(items=items, total_entries=len(items))


@router.post("/plan", responses=problems(404))
def plan_sync(caller: Planner, db: Tables, body: ManualBody) -> Plan:
    """Say what a quick sync or a backfill would cost, and what it would wait for. Nothing is started."""
    schedule = _require_allowed(caller, db, body)
    with db.transaction() as cursor:
        moment = now(cursor)
        planned = make_plan(cursor, schedule, moment, key=body.schedule, backfill=_is_backfill(body))
    return _shown(planned, moment)


def _is_backfill(body: ManualBody) -> bool:
    return body.schedule is not None and (body.date_range is not None or body.range_from is not None)


def _require_allowed(caller: Caller, db: Tables, body: ManualBody) -> Schedule:
    """Return the definition that such a run would have.

    :raises DataSyncError, Problem: when it could not run, or not for this caller.
    """
    schedule = _definition(caller, db, body)
    if _is_backfill(body) and schedule.sync_type not in (SyncType.ALL, SyncType.PURCHASES):
        raise ScheduleRefusedError(
            [Finding(("schedule",), f"it reads {schedule.sync_type.value} only, which have no past days",
                     "name a schedule that reads purchases")]
        )  # fmt: skip
    if body.schedule is not None and body.networks is None:
        # The permissions of the schedule's owner count, and were judged when it was saved.
        return schedule
    accounts = [ref.conn_id for ref in schedule.networks]
    with db.transaction() as cursor:
        refused = refused_accounts(cursor, accounts, user=caller.name, trusted=is_trusted(caller.name))
    if refused:
        errors = [FieldError(field="networks", message=sentence) for sentence in refused.values()]
        raise Problem(422, "account-refused", " ".join(refused.values()), errors=errors)
    return schedule


def _definition(caller: Caller, db: Tables, body: ManualBody) -> Schedule:
    words: dict[str, Any] = {word: value for word, value in body.words().items() if word != "schedule"}
    if body.schedule is not None:
        row, _ = find(caller, db, body.schedule)
        return changed_for_once(row["definition"], words)
    base = {"key": QUICK_SYNC, "name": "Quick sync", "date_range": "custom" if "from" in words else "today"}
    return Schedule.from_dict({**base, **words}, networks=registry.all_networks(), timed=False)


def _shown(planned: Planned, moment: datetime) -> Plan:
    return Plan(
        days=days_of(planned.schedule.days(moment)),
        timezone=planned.schedule.timezone,
        windows=[
            PlannedWindow.model_validate(
                {"kind": u.kind.value, "label": u.label, "first_day": u.first, "last_day": u.last}
            )
            for u in planned.units
        ],
        accounts=[_account(account) for account in planned.accounts],
        requests=planned.requests,
        minutes=round(planned.minutes, 2),
        waits_for=[WaitsFor(**run) for run in planned.waits_for],
        runs_beside=planned.beside,
    )


def _account(plan: AccountPlan) -> PlannedAccount:
    return PlannedAccount(
        account=plan.account,
        network=plan.network,
        windows=len(plan.units),
        requests=plan.requests,
        requests_basis=plan.basis,
        minutes=round(plan.minutes, 2),
        share_of_day=round(plan.share, 6),
        pace=[
            PlannedPace(
                limit=pace.name,
                seconds_between_calls=round(pace.interval, 4),
                calls_per_day=round(pace.per_day, 1),
                left_now=pace.left,
                closed_until=pace.closed_until,
            )
            for pace in plan.pace
        ],
        left_out=list(plan.left_out),
    )
