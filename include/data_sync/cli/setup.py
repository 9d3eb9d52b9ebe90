"""``data-sync migrate`` and ``data-sync sandbox``."""

from __future__ import annotations

import click


@click.command()
@click.option("--pools/--no-pools", default=True, help="Also make the Airflow pools of the networks.")
def migrate(pools: bool) -> None:
    """Bring the tables of the database data_sync to this version; safe to run again at any time."""
    from data_sync import migrate as migrations
    from data_sync.pools import make_pools

    click.echo(f"The tables are at revision {migrations.migrate()}.")
    if not pools:
        return
    made = make_pools()
    click.echo(f"Pools made: {', '.join(made)}." if made else "All pools are there.")


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def sandbox(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Serve the sandbox networks, to try everything without an account (--help lists its options)."""
    from sandbox_networks.server import main

    context.exit(main(list(arguments)))
