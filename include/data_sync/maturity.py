"""Maturity sweeps: which days are due for the accounts of a run, and what one unit of a sweep reads.

What a day holds is looked up no more often than the day is due: one that was found settled is left alone
until then. The plan of a unit is kept in its step, so that a retry reads what the first try had planned.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from data_sync.database import Cursor, now, one
from data_sync.engine.rereading import months_before
from data_sync.engine.tables import filter_of
from data_sync.ledger.steps import Step
from data_sync.runs.lookup import StoredRun
from data_sync.runs.request import RunRequest
from data_sync.schedules.maturity import OpenDay, SweepPlan, pace, plan_sweep
from data_sync.schedules.planning import SweepPart, WorkUnit, local_day, network_days
from data_sync.schedules.words import SyncType
from network_clients import registry
from network_clients.facts import Filter, NetworkFacts
from network_clients.interface import NetworkClient, ReadRequest
from network_clients.records import Kind

#: Why a unit of a sweep had nothing to read.
NOTHING_DUE = "Nothing unsettled is due here."

_DAY = timedelta(days=1)


@dataclass
class RunSweep:
    """What is due in a run.

    :param days: the days that are read whole for at least one account.
    :param changes: whether at least one account is asked for changes.
    :param open_days: how many days hold unsettled rows, per account.
    """

    days: set[date] = field(default_factory=set)
    changes: bool = False
    open_days: dict[str, int] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is due."""
        return not self.days and not self.changes


def plan_run(cursor: Cursor, request: RunRequest) -> RunSweep | None:
    """Look what is due in a run that is about to open; ``None`` where its schedule asks for no sweep.

    The accounts' own settings are not known here: a day may turn out not to be due when its unit starts.
    """
    schedule = request.schedule
    reads_purchases = schedule.sync_type in (SyncType.ALL, SyncType.PURCHASES)
    if not (schedule.maturity_sweep and reads_purchases and request.kind.keeps_up_to_date):
        return None
    own = schedule.days(request.anchor)
    found = RunSweep()
    for ref in schedule.networks:
        facts = registry.facts_of(ref.network)
        window = _Window(ref.conn_id, request.anchor, schedule.timezone, (own.first, own.last))
        days, plan = _due(cursor, facts, window)
        found.open_days[ref.conn_id] = len(days)
        found.days |= set(plan.days)
        found.changes |= plan.since is not None
    return found


def sweep_request(
    cursor: Cursor, step: Step, client: NetworkClient, run: StoredRun, unit: WorkUnit
) -> ReadRequest | None:
    """Say what a unit of a sweep reads of an account, in the network's days; ``None`` for nothing.

    Days that the run's other units read are left out. The plan is kept in the step.
    """
    plan = _stored_plan(cursor, step) if step.checkpoint else {}
    if not plan:
        plan = _plan_unit(cursor, client, run, unit)
        cursor.execute(
            "UPDATE data_sync.sync_log_steps SET sweep = %s WHERE id = %s", [json.dumps(plan), step.id]
        )
    if "since" in plan:
        first, last = date.fromisoformat(plan["since"]), date.fromisoformat(plan["until"])
        known = [date.fromisoformat(day) for day in plan["known"]]
        return ReadRequest(Kind.PURCHASES, first, last, Filter.CHANGED, occurred=(known[0], known[-1]))
    days = [date.fromisoformat(day) for day in plan.get("days", ())]
    if not days:
        return None
    start = next(day for day in reversed(days) if day - _DAY not in days)
    earlier = tuple(day for day in days if day < start)
    return ReadRequest(Kind.PURCHASES, start, days[-1], earlier=earlier)


def note_changes(cursor: Cursor, step: Step) -> None:
    """Note up to when the days of a sweep are known, after its read by change has come to its end."""
    plan = _stored_plan(cursor, step)
    if "since" not in plan:
        return
    cursor.execute(
        """
        INSERT INTO data_sync.day_maturity AS m (account, day, changes_at)
        SELECT %(account)s, day::date, %(moment)s FROM unnest(%(days)s::text[]) AS day ORDER BY day
        ON CONFLICT (account, day) DO UPDATE
            SET changes_at = GREATEST(m.changes_at, excluded.changes_at)
        """,
        {"account": step.account, "moment": plan["known_until"], "days": plan["known"]},
    )


def _stored_plan(cursor: Cursor, step: Step) -> dict[str, Any]:
    cursor.execute("SELECT sweep FROM data_sync.sync_log_steps WHERE id = %s", [step.id])
    found: dict[str, Any] | None = one(cursor.fetchone())["sweep"]
    return found or {}


