"""Networks: what they offer and allow, how their accounts stand, and checking an account at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from data_sync.budgets import Budget, list_budgets
from data_sync.checking import FINE, Verdict, check_now
from data_sync.dag.connections import PoolUse, connected_accounts, pool_use
from data_sync.looking.accounts import sees_account, visible_accounts
from data_sync.schedules.accounts import AccountRef
from network_clients import registry
from network_clients.facts import NetworkFacts
from sync_api.access import Caller, Reader, Tester
from sync_api.breaker import in_thread
from sync_api.problems import Problem
from sync_api.room import Tables, problems, room, viewer_of
from sync_api.shapes.networks import (
    AccountBudget,
    AccountCheck,
    AccountId,
    LastLog,
    Network,
    NetworkAccount,
    NetworkCollection,
    NetworkKind,
    NetworkLimit,
    PoolSlots,
)

router = room("/networks", "Networks")

#: How long a caller waits for a network, and of that for the account's turn at its pace, in seconds.
_ANSWER_SECONDS, _TURN_SECONDS = 20.0, 2.0
_BAD = ("failed",)
_BUSY = "rate limited"


@router.get("")
def list_networks(caller: Reader, db: Tables) -> NetworkCollection:
    """List all networks: what each offers, its limits, and the accounts that you may use."""
    pools = pool_use()
    stored = connected_accounts() if caller.is_admin else []
    with db.transaction() as cursor:
        rows = {row["account"]: row for row in visible_accounts(cursor, viewer_of(caller))}
        budgets: defaultdict[str, list[Budget]] = defaultdict(list)
        for budget in list_budgets(cursor):
            budgets[budget.account].append(budget)
    for account in stored:
        # Nothing has used it yet.
        rows.setdefault(account, _new(account))
    accounts: defaultdict[str, list[NetworkAccount]] = defaultdict(list)
    for account in sorted(rows):
        accounts[rows[account]["network"]].append(_account(rows[account], budgets[account]))
    items = [_network(slug, pools, accounts[slug]) for slug in registry.all_networks()]
    return NetworkCollection(items=items, total_entries=len(items))


@router.post("/{account}/test", responses=problems(404))
async def check_account(caller: Tester, db: Tables, account: AccountId) -> AccountCheck:
    """Ask the network now what the credentials of an account can read; the answer is kept for everybody."""
    await in_thread(_require_account, caller, db, account)
    asked = asyncio.ensure_future(in_thread(_check, db, account, of="networks"))
    try:
        verdict = await asyncio.wait_for(asyncio.shield(asked), _ANSWER_SECONDS)
    except TimeoutError:
        verdict = Verdict(
            "unreachable",
            f"The network has not answered within {_ANSWER_SECONDS:.0f} s. What it answers later is kept: "
            "see the list of networks.",
        )
    return AccountCheck(account=account, verdict=verdict.word, **verdict.to_dict())


def _require_account(caller: Caller, db: Tables, account: str) -> None:
    with db.transaction() as cursor:
        is_known = sees_account(cursor, viewer_of(caller), account)
    if not is_known and not (caller.is_admin and account in connected_accounts()):
        raise Problem(
            404,
            "account-missing",
            f"There is no account {account!r} for you: GET /sync/networks lists yours.",
        )


def _check(db: Tables, account: str) -> Verdict:
    return check_now(db, account, longest_wait=_TURN_SECONDS)


def _new(account: str) -> dict[str, Any]:
    network = AccountRef.from_conn_id(account).network
    nothing = dict.fromkeys(("check_verdict", "check_detail", "checked_at", "last_log"))
    return {"account": account, "network": network, "state": "present", "everyone": False, **nothing}


def _network(slug: str, pools: Mapping[str, PoolUse], accounts: Sequence[NetworkAccount]) -> Network:
    facts = registry.facts_of(slug)
    pool = pools.get(facts.pool)
    return Network(
        slug=slug,
        title=facts.title,
        timezone=facts.zone,
        timezone_grade=facts.zone_grade.value,
        connection_type=facts.connection_type,
        docs_url=facts.docs_url,
        has_statuses=facts.reports_status,
        kinds=_kinds(facts),
        limits=_limits(facts),
        notes=list(facts.notes),
        pool=PoolSlots(name=facts.pool, **vars(pool)) if pool else None,
        accounts=list(accounts),
    )


def _kinds(facts: NetworkFacts) -> list[NetworkKind]:
    return [
        NetworkKind(
            kind=kind.value,
            has_days=bool(of.filters),
            longest_window_days=of.max_days,
            grade=of.grade.value,
        )
        for kind, of in facts.kinds.items()
    ]


def _limits(facts: NetworkFacts) -> list[NetworkLimit]:
    return [
        NetworkLimit(
            name=limit.name,
            calls=limit.calls,
            per_seconds=limit.per_seconds,
            used_calls=limit.allowed,
            at_once=limit.max_in_flight,
            grade=limit.grade.value,
            source=limit.source,
            last_verified=limit.last_verified,
        )
        for limit in facts.limits
    ]


def _account(row: Mapping[str, Any], budgets: Sequence[Budget]) -> NetworkAccount:
    detail = row["check_detail"] or {}
    return NetworkAccount(
        account=row["account"],
        value=str(AccountRef.from_conn_id(row["account"])),
        connection=row["state"],
        everyone=row["everyone"],
        verdict=row["check_verdict"],
        message=detail.get("message"),
        checked_at=row["checked_at"],
        budgets=[budget_of(budget) for budget in budgets],
        last_log=LastLog(**row["last_log"]) if row["last_log"] else None,
        health=_health(row),
    )


def budget_of(budget: Budget) -> AccountBudget:
    """Return a limit as it is shown."""
    values = {name: value for name, value in vars(budget).items() if name not in ("account", "limit_name")}
    return AccountBudget(limit=budget.limit_name, **values)


def _health(row: Mapping[str, Any]) -> str:
    """Judge an account by its last check and its last log."""
    last = (row["last_log"] or {}).get("status")
    if row["state"] == "missing" or row["check_verdict"] not in (None, FINE, _BUSY) or last in _BAD:
        return "bad"
    return "good" if row["check_verdict"] == FINE or last == "completed" else "unknown"
