"""What it takes to make DAGs of schedules, and what a task pays before it begins, beside dag-factory.

Both build the same number of DAGs of one YAML file on the same machine in the same run, in one process that
is forked from one which has Airflow and the factory loaded. All times are those of one core, so that a busy
machine distorts them little.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.many import ACCOUNTS, PEER_FILE, PEER_TASKS, dag_factory, entry, key_of, schedules
from benchmarks.parses import Parse, Parses
from benchmarks.site import Site
from data_sync.dag.names import dag_id_of, shard_of
from data_sync.local.home import CHECKOUT
from data_sync.local.settings import DAG_PROCESSOR_MARK

PEER = "dag-factory"
_PEER_PYTHON = CHECKOUT / ".venv-bench" / "bin" / "python"

#: How many schedules there are; ``BENCH_SCHEDULES="100 1000"`` leaves the slow end out.
SIZES = tuple(map(int, os.environ.get("BENCH_SCHEDULES", "100 1000 5000").split()))

_PROCESSOR = ("airflow.dag_processing.processor", "airflow.providers.postgres.hooks.postgres")
_WORKER = ("airflow.sdk.execution_time.task_runner", "airflow.dag_processing.dagbag")
_OURS = ("data_sync.dag.factory", "data_sync.dag.source", "data_sync.dag.proving")

_FASTER, _SAME, _LONGEST_PARSE = 2.0, 1.10, 2.0
_STARTS = 25


@dataclass(frozen=True)
class Shape:
    """What the schedules of a comparison look like.

    :param accounts: of our schedules.
    :param peer_accounts: of the peer's; none for a DAG of a single task.
    """

    name: str
    accounts: tuple[str, ...]
    peer_accounts: tuple[str, ...]


#: Our smallest DAG, of three tasks, stands beside the peer's smallest, of one.
SHAPES = (Shape("1 account", ACCOUNTS[:1], ()), Shape("3 accounts", ACCOUNTS, ACCOUNTS))


def measure() -> list[Figure]:
    """Build DAGs and start tasks with each number of schedules, and return the figures."""
    if not _PEER_PYTHON.exists():
        raise SystemExit("dag-factory is not installed: run this by `make bench`.")
    with tempfile.TemporaryDirectory(prefix="data-sync-bench-") as name:
        site = Site(Path(name), schedules(1))
        peer = _Peer(Path(name) / "peer")
        try:
            return [*_builds(site, peer), *_starts(site, peer)]
        finally:
            site.stop()


class _Peer:
    """A folder of dag-factory's own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "peer_tasks.py").write_text(PEER_TASKS)
        self.file = folder / "dags.py"
        self.file.write_text(PEER_FILE)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self.env = kept | {
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            # With 5,000 of our shape it needs longer than the 30 s that Airflow gives a file.
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "900",
            "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "False",
            "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(folder)]),
        }

    def write(self, text: str) -> None:
        self.file.with_name("schedules.yaml").write_text(text)


def _builds(site: Site, peer: _Peer) -> Iterator[Figure]:
    ours = Parses(sys.executable, (*_PROCESSOR, *_OURS), site.env | DAG_PROCESSOR_MARK)
    theirs = Parses(_PEER_PYTHON, (*_PROCESSOR[:1], "dagfactory"), peer.env)
    with ours, theirs:
        for shape in SHAPES:
            for count in SIZES:
                peer.write(dag_factory(count, shape.peer_accounts))
                found = _built(site, ours, count, shape), theirs.parse([peer.file])
                what = f"{count:,} schedules of {shape.name}"
                yield from _compare(what, count, *found)
            # Of the real shape, one file in a process, as the dag-processor parses it.
            alone = [ours.parse([file]) for file in site.shards]
            took = max(parse.build + parse.serialize for parse in alone)
            name, goal = f"{what}: longest parse of a shard", _LONGEST_PARSE
            yield Figure(name, took, "s", goal=goal, met=took <= goal)


def _built(site: Site, parses: Parses, count: int, shape: Shape) -> tuple[Parse, Parse, Parse]:
    """Build all DAGs for the first time, without a change, and after an edit of one schedule."""
    text = schedules(count, shape.accounts)
    site.write(text)
    first, rest = parses.parse(site.shards), parses.parse(site.shards)
    site.write(text.replace(entry(0), entry(0, "interval: 6h")))
    return first, rest, parses.parse(site.shards)


def _compare(what: str, count: int, ours: tuple[Parse, Parse, Parse], theirs: Parse) -> Iterator[Figure]:
    first, rest, edited = ours
    if {parse.dags for parse in (*ours, theirs)} != {count}:
        raise RuntimeError(f"not all of the {count} DAGs were built")
    per_task = rest.build / rest.tasks, theirs.build / theirs.tasks
    for name, mine, other in (
        ("build, per DAG", rest.build / count, theirs.build / count),
        ("build, per task", *per_task),
        ("build after an edit, per DAG", edited.build / count, theirs.build / count),
        ("first build, each tried out, per DAG", first.build / count, theirs.build / count),
        ("Airflow's serialization, per DAG", rest.serialize / count, theirs.serialize / count),
    ):
        ratio = other / mine
        goal, met = (_FASTER, ratio >= _FASTER) if "per task" in name else (None, None)
        shown = f"{PEER} {other * 1000:.2f}"
        yield Figure(f"{what}: {name}", mine * 1000, "ms", shown, ratio, goal, met)


def _starts(site: Site, peer: _Peer) -> list[Figure]:
    """What a task start pays with one schedule and with many; they take turns, against drift."""
    sizes = (1, *SIZES)
    files = {count: _worker_file(site, count) for count in sizes}
    found: dict[int, list[float]] = {count: [] for count in sizes}
    with Parses(sys.executable, _WORKER, site.env) as parses:
        for _ in range(_STARTS):
            for count, file in files.items():
                dag_id = dag_id_of(key_of(count - 1))
                found[count].append(parses.start(file, dag_id, f"{ACCOUNTS[0]}.sync").start)
    ours = {count: statistics.median(times) for count, times in found.items()}
    theirs = {}
    with Parses(_PEER_PYTHON, _WORKER, peer.env) as parses:
        for count in sizes:
            peer.write(dag_factory(count, ACCOUNTS))
            theirs[count] = parses.start(peer.file, key_of(count - 1), "open_run").start
    figures = []
    for count in sizes:
        name = f"task start with {count:,} schedule{'s' if count > 1 else ''}"
        shown, ratio = f"{PEER} {theirs[count] * 1000:,.0f}", theirs[count] / ours[count]
        figures.append(Figure(name, ours[count] * 1000, "ms", shown, ratio))
    many = ours[sizes[-1]] / ours[1]
    name = f"task start with {sizes[-1]:,} schedules, as a multiple of that with 1"
    return [*figures, Figure(name, many, "times", goal=_SAME, met=many <= _SAME)]


def _worker_file(site: Site, count: int) -> Path:
    """Make the checkout that a worker sees, and return the file of its last schedule."""
    folder = site.root.parent / f"worker-{count}"
    (folder / "config").mkdir(parents=True)
    (folder / "dags").symlink_to(site.root / "dags")
    (folder / "config" / "schedules.yaml").write_text(schedules(count))
    return folder / "dags" / "shards" / f"shard_{shard_of(key_of(count - 1)):02}.py"