def _plan_unit(cursor: Cursor, client: NetworkClient, run: StoredRun, unit: WorkUnit) -> dict[str, Any]:
    zone, margin = client.zone.key, timedelta(days=client.facts.edge_overlap_days)
    own, today = run.schedule.days(run.anchor), local_day(run.anchor, zone)
    first, last = network_days(own.first, own.last, run.timezone, zone)
    one_day = ReadRequest(Kind.PURCHASES, first, first)
    window = _Window(
        client.credentials.account,
        run.anchor,
        run.timezone,
        own=(first - margin, last + margin),
        filters=sorted({filter_of(part.traffic) for part in client.slices(one_day)}),
        read_daily_since=None if client.reread_months is None else months_before(today, client.reread_months),
    )
    days, plan = _due(cursor, client.facts, window)
    if unit.sweep is SweepPart.DAYS:
        inside = [
            day.isoformat() for day in plan.days if str(unit.first) <= day.isoformat() <= str(unit.last)
        ]
        return {"open_days": len(days), "days": inside}
    if plan.since is None:
        return {"open_days": len(days)}
    since = min(local_day(plan.since, zone) - _DAY - margin, today)
    return {
        "open_days": len(days),
        "since": since.isoformat(),
        "until": today.isoformat(),
        "known_until": min(run.anchor, now(cursor)).isoformat(),
        "known": [day.isoformat() for day in plan.known],
    }


@dataclass
class _Window:
    """Where a sweep looks.

    :param own: the first and the last day that the run reads anyway.
    :param filters: names of the whole reads that cover a day of the account together; ``None``: not known.
    :param read_daily_since: from which day on the run reads every day again anyway.
    """

    account: str
    anchor: datetime
    zone: str
    own: tuple[date, date]
    filters: list[str] | None = None
    read_daily_since: date | None = None

    def is_read_anyway(self, day: date) -> bool:
        """Tell whether the run reads a day without any sweep."""
        is_reread = self.read_daily_since is not None and day >= self.read_daily_since
        return is_reread or self.own[0] <= day <= self.own[1]


def _due(cursor: Cursor, facts: NetworkFacts, window: _Window) -> tuple[Sequence[OpenDay], SweepPlan]:
    by_change = Filter.CHANGED in facts.kinds[Kind.PURCHASES].filters
    days = _open_days(cursor, facts, window)
    return days, plan_sweep(days, window.anchor, window.zone, by_change=by_change)


# A day that was found settled is not looked at again before it is due.
_OPEN_DAYS = """
WITH looked_at AS MATERIALIZED (
    SELECT a.day, m.changes_at, EXISTS (
        SELECT 1 FROM data_sync.unsettled_purchases(%(today)s::date) u
        WHERE u.account = %(account)s AND u.day = a.day) AS is_open
    FROM unnest(%(days)s::date[], %(paces)s::integer[]) AS a(day, pace)
    LEFT JOIN data_sync.day_maturity m ON m.account = %(account)s AND m.day = a.day
    WHERE m.settled_at IS NULL OR %(today)s::date - (m.settled_at AT TIME ZONE %(zone)s)::date >= a.pace
),
settled AS (
    INSERT INTO data_sync.day_maturity AS m (account, day, settled_at)
    SELECT %(account)s, day, LEAST(%(anchor)s, clock_timestamp()) FROM looked_at
    WHERE NOT is_open ORDER BY day
    ON CONFLICT (account, day) DO UPDATE SET settled_at = GREATEST(m.settled_at, excluded.settled_at)
)
SELECT l.day, l.changes_at AS changes, (
    SELECT CASE WHEN count(*) >= %(needed)s THEN min(r.started_at) END FROM data_sync.reads r
    WHERE r.account = %(account)s AND r.kind = 'purchases' AND r.day = l.day
      AND (r.date_filter = ANY(%(filters)s)
           OR (%(filters)s::text[] IS NULL AND starts_with(r.date_filter, 'occurred')))) AS whole
FROM looked_at l WHERE l.is_open ORDER BY l.day
"""


def _open_days(cursor: Cursor, facts: NetworkFacts, window: _Window) -> list[OpenDay]:
    today = local_day(window.anchor, window.zone)
    ages = {today - timedelta(days=age): age for age in range(facts.horizon_days + 1)}
    days = sorted(day for day in ages if not window.is_read_anyway(day))
    cursor.execute(
        _OPEN_DAYS,
        {
            "account": window.account,
            "anchor": window.anchor,
            "zone": window.zone,
            "today": today,
            "days": days,
            "paces": [pace(ages[day]) for day in days],
            "filters": window.filters,
            "needed": len(window.filters or ["any"]),
        },
    )
    return [OpenDay(**row) for row in cursor]
