"""``data-sync accounts``: which accounts are known, and who may use them."""

from __future__ import annotations

import click

from data_sync import accounts as room
from data_sync.cli.output import as_json, show
from data_sync.database import Database
from data_sync.errors import ConfigError
from network_clients import registry


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def accounts(context: click.Context, json_wanted: bool) -> None:
    """List the accounts: Airflow connections of a network, and who may use them."""
    if context.invoked_subcommand is not None:
        return
    with Database().transaction() as cursor:
        rows = room.list_accounts(cursor)
    empty = "No account is known yet. A schedule that names one, or data-sync accounts grant, makes it known."
    show(rows, json_wanted=json_wanted, empty=empty)


@accounts.command()
@click.argument("conn_id")
@click.argument("user")
def grant(conn_id: str, user: str) -> None:
    """Let USER (or everyone) use the account CONN_ID in schedules of their own."""
    _require_network(conn_id)
    with Database().transaction() as cursor:
        room.grant(cursor, conn_id, user)
    click.echo(f"{user} may use {conn_id}.")


@accounts.command()
@click.argument("conn_id")
@click.argument("user")
def revoke(conn_id: str, user: str) -> None:
    """Take the permission of USER (or everyone) for the account CONN_ID back."""
    with Database().transaction() as cursor:
        room.revoke(cursor, conn_id, user)
    click.echo(f"{user} may no longer use {conn_id}.")


def _require_network(conn_id: str) -> None:
    known = registry.all_networks()
    if room.network_of(conn_id) not in known:
        raise ConfigError(
            f"{conn_id!r} belongs to no network. An account's connection id starts with a network's name, "
            f"as in {known[0]}_default; the networks are {', '.join(known)}."
        )
