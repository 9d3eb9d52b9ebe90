"""What a sync would cost before it is started: windows, requests, minutes, its share of a day's budget.

An estimate, and it says what it rests on: what the account's last reads took, or, without any, the least that
the network's own rules allow.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data_sync.budgets import Budget, list_budgets
from data_sync.database import Cursor
from data_sync.schedules.accounts import AccountRef
from data_sync.schedules.model import Schedule
from data_sync.schedules.planning import WorkUnit, plan_units
from network_clients import registry
from network_clients.facts import NetworkFacts
from network_clients.records import Kind

_DAY_SECONDS = 86_400
#: How many of an account's newest logs tell what a read takes.
_LOGS = 40

MEASURED, AT_LEAST = "last reads", "at least"


@dataclass(frozen=True)
class Pace:
    """How fast one limit of an account lets calls through.

    :param interval: seconds between two calls.
    :param per_day: calls of a whole day.
    :param left: calls that are left of the limit's window now; ``None`` where none was made yet.
    """

    name: str
    interval: float
    per_day: float
    left: int | None
    closed_until: datetime | None


@dataclass(frozen=True)
class AccountPlan:
    """What one account would be asked.

    :param requests: how many requests.
    :param basis: what that rests on.
    :param minutes: at the account's pace, if nobody else uses it.
    :param share: of the calls that its limits allow in a day, 0 to 1 and beyond.
    :param left_out: kinds that the network does not offer.
    """

    account: str
    network: str
    units: Sequence[WorkUnit]
    requests: int
    basis: str
    minutes: float
    share: float
    pace: Sequence[Pace]
    left_out: Sequence[str]


@dataclass(frozen=True)
class Plan:
    """The whole; accounts are read side by side.

    :param waits_for: open runs of the same schedule: this one would wait for their end.
    :param beside: how many other open runs read one of the accounts, and share its pace.
    """

    schedule: Schedule
    units: Sequence[WorkUnit]
    accounts: Sequence[AccountPlan]
    waits_for: Sequence[Mapping[str, Any]]
    beside: int

    @property
    def requests(self) -> int:
        """All requests together."""
        return sum(account.requests for account in self.accounts)

    @property
    def minutes(self) -> float:
        """Until the slowest account is through."""
        return max((account.minutes for account in self.accounts), default=0.0)


def make_plan(
    cursor: Cursor, schedule: Schedule, anchor: datetime, *, key: str | None, backfill: bool
) -> Plan:
    """Plan a run that would be started at ``anchor`` (aware).

    :param key: of the schedule, where it is one.
    :param backfill: whether past days are read again: then the catalogues are left out.
    """
    units = plan_units(schedule.sync_type, schedule.days(anchor), backfill=backfill)
    budgets: defaultdict[str, dict[str, Budget]] = defaultdict(dict)
    for budget in list_budgets(cursor):
        budgets[budget.account][budget.limit_name] = budget
    plans = []
    for ref in schedule.networks:
        history = _history(cursor, ref.conn_id)
        plans.append(_plan_account(ref, units, history, budgets[ref.conn_id]))
    accounts = [ref.conn_id for ref in schedule.networks]
    return Plan(schedule, units, plans, _waits_for(cursor, key), _beside(cursor, accounts, key))


def _plan_account(
    ref: AccountRef, units: Iterable[WorkUnit], history: Mapping[str, float], budgets: Mapping[str, Budget]
) -> AccountPlan:
    facts = registry.facts_of(ref.network)
    offered = [unit for unit in units if unit.kind in facts.kinds]
    left_out = {unit.kind.value for unit in units if unit.kind not in facts.kinds}
    per_limit: defaultdict[str, int] = defaultdict(int)
    for unit in offered:
        per_limit[facts.kinds[unit.kind].limit] += _requests(unit, facts, history)
    paces = [_pace(facts, name, budgets.get(name)) for name in sorted(per_limit)]
    is_measured = bool(offered) and all(unit.kind.value in history for unit in offered)
    return AccountPlan(
        account=ref.conn_id,
        network=ref.network,
        units=offered,
        requests=sum(per_limit.values()),
        basis=MEASURED if is_measured else AT_LEAST,
        minutes=max((per_limit[pace.name] * pace.interval / 60 for pace in paces), default=0.0),
        share=max((per_limit[pace.name] / pace.per_day for pace in paces), default=0.0),
        pace=paces,
        left_out=sorted(left_out),
    )


def _requests(unit: WorkUnit, facts: NetworkFacts, history: Mapping[str, float]) -> int:
    """Estimate what one unit takes; ``history`` is per day for purchases, else per read."""
    days = _days(unit)
    known = history.get(unit.kind.value)
    if known is not None:
        return max(1, math.ceil(known * days))
    longest = facts.kinds[unit.kind].max_days
    return math.ceil(days / longest) if longest and unit.kind is Kind.PURCHASES else 1


def _days(unit: WorkUnit) -> int:
    if unit.first is None or unit.last is None:
        return 1
    return (datetime.fromisoformat(unit.last) - datetime.fromisoformat(unit.first)).days + 1


def _pace(facts: NetworkFacts, name: str, budget: Budget | None) -> Pace:
    """Return the pace as the account's own calls have it, else as the network declares it."""
    declared = facts.limit(name)
    if budget is not None and budget.allowed and budget.per_seconds:
        interval, left = budget.per_seconds / budget.allowed, budget.left
    else:
        interval, left = declared.interval, None
    closed = budget.closed_until if budget else None
    return Pace(name, interval, _DAY_SECONDS / interval, left, closed)


def _history(cursor: Cursor, account: str) -> dict[str, float]:
    """Return requests per day (purchases) or per read (catalogues) of the account's newest complete reads."""
    cursor.execute(
        """
        SELECT s.kind, sum(s.requests)::float8
            / sum(CASE WHEN s.first_day IS NULL THEN 1 ELSE s.last_day - s.first_day + 1 END) AS requests
        FROM (SELECT id FROM data_sync.sync_logs WHERE account = %s ORDER BY id DESC LIMIT %s) l
        JOIN data_sync.sync_log_steps s ON s.log_id = l.id
        WHERE s.status = 'completed' AND s.requests > 0 GROUP BY s.kind
        """,
        [account, _LOGS],
    )
    return {row["kind"]: row["requests"] for row in cursor}


def _waits_for(cursor: Cursor, key: str | None) -> list[dict[str, Any]]:
    if key is None:
        return []
    return cursor.execute(
        "SELECT id, dag_id, run_id, kind, opened_at FROM data_sync.sync_runs "
        "WHERE state = 'open' AND schedule_key = %s AND refusal IS NULL ORDER BY id",
        [key],
    ).fetchall()


def _beside(cursor: Cursor, accounts: Sequence[str], key: str | None) -> int:
    row = cursor.execute(
        """
        SELECT count(DISTINCT l.sync_run) AS found FROM data_sync.sync_logs l
        WHERE l.status IN ('pending', 'processing', 'held') AND l.account = ANY(%s)
          AND l.schedule_key IS DISTINCT FROM %s::text
        """,
        [list(accounts), key],
    ).fetchone()
    return int(row["found"]) if row else 0
