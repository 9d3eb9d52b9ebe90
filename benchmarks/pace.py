"""What a sync makes of the calls that the network allows, on a fast and on a slow network.

The limit is Admitad's own, and the limiter's turns are what binds: a page asked for later than its turn is a
call lost. The share is counted by the network, between the first page and the last.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.canned import World
from benchmarks.figures import Figure, Result, Sheet
from benchmarks.loads import WrongLoadError, task_command, task_env
from benchmarks.network import Served, serving
from benchmarks.server import Server, running
from benchmarks.units import opened_units
from network_clients.admitad.facts import FACTS

#: How much of what is allowed should be used, in per cent.
_GOAL = 95.0
_LIMIT = FACTS.limits[0]
_COLUMNS = ("units", "pages", "s", "pages/s", "allowed/s", "of the allowed, %", "most in a minute")


@dataclass(frozen=True)
class Trip:
    """A read at the network's real pace.

    :param goal: the share in per cent that is wanted; ``None`` where none is set.
    """

    name: str
    world: World
    goal: float | None


#: Ten days are one unit of work, 28 days four.
TRIPS = (
    Trip("no delay, one unit", World(rows=100_000), goal=None),
    Trip("300 ms a page, one unit", World(rows=50_000, delay=0.3), goal=_GOAL),
    Trip("300 ms a page, windows side by side", World(rows=28 * 4_000, days=28, delay=0.3), goal=_GOAL),
)


def measure() -> list[Result]:
    """Make all trips and return how much of the allowance each has used."""
    with running() as server:
        taken = [(trip, *travel(server, trip)) for trip in TRIPS]
    lines = [(trip.name, _line(units, served)) for trip, units, served in taken]
    return [
        Sheet("At the network's real pace", _COLUMNS, lines),
        *(_figure(trip, served) for trip, _, served in taken),
    ]


def travel(server: Server, trip: Trip) -> tuple[int, Served]:
    """Read everything; as many units at once as the pool lets. Return their number and what was served."""
    with serving(trip.world) as network, server.database() as database:
        units = opened_units(database, network, "pace")

        def read(unit: dict[str, object]) -> None:
            command, env = task_command("pace", unit, real=True), task_env(database, network)
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            if done.returncode:
                raise WrongLoadError(f"a unit failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")

        with ThreadPoolExecutor(FACTS.max_parallel) as pool:
            list(pool.map(read, units))
        [(rows,)] = database.rows("SELECT count(*) FROM data_sync.purchases")
        if rows != trip.world.rows:
            raise WrongLoadError(f"{rows} rows are stored instead of {trip.world.rows}")
        return len(units), network.served()


def _line(units: int, served: Served) -> list[float]:
    pages, seconds, per_second = len(served.pages), _seconds(served), 1 / _LIMIT.interval
    return [units, pages, seconds, (pages - 1) / seconds, per_second, _share(served), _busiest(served)]


def _figure(trip: Trip, served: Served) -> Figure:
    used = _share(served)
    met = None if trip.goal is None else used >= trip.goal
    return Figure(f"{trip.name}: of the allowed calls", used, "%", goal=trip.goal, met=met)


def _share(served: Served) -> float:
    """Return how much of what was allowed between the first page and the last was used, in per cent."""
    return 100 * (len(served.pages) - 1) * _LIMIT.interval / _seconds(served)


def _seconds(served: Served) -> float:
    return max(served.pages) - min(served.pages)


def _busiest(served: Served) -> int:
    """Count the most calls that came within any minute.

    :raises WrongLoadError: when that is more than the network bears.
    """
    times, first, most = sorted(served.pages), 0, 0
    for last, moment in enumerate(times):
        while times[first] <= moment - _LIMIT.per_seconds:
            first += 1
        most = max(most, last - first + 1)
    if most > _LIMIT.calls:
        raise WrongLoadError(f"{most} calls came within {_LIMIT.per_seconds:g} s")
    return most
