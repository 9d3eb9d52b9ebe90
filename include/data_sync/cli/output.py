"""How the commands print: a readable table, or JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from data_sync.database import Database
from data_sync.schema import require_current_schema

_PIPE_WIDTH = 200

as_json = click.option("--json", "json_wanted", is_flag=True, help="Print JSON instead of a table.")


def open_database() -> Database:
    """Open our database for a command.

    :raises DatabaseError: when it does not answer, or its tables are missing or of another version.
    """
    db = Database()
    require_current_schema(db)
    return db


def show(rows: Sequence[Mapping[str, Any]], *, json_wanted: bool, empty: str) -> None:
    """Print rows: the keys of the first one are the columns.

    :param empty: the sentence for no rows.
    """
    if json_wanted:
        click.echo(json.dumps([dict(row) for row in rows], default=_plain, indent=2))
        return
    if not rows:
        click.echo(empty)
        return
    # Only the last column, the longest text, may wrap; a pipe has no width that would make it.
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    table = Table(header_style="bold", box=None, pad_edge=False)
    *others, last = rows[0]
    for name in others:
        number = all(isinstance(row[name], int | Decimal | None) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if number else "left", no_wrap=True)
    table.add_column(last.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
