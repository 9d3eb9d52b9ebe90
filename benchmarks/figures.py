"""Measured figures and sheets of them, and how those of a run are shown and kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One figure.

    :param peer: what it is compared with, measured in the same run; empty where there is no peer.
    :param ratio: how many times better than the peer; ``None`` without one.
    :param goal: the ratio, or the bound of the value, that is wanted; ``None`` where none is set.
    :param met: whether the goal is reached; ``None`` without a goal.
    """

    name: str
    value: float
    unit: str
    peer: str = ""
    ratio: float | None = None
    goal: float | None = None
    met: bool | None = None


@dataclass(frozen=True)
class Sheet:
    """Figures of several things beside each other.

    :param columns: what each number of a line is, its unit included.
    :param lines: what was measured, and its numbers.
    """

    title: str
    columns: Sequence[str]
    lines: Sequence[tuple[str, Sequence[float]]]


Result = Figure | Sheet


def show(results: Sequence[Result]) -> None:
    """Print sheets as they are and the figures as one table."""
    console = Console(width=120)
    for sheet in results:
        if isinstance(sheet, Sheet):
            console.print(_table_of(sheet), "")
    if figures := [figure for figure in results if isinstance(figure, Figure)]:
        console.print(_table_of_figures(figures), "")


def keep(machine: Mapping[str, object], parts: Mapping[str, Sequence[Result]], path: Path) -> None:
    """Write what was measured as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = {name: [asdict(result) for result in results] for name, results in parts.items()}
    path.write_text(json.dumps({"machine": machine, "parts": written}, indent=2) + "\n")


def _table_of(sheet: Sheet) -> Table:
    table = _empty(sheet.title)
    table.add_column("")
    for column in sheet.columns:
        table.add_column(column, justify="right")
    for name, numbers in sheet.lines:
        table.add_row(name, *map(_shown, numbers))
    return table


def _table_of_figures(figures: Sequence[Figure]) -> Table:
    table = _empty("")
    for title in ("figure", "value", "unit", "peer", "ratio", "goal", "met"):
        table.add_column(title, justify="right" if title in ("value", "ratio", "goal") else "left")
    for figure in figures:
        cells = [figure.name, _shown(figure.value), figure.unit, figure.peer]
        cells += ["" if number is None else f"{number:,.2f}" for number in (figure.ratio, figure.goal)]
        table.add_row(*cells, "" if figure.met is None else ("yes" if figure.met else "no"))
    return table


def _empty(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)


def _shown(number: float) -> str:
    if isinstance(number, int):
        return f"{number:,}"
    if number and abs(number) < 10:
        return f"{number:.3f}" if abs(number) < 1 else f"{number:.2f}"
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:,.1f}"
