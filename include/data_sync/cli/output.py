"""How the commands print: a readable table, or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.table import Table

as_json = click.option("--json", "json_wanted", is_flag=True, help="Print JSON instead of a table.")


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
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in rows[0]:
        number = all(isinstance(row[name], int | Decimal | None) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console = Console()
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
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
