"""What the parts of a load cost by themselves, as little as they can: the floor under any engine."""

from __future__ import annotations

import json
import os
import statistics
import sys

from benchmarks.canned import World
from benchmarks.figures import Result, Sheet
from benchmarks.floor_load import FLOORS
from benchmarks.loads import taken
from benchmarks.network import serving
from benchmarks.server import running
from data_sync.local.home import CHECKOUT

_ROWS, _ROUNDS = 100_000, 3
_COLUMNS = ("s", "CPU s", "Postgres CPU s", "WAL MB")


def measure() -> list[Result]:
    """Do each part in a process of its own, three times in turns."""
    found: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in FLOORS}
    with running() as server, serving(World(rows=_ROWS)) as network, server.database(empty=True) as database:
        days = [f"{day:%d.%m.%Y}" for day in network.days]
        order = {"url": network.url, "database": database.plain_url, "days": days, "rows": _ROWS}
        for _ in range(_ROUNDS):
            for name in FLOORS:
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks.floor_load",
                    json.dumps({**order, "floor": name}),
                ]
                usage, cost, _served = taken(
                    database, network, command, {**os.environ, "PYTHONPATH": str(CHECKOUT)}
                )
                found[name].append((usage.seconds, usage.cpu, cost.cpu, cost.wal))
    lines = [
        (name, [statistics.median(column) for column in zip(*rounds, strict=True)])
        for name, rounds in found.items()
    ]
    return [Sheet(f"Floors, {_ROWS:,} purchases, median of {_ROUNDS} rounds", _COLUMNS, lines)]
