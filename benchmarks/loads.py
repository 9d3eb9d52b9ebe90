"""Loads of purchases, campaigns and coupons: ours beside dlt's, in turns, into one Postgres.

Each load is a process of its own, and after each one its rows and sums are checked: a load that stores
something else than the network showed measures nothing. Rounds alternate between the two, so that both meet
the machine as it is; figures are medians.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from benchmarks.canned import World
from benchmarks.figures import Figure, Result, Sheet
from benchmarks.network import Network, Served, serving
from benchmarks.server import Cost, Database, Server, running
from benchmarks.units import ACCOUNT, DAG_ID, opened_units
from benchmarks.usage import Usage, read
from data_sync.local.home import CHECKOUT

DLT_PYTHON = CHECKOUT / ".venv-dlt" / "bin" / "python"

#: What a load finds, and the state of the network that it is read in.
FIRST, AGAIN, CHANGED = "first load", "same again", "1 % changed"
_SERIES = ((FIRST, "first"), (AGAIN, "first"), (CHANGED, "changed"))

#: How many times faster than dlt's best a load should be.
_GOALS = {FIRST: 4.0, AGAIN: 10.0, CHANGED: 10.0}
_MOST_MEMORY = 150.0
_COLUMNS = (
    "s",
    "rows/s",
    "CPU s",
    "Postgres CPU s",
    "peak MiB",
    "modules' MiB",
    "WAL MB",
    "dead rows",
    "network CPU s",
)


class WrongLoadError(Exception):
    """Raised when a load has not stored what the network showed."""


@dataclass(frozen=True)
class Load:
    """A load and what it cost.

    :param what: :data:`FIRST`, :data:`AGAIN` or :data:`CHANGED`.
    :param network: seconds of one core that the network took to serve it.
    """

    tool: str
    what: str
    rows: int
    usage: Usage
    cost: Cost
    network: float


def measure() -> list[Result]:
    """Load 100,000 purchases in three rounds, then campaigns and coupons."""
    with running() as server:
        return [*_purchases(server, 100_000, rounds=3), *_catalogues(server)]


def measure_million() -> list[Result]:
    """Load 1,000,000 purchases in one round."""
    with running() as server:
        return list(_purchases(server, 1_000_000, rounds=1))


def _purchases(server: Server, rows: int, *, rounds: int) -> Iterator[Result]:
    if not DLT_PYTHON.exists():
        raise SystemExit("dlt is not installed: run this by `make bench`.")
    with serving(World(rows=rows)) as network:
        loads = list(chain.from_iterable(rounds_of(server, network, ours, dlt) for _ in range(rounds)))
    what = f"{rows:,} purchases, {'median of ' + str(rounds) + ' rounds' if rounds > 1 else 'one round'}"
    yield Sheet(what, _COLUMNS, [_line(alike) for alike in _alike(loads)])
    yield from _compared(loads, f"{rows:,} purchases")


def rounds_of(
    server: Server, network: Network, *tools: Callable[[Server, Network], Iterator[Load]]
) -> Iterator[Load]:
    """Let each tool load in turn, into a new database, all states of the network one after the other."""
    for tool in tools:
        for load in tool(server, network):
            # A run takes long, and what has been measured so far should not be lost with it.
            sys.stderr.write(f"{load}\n")
            yield load


def ours(server: Server, network: Network) -> Iterator[Load]:
    """Load with a sync task, its limiter on and not binding."""
    with server.database() as database:
        for what, state in _SERIES:
            network.become(state)
            units = opened_units(database, network, what)
            if len(units) != 1:
                raise WrongLoadError(f"the days are read in {len(units)} units instead of one")
            usage, cost, served = taken(
                database, network, task_command(what, units[0]), task_env(database, network)
            )
            _require(database, served, "data_sync.purchases", "commission")
            _require_counts(database, what, served)
            yield Load("Affiliate Data Sync", what, served.rows, usage, cost, served.cpu)


def dlt(server: Server, network: Network) -> Iterator[Load]:
    """Load with dlt."""
    first, last = (f"{day:%d.%m.%Y}" for day in network.days)
    with server.database(empty=True) as database, tempfile.TemporaryDirectory(dir=server.folder) as folder:
        order = {"url": network.url, "database": database.plain_url, "folder": folder, "days": [first, last]}
        for what, state in _SERIES:
            network.become(state)
            command = [str(DLT_PYTHON), "-m", "benchmarks.dlt_peer", json.dumps(order)]
            usage, cost, served = taken(
                database, network, command, {**os.environ, "PYTHONPATH": str(CHECKOUT)}
            )
            _require(database, served, "affiliate.actions", "payment")
            yield Load("dlt", what, served.rows, usage, cost, served.cpu)


def task_command(run_id: str, unit: dict[str, Any], *, real: bool = False) -> list[str]:
    """Return the command of a sync task; ``real`` keeps the network's own limit."""
    order = {"dag_id": DAG_ID, "run_id": run_id, "account": ACCOUNT, "unit": unit, "real": real}
    return [sys.executable, "-m", "benchmarks.our_load", json.dumps(order)]


