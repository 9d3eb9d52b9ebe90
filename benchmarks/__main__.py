"""``make bench``: measures the parts that are asked for in one run; also kept in ``build/bench.json``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks import api, builds, floors, loads, pace, processor, task_cost
from benchmarks.figures import Result, keep, show

#: The parts by name, in the order of the report.
PARTS: dict[str, Callable[[], Sequence[Result]]] = {
    "loads": loads.measure,
    "million": loads.measure_million,
    "floors": floors.measure,
    "pace": pace.measure,
    "tasks": task_cost.measure,
    "builds": builds.measure,
    "processor": processor.measure,
    "api": api.measure,
}
#: What is left out unless it is named: it takes long.
LONG = frozenset({"million", "processor", "api"})


def main(names: Sequence[str]) -> None:
    """Measure, print, keep."""
    if unknown := [name for name in names if name not in PARTS]:
        raise SystemExit(f"There is no part {unknown[0]!r}. The parts are: {', '.join(PARTS)}.")
    found: dict[str, Sequence[Result]] = {}
    for name in names or [name for name in PARTS if name not in LONG]:
        found[name] = PARTS[name]()
        show(found[name])
    machine = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "memory GiB": round(psutil.virtual_memory().total / 2**30),
        "load averages at the end": os.getloadavg(),
    }
    keep(machine, found, Path("build", "bench.json"))


if __name__ == "__main__":
    main(sys.argv[1:])
