"""Loaded by every Python of a measured Airflow at its start: notes what each task's process cost.

Python itself imports a module of this name where it finds one on its path.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import NoReturn

_NOTES = os.environ.get("DATA_SYNC_BENCH_NOTES")
_exit = os._exit
_born = time.monotonic()
_had = 0


def _begin() -> None:
    global _born, _had
    _born, _had = time.monotonic(), len(sys.modules)


def _note_and_exit(status: int) -> NoReturn:
    # Airflow names the task in the environment of the process that it has forked for it.
    if _NOTES and (task := os.environ.get("AIRFLOW_CTX_TASK_ID")):
        used = os.times()
        note = {
            "task": task,
            "cpu": used.user + used.system,
            "seconds": time.monotonic() - _born,
            "modules": len(sys.modules) - _had,
        }
        with open(_NOTES, "a") as notes:
            notes.write(json.dumps(note) + "\n")
    _exit(status)


os.register_at_fork(after_in_child=_begin)
os._exit = _note_and_exit
