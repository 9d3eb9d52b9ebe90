"""``data-sync accounts``: which accounts are known, who may use them, and what their credentials can read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from data_sync import accounts as room
from data_sync.airflow_api import AirflowApi
from data_sync.budgets import Budget, list_budgets
from data_sync.checking import FINE
from data_sync.cli.output import as_json, open_database, show
from data_sync.dag.names import QUICK_SYNC
from data_sync.errors import ConfigError
from data_sync.schedules.accounts import AccountRef
from network_clients import registry

_NONE_KNOWN = (
    "No account is known yet. A schedule that names one, or data-sync accounts grant, makes it known."
)
#: Most accounts of one run.
_AT_ONCE = 50


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def accounts(context: click.Context, json_wanted: bool) -> None:
    """List the accounts: Airflow connections of a network, who may use them, what is left of their limits."""
    if context.invoked_subcommand is not None:
        return
    with open_database().transaction() as cursor:
        rows = room.list_accounts(cursor)
        budgets = list_budgets(cursor)
    listed = [
        {
            "account": row["account"],
            "connection": row["state"],
            "everyone": row["everyone"],
            "users": row["users"],
            "last_check": row["check_verdict"],
            "checked_at": row["checked_at"],
            **_budget_columns([b for b in budgets if b.account == row["account"]], json_wanted=json_wanted),
        }
        for row in rows
    ]
    show(listed, json_wanted=json_wanted, empty=_NONE_KNOWN)


def _budget_columns(budgets: Sequence[Budget], *, json_wanted: bool) -> dict[str, Any]:
    if json_wanted:
        return {"budgets": [{k: v for k, v in vars(b).items() if k != "account"} for b in budgets]}
    closed = [b.closed_until for b in budgets if b.closed_until]
    used = "; ".join(
        f"{b.used} of {b.allowed} in {b.per_seconds:g} s" for b in budgets if b.per_seconds is not None
    )
    return {"closed_until": max(closed) if closed else None, "calls_used": used or None}


@accounts.command()
@click.argument("conn_ids", nargs=-1, metavar="CONN_ID...")
@as_json
@click.pass_context
def check(context: click.Context, conn_ids: tuple[str, ...], json_wanted: bool) -> None:
    """Ask the networks what the credentials of the accounts CONN_ID... (or of all) can read.

    Starts a run of quick_sync in Airflow, where the credentials are, and waits for its answers. Exits 1
    unless all are fine.
    """
    with open_database().transaction() as cursor:
        started: datetime = cursor.execute("SELECT clock_timestamp() AS now").fetchall()[0]["now"]
        wanted = list(conn_ids) or [row["account"] for row in room.list_accounts(cursor)]
    if not wanted:
        click.echo(_NONE_KNOWN)
        return
    for conn_id in wanted:
        _require_account(conn_id)
    api = AirflowApi.from_settings()
    for first in range(0, len(wanted), _AT_ONCE):
        names = [str(AccountRef.from_conn_id(conn_id)) for conn_id in wanted[first : first + _AT_ONCE]]
        run_id = api.trigger_now(QUICK_SYNC, {"check": True, "networks": names})
        api.wait_for_run(QUICK_SYNC, run_id, seconds=None)
    rows = [_verdict(conn_id, started) for conn_id in wanted]
    show(rows, json_wanted=json_wanted, empty=_NONE_KNOWN)
    if any(row["verdict"] != FINE for row in rows):
        context.exit(1)


def _verdict(account: str, since: datetime) -> dict[str, Any]:
    with open_database().transaction() as cursor:
        cursor.execute(
            "SELECT check_verdict, check_detail FROM data_sync.accounts "
            "WHERE account = %s AND checked_at >= %s",
            [account, since],
        )
        row = cursor.fetchone()
        if row is None:
            cursor.execute(
                "SELECT error ->> 'verdict' AS verdict, error ->> 'message' AS message "
                "FROM data_sync.sync_logs WHERE account = %s AND kind = 'check' AND created_at >= %s "
                "ORDER BY id DESC LIMIT 1",
                [account, since],
            )
            found = cursor.fetchone() or {"verdict": None, "message": None}
            message = found["message"] or "The run of quick_sync in Airflow says why it did not get there."
            verdict = found["verdict"] or "not checked"
            return {"account": account, "verdict": verdict, "reads": [], "message": message}
    detail = row["check_detail"]
    message = " ".join([detail["message"], *detail["notes"]])
    return {
        "account": account,
        "verdict": row["check_verdict"],
        "reads": detail["readable"],
        "message": message,
    }


@accounts.command()
@click.argument("conn_id")
@click.argument("user")
def grant(conn_id: str, user: str) -> None:
    """Let USER (or everyone) use the account CONN_ID in schedules and quick syncs of their own."""
    _require_account(conn_id)
    with open_database().transaction() as cursor:
        room.grant(cursor, conn_id, user)
    click.echo(f"{user} may use {conn_id}.")


@accounts.command()
@click.argument("conn_id")
@click.argument("user")
def revoke(conn_id: str, user: str) -> None:
    """Take the permission of USER (or everyone) for the account CONN_ID back."""
    with open_database().transaction() as cursor:
        room.revoke(cursor, conn_id, user)
    click.echo(f"{user} may no longer use {conn_id}.")


def _require_account(conn_id: str) -> None:
    """Refuse an id that no account can have; it would be in the way of all others."""
    known = registry.all_networks()
    if room.network_of(conn_id) not in known:
        raise ConfigError(
            f"{conn_id!r} belongs to no network. An account's connection id starts with a network's name, "
            f"as in {known[0]}_default; the networks are {', '.join(known)}."
        )
    if not room.is_account(conn_id):
        raise ConfigError(
            f"{conn_id!r} is no account's connection id: write the network, an underscore and a name in "
            f"lower-case letters and digits, as in {room.network_of(conn_id)}_default."
        )
