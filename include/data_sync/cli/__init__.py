"""The command ``data-sync``: set up, look, check, and start syncs from a shell."""

from __future__ import annotations

import sys

import click
import psycopg

from data_sync import __version__
from data_sync.cli import accounts, exchange, looking, openapi, schedules, setup, starting, status
from data_sync.errors import DataSyncError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="data-sync")
def cli() -> None:
    """Campaigns, coupons and purchases of affiliate networks, in your own Postgres."""


for command in (
    setup.migrate,
    setup.sandbox,
    schedules.validate,
    schedules.schedules,
    exchange.diff,
    exchange.export,
    exchange.import_,
    exchange.reparse,
    looking.logs,
    looking.totals,
    accounts.accounts,
    status.status,
    starting.backfill,
    starting.retry,
    starting.cancel,
    openapi.openapi,
):
    cli.add_command(command)


def main() -> None:
    """Run the command; an error that a person can mend is one sentence, not a traceback."""
    try:
        cli()
    except (DataSyncError, psycopg.OperationalError) as error:
        click.echo(f"data-sync: {error}", err=True)
        sys.exit(1)
