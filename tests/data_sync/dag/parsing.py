"""Parses DAG files as the dag-processor does: one process imports Airflow, a fork of it parses each time.

Run as ``python parsing.py`` it reads one order per line (``{"folder": ..., "environment": {...}}``) and
answers each with one line: DAG ids with the hash of their serialized form, their tasks and pools, and
the import errors.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[3]
DAGS = CHECKOUT / "dags"


class Parser:
    """A process that has Airflow loaded and parses on demand.

    :param home: AIRFLOW_HOME of the process.
    :param environment: added to this process's environment.
    """

    def __init__(self, home: Path, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=os.environ
            | {
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            }
            | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def parse(self, folder: Path = DAGS, **environment: str) -> dict[str, Any]:
        """Parse a folder of DAG files; ``environment`` holds for this time only."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        changed = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_")}
        order = {"folder": str(folder), "environment": changed | environment}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        while line := self._process.stdout.readline():
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError("the parsing process ended")

    def stop(self) -> None:
        self._process.communicate("")
        self._process.wait(timeout=30)


def _parse(folder: str) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import DagSerialization

    bag = DagBag(folder)
    dags = {
        dag.dag_id: {
            "hash": SerializedDagModel.hash(DagSerialization.to_dict(dag)),
            "tasks": sorted(dag.task_dict),
            "pools": sorted({task.pool for task in dag.tasks}),
            "timetable": type(dag.timetable).__name__,
        }
        for dag in bag.dags.values()
    }
    print(json.dumps({"dags": dags, "errors": dict(bag.import_errors)}), flush=True)


def _serve() -> None:
    logging.disable(logging.CRITICAL)
    import airflow.dag_processing.dagbag
    import airflow.serialization.serialized_objects  # noqa: F401

    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            os.environ.update(order["environment"])
            _parse(order["folder"])
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    _serve()
