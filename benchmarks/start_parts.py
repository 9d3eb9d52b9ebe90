"""A process that is forked as Airflow forks tasks, and notes what each step to the first row costs it.

Started by :mod:`benchmarks.task_cost`. Seconds are those of one core: a busy machine distorts them little.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module

#: What the scheduler's executor has loaded before it forks a worker, and the worker before it forks a task.
_LOADED = (
    "airflow.jobs.scheduler_job_runner",
    "airflow.executors.local_executor",
    "airflow.sdk.execution_time.supervisor",
)
_FORKS = 9


def _parse() -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(os.path.join("dags", "quick_sync.py"))
    if bag.import_errors or not bag.dags:
        raise RuntimeError(str(bag.import_errors))


def _connect() -> None:
    from data_sync.database import Database

    db = Database()
    with db.transaction() as cursor:
        cursor.execute("SELECT 1")
    db.close()


#: In the order of a task; each finds what the ones before have loaded.
STEPS: dict[str, Callable[[], object]] = {
    "Airflow's task runner": lambda: import_module("airflow.sdk.execution_time.task_runner"),
    "the DAG's skeleton": _parse,
    "what the task does": lambda: import_module("data_sync.dag.work"),
    "the network's client": lambda: import_module("network_clients.admitad.client"),
    "the connection to our database": _connect,
}


def _measured() -> dict[str, tuple[float, int]]:
    found = {}
    for name, step in STEPS.items():
        used, had = time.process_time(), len(sys.modules)
        step()
        found[name] = time.process_time() - used, len(sys.modules) - had
    return found


def _forked() -> dict[str, tuple[float, int]]:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, json.dumps(_measured()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        found: dict[str, tuple[float, int]] = json.loads(pipe.read())
    os.wait()
    return found


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for module in _LOADED:
        import_module(module)
    taken = [_forked() for _ in range(_FORKS)]
    medians = {name: (statistics.median(one[name][0] for one in taken), taken[0][name][1]) for name in STEPS}
    sys.stdout.write("\n" + json.dumps(medians) + "\n")
