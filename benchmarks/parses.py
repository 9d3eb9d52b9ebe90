"""Parses of DAG files, each time in a process that is forked from one which has Airflow loaded.

That is how the dag-processor and a worker parse. Run as ``python -m benchmarks.parses MODULE ...`` it loads
these modules first, reads one order per line and answers each with one line. It needs nothing but
Airflow, so that the peer's virtual environment can run it too.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self


@dataclass(frozen=True)
class Parse:
    """What a parse took, in seconds of one core.

    :param build: to execute the DAG files.
    :param start: for all that a worker does with the file before its task begins.
    :param serialize: for Airflow to serialize the DAGs.
    """

    dags: int
    tasks: int
    build: float
    start: float
    serialize: float


class Parses:
    """A process that parses on demand.

    :param python: of the virtual environment.
    :param modules: loaded before the first parse, as they are in the process that Airflow forks.
    :param env: the whole environment.
    """

    def __init__(self, python: Path | str, modules: Sequence[str], env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [str(python), "-m", "benchmarks.parses", *modules],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def parse(self, files: Sequence[Path]) -> Parse:
        """Parse files as the dag-processor does, all of them in one process."""
        return self._order(files, "build", {})

    def start(self, file: Path, dag_id: str, task_id: str) -> Parse:
        """Parse a file as a worker does that is to run a task."""
        context = {"DAG_ID": dag_id, "TASK_ID": task_id}
        named = {f"_AIRFLOW_PARSING_CONTEXT_{name}": value for name, value in context.items()}
        return self._order([file], "start", named)

    def __enter__(self) -> Self:
        """Return it; its process ends with the block."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the process."""
        self._process.communicate()

    def _order(self, files: Sequence[Path], how: str, environment: Mapping[str, str]) -> Parse:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"files": list(map(str, files)), "how": how, "environment": dict(environment)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        while line := self._process.stdout.readline():
            if line.startswith("{"):
                answer = json.loads(line)
                if "error" in answer:
                    raise RuntimeError(f"{files[0]} cannot be parsed: {answer['error']}")
                return Parse(**answer)
        raise RuntimeError(f"the process that parses {files[0]} has ended")


def _as_worker(file: str) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    started = time.process_time()
    bag = DagBag(file)
    took = time.process_time() - started
    if bag.import_errors or not bag.dags:
        raise RuntimeError(f"{file} cannot be parsed: {bag.import_errors}")
    return _answer(list(bag.dags.values()), start=took)


def _as_processor(files: Sequence[str]) -> dict[str, Any]:
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    started = time.process_time()
    modules = [_executed(file) for file in files]
    built = time.process_time()
    dags = [value for module in modules for value in vars(module).values() if isinstance(value, DAG)]
    serializing = time.process_time()
    for dag in dags:
        DagSerialization.to_dict(dag)
    return _answer(dags, build=built - started, serialize=time.process_time() - serializing)


def _executed(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _answer(
    dags: list[Any], *, build: float = 0.0, start: float = 0.0, serialize: float = 0.0
) -> dict[str, Any]:
    return {
        "dags": len(dags),
        "tasks": sum(len(dag.task_dict) for dag in dags),
        "build": build,
        "start": start,
        "serialize": serialize,
    }


def _serve(modules: Sequence[str]) -> None:
    logging.disable(logging.CRITICAL)
    for module in modules:
        importlib.import_module(module)
    # As Airflow's dag-processor does before it forks.
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                os.environ.update(order["environment"])
                files = order["files"]
                done = _as_worker(files[0]) if order["how"] == "start" else _as_processor(files)
            except BaseException as error:
                done = {"error": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(done) + "\n")
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    _serve(sys.argv[1:])
