"""What a process that loads reports about itself, in any environment: nothing but the standard library."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

#: Before what is reported, whatever else a process may print.
MARK = "usage: "


@dataclass(frozen=True)
class Usage:
    """What a load cost its own process.

    :param seconds: of the load, by the clock; the process's start and its imports are not in it.
    :param cpu: seconds of one core in the same time, its own child processes included.
    :param memory: the most that the process held at once since its start, in MiB.
    :param held: what it held when the load began, in MiB: the interpreter and its modules.
    """

    seconds: float
    cpu: float
    memory: float
    held: float


def report(load: Callable[[], object]) -> None:
    """Carry out a load and print what it cost."""
    held = _memory("VmRSS:")
    started, used = time.perf_counter(), _cpu()
    load()
    seconds, cpu = time.perf_counter() - started, _cpu() - used
    # ``ru_maxrss`` would begin with the program that started this one.
    usage = Usage(seconds, cpu, _memory("VmHWM:"), held)
    sys.stdout.write(f"\n{MARK}{json.dumps(asdict(usage))}\n")
    sys.stdout.flush()


def read(output: str) -> Usage:
    """Read what :func:`report` has printed.

    :raises ValueError: when it is not there.
    """
    for line in reversed(output.splitlines()):
        if line.startswith(MARK):
            return Usage(**json.loads(line.removeprefix(MARK)))
    raise ValueError(f"a load ended without saying what it cost:\n{output[-3000:]}")


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _memory(name: str) -> float:
    return int(Path("/proc/self/status").read_text().partition(name)[2].split()[0]) / 1024
