"""A measured figure, and how the figures of a run are shown and kept."""

from __future__ import annotations

import json
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


def show(figures: list[Figure]) -> None:
    """Print the figures as a table."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("figure", "value", "unit", "peer", "ratio", "goal", "met"):
        table.add_column(title, justify="right" if title in ("value", "ratio", "goal") else "left")
    for figure in figures:
        cells = [figure.name, f"{figure.value:,.3f}", figure.unit, figure.peer]
        cells += ["" if number is None else f"{number:,.2f}" for number in (figure.ratio, figure.goal)]
        table.add_row(*cells, "" if figure.met is None else ("yes" if figure.met else "no"))
    Console(width=120).print(table)


def keep(figures: list[Figure], path: Path) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