def task_env(database: Database, network: Network) -> dict[str, str]:
    """Return the environment of a sync task."""
    connections = {
        "AIRFLOW_CONN_DATA_SYNC": database.airflow_url,
        f"AIRFLOW_CONN_{ACCOUNT.upper()}": network.connection,
    }
    return {**os.environ, **connections, "PYTHONPATH": str(CHECKOUT)}


def taken(
    database: Database, network: Network, command: Sequence[str], env: dict[str, str]
) -> tuple[Usage, Cost, Served]:
    """Let a process load, and return what that cost it, the server and the network.

    :raises WrongLoadError: when it fails.
    """
    before = network.served()
    with database.costs() as costs:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise WrongLoadError(f"a load failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    served = network.served()
    return read(done.stdout), costs[0], replace(served, cpu=served.cpu - before.cpu)


def _require(database: Database, served: Served, table: str, amount: str) -> None:
    found = database.rows(f"SELECT count(*), sum({amount}) * 10000 FROM {table}")[0]  # noqa: S608
    if (int(found[0]), int(found[1])) != (served.rows, served.units):
        raise WrongLoadError(f"{table} holds {found} instead of {served.rows} rows, {served.units}")


def _require_counts(database: Database, what: str, served: Served) -> None:
    """Hold what the log says against what the network has changed."""
    found = database.rows(
        "SELECT s.rows_inserted, s.rows_updated FROM data_sync.sync_log_steps s "
        "JOIN data_sync.sync_logs l ON l.id = s.log_id JOIN data_sync.sync_runs r ON r.id = l.sync_run "
        "WHERE r.run_id = %s",
        what,
    )[0]
    changed = served.rows // 100 if what == CHANGED else 0
    if found != (served.rows if what == FIRST else 0, changed):
        raise WrongLoadError(f"the log of {what!r} counts {found}")
    changes = database.rows("SELECT count(*) FROM data_sync.purchase_changes")[0][0]
    if what == CHANGED and changes < changed:
        raise WrongLoadError(f"the history holds {changes} changes instead of {changed}")


def _catalogues(server: Server) -> Iterator[Result]:
    loads = []
    with serving(World(rows=0, campaigns=10_000, coupons=20_000)) as network, server.database() as database:
        for kind, rows in (("campaigns", 10_000), ("coupons", 20_000)):
            for what in (FIRST, AGAIN):
                [unit] = opened_units(database, network, f"{kind}: {what}", kind)
                command = task_command(f"{kind}: {what}", unit)
                usage, cost, served = taken(database, network, command, task_env(database, network))
                [(found,)] = database.rows(f"SELECT count(*) FROM data_sync.{kind}")  # noqa: S608
                if found != rows:
                    raise WrongLoadError(f"{kind} holds {found} rows instead of {rows}")
                loads.append(Load(f"{rows:,} {kind}", what, rows, usage, cost, served.cpu))
    yield Sheet("Campaigns and coupons, one round", _COLUMNS, [_line([load]) for load in loads])


def _alike(loads: Sequence[Load]) -> Iterator[list[Load]]:
    for tool, what in dict.fromkeys((load.tool, load.what) for load in loads):
        yield [load for load in loads if (load.tool, load.what) == (tool, what)]


def _line(loads: Sequence[Load]) -> tuple[str, list[float]]:
    """Return the medians of loads of the same."""
    seconds = _median(loads, lambda load: load.usage.seconds)
    numbers = [
        seconds,
        loads[0].rows / seconds,
        _median(loads, lambda load: load.usage.cpu),
        _median(loads, lambda load: load.cost.cpu),
        max(load.usage.memory for load in loads),
        _median(loads, lambda load: load.usage.held),
        _median(loads, lambda load: load.cost.wal),
        round(_median(loads, lambda load: load.cost.dead)),
        _median(loads, lambda load: load.network),
    ]
    return f"{loads[0].tool}: {loads[0].what}", numbers


def _median(loads: Sequence[Load], of: Callable[[Load], float]) -> float:
    return statistics.median(map(of, loads))


def _compared(loads: Sequence[Load], name: str) -> Iterator[Figure]:
    tools = list(dict.fromkeys(load.tool for load in loads))
    for what, goal in _GOALS.items():
        mine, theirs = ([load for load in loads if (load.tool, load.what) == (tool, what)] for tool in tools)
        for unit, of, wanted in (
            ("s", lambda load: load.usage.seconds, goal),
            ("CPU s with Postgres's", lambda load: load.usage.cpu + load.cost.cpu, None),
            ("MB of WAL", lambda load: load.cost.wal, None),
        ):
            own, peer = _median(mine, of), _median(theirs, of)
            ratio = peer / own if own else 0.0
            met = None if wanted is None else ratio >= wanted
            yield Figure(f"{name}, {what}", own, unit, f"{tools[1]} {peer:,.2f}", ratio, wanted, met)
    memory = max(load.usage.memory for load in loads if load.tool == tools[0])
    yield Figure(f"{name}: peak memory", memory, "MiB", goal=_MOST_MEMORY, met=memory < _MOST_MEMORY)
