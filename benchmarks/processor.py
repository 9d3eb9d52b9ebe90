"""What Airflow's real dag-processor takes while nothing changes, with many schedules of three accounts.

Measured over whole rounds of all files and held against the interval at which it parses each: a busy machine
makes a round longer, and its cost no smaller. Postgres is not in it. Each shard file notes what it takes
itself; everything else (forks, serialization, the writes into Airflow's database) is Airflow's own.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import edits
from benchmarks.builds import SIZES
from benchmarks.figures import Figure
from benchmarks.many import schedules
from benchmarks.site import Site

_GOAL = 30.0
_FIRST_SECONDS, _ROUND_SECONDS = 900.0, 600.0


@dataclass(frozen=True)
class Load:
    """A number of schedules, how often each file is parsed (seconds), and for how many rounds to look."""

    schedules: int
    interval: int
    rounds: int


LOADS = (Load(1000, 30, 3), Load(5000, 120, 1))

_METERED = """\
import time

_started = time.process_time()
{source}
_took = time.process_time() - _started
with open({notes!r}, "a") as _notes:
    _notes.write(f"{{_took}}\\n")
"""


def measure() -> list[Figure]:
    """Run a dag-processor with each number of schedules, and return the figures."""
    loads = [load for load in LOADS if load.schedules in SIZES]
    return [figure for load in loads for figure in _measure(load)]


def _measure(load: Load) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="data-sync-bench-") as name:
        options = {("dag_processor", "min_file_process_interval"): str(load.interval)}
        site = Site(Path(name), schedules(load.schedules), options)
        notes = Path(name) / "parses"
        for shard in site.shards:
            shard.write_text(_METERED.format(source=shard.read_text(), notes=str(notes)))
        try:
            site.start()
            yield from _at_rest(site, load, notes)
            yield from edits.measure(site, f"dag-processor, {load.schedules:,} schedules")
        finally:
            site.stop()


def _at_rest(site: Site, load: Load, notes: Path) -> Iterator[Figure]:
    what = f"dag-processor, {load.schedules:,} schedules"
    all_there = site.until(lambda: site.current() >= load.schedules, "all schedules", _FIRST_SECONDS)
    yield Figure(f"{what}: from an empty database to all of them", all_there, "s")
    # The first round makes proofs of them; the ones after it are alike.
    _wait_for_parses(notes, 2 * len(site.shards), lambda: None)
    peaks: list[tuple[float, float]] = []
    done, cpu = len(_taken(notes)), site.cpu()
    _wait_for_parses(notes, done + load.rounds * len(site.shards), lambda: peaks.append(site.memory()))
    used = site.cpu()
    taken = _taken(notes)[done:]
    nominal = load.interval * len(taken) / len(site.shards)
    total = 100 * (used.manager - cpu.manager + used.parses - cpu.parses) / nominal
    ours = 100 * sum(taken) / nominal
    every = f"every {load.interval} s"
    yield Figure(f"{what}, {every}: of one core", total, "%", goal=_GOAL, met=total <= _GOAL)
    yield Figure(f"{what}, {every}: of it Airflow's own", total - ours, "%")
    yield Figure(f"{what}, {every}: of it our making of DAGs", ours, "%")
    longest = site.rows("SELECT max(last_parse_duration) FROM dag WHERE NOT is_stale")[0][0]
    yield Figure(f"{what}: longest parse by the clock, stored", longest, "s")
    yield Figure(f"{what}: memory", max(peak[0] for peak in peaks), "MiB")
    yield Figure(f"{what}: memory of a parse besides", max(peak[1] for peak in peaks), "MiB")


def _taken(notes: Path) -> list[float]:
    return [float(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def _wait_for_parses(notes: Path, number: int, look: Callable[[], None]) -> None:
    deadline = time.monotonic() + _ROUND_SECONDS
    while len(_taken(notes)) < number:
        if time.monotonic() > deadline:
            raise TimeoutError("the dag-processor parses no more")
        look()
        time.sleep(0.5)
