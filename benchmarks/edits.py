"""How long an edit takes until Airflow has it, with many schedules and nothing else going on.

A schedule is changed on the screens and in the file; each time it counts from when that is stored to when
Airflow has stored the new form of its DAG.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.many import entry, key_of
from benchmarks.site import Site
from data_sync.dag.names import dag_id_of

_GOAL = 5.0
_SECONDS = 300.0

#: As the api-server does it: everything is loaded before the edit.
_LIVE = """
import sys, time
import airflow.models.dagbag
from data_sync.dag import live, reparse
from data_sync.database import Database
from data_sync.schedules.model import Schedule

words = {"key": "mine", "networks": ["admitad"], "interval": sys.argv[1], "date_range": "yesterday"}
schedule, revision = Schedule.from_dict(words), int(sys.argv[2])
if revision:
    live.change(Database(), schedule, revision=revision, trusted=True)
else:
    live.create(Database(), schedule, owner="bench", trusted=True)
print(time.time(), flush=True)
reparse.wait_until_read(300)
"""


@dataclass(frozen=True)
class _Edit:
    """When something was stored, and the process that did it."""

    stored: float
    process: subprocess.Popen[str]


def measure(site: Site, what: str) -> Iterator[Figure]:
    """Edit the schedules of a running dag-processor."""
    for name, interval, revision in (("made", "1h", 0), ("changed", "2h", 1)):
        took = _edited(site, "mine", partial(_on_the_screens, site, interval, revision))
        figure = f"{what}: a schedule {name} on the screens is in Airflow after"
        yield Figure(figure, took, "s", goal=_GOAL, met=took <= _GOAL)
    took = _edited(site, key_of(0), partial(_in_the_file, site))
    yield Figure(f"{what}: an edit of the file and `data-sync reparse`, in Airflow after", took, "s")


def _edited(site: Site, key: str, edit: Callable[[], _Edit]) -> float:
    before = _written(site, key)
    done = edit()
    site.until(lambda: _written(site, key) != before, f"the edit of {key}", _SECONDS)
    took = time.time() - done.stored
    # It asks until the file has been read.
    done.process.communicate(timeout=_SECONDS)
    if done.process.returncode:
        raise RuntimeError(f"the edit of {key} has failed")
    return took


def _written(site: Site, key: str) -> Any:
    statement = "SELECT max(last_updated) FROM serialized_dag WHERE dag_id = %s"
    return site.rows(statement, dag_id_of(key))[0][0]


def _on_the_screens(site: Site, interval: str, revision: int) -> _Edit:
    command = [sys.executable, "-c", _LIVE, interval, str(revision)]
    process = subprocess.Popen(command, env=site.env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while line := process.stdout.readline():
        if re.fullmatch(r"[0-9.]+\n", line):
            return _Edit(float(line), process)
    raise RuntimeError("the schedule cannot be stored")


def _in_the_file(site: Site) -> _Edit:
    site.write(site.file.read_text().replace(entry(0), entry(0, "interval: 12h")))
    stored = time.time()
    command = [str(Path(sys.executable).with_name("data-sync")), "reparse"]
    return _Edit(stored, subprocess.Popen(command, env=site.env, stdout=subprocess.DEVNULL, text=True))
