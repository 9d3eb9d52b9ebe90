"""The process above the one that starts everything: it stays small, and clears up after any kind of end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from data_sync.local.home import Home
from data_sync.local.processes import STOP_SIGNALS, adopt_orphans, end_descendants, end_with_parent, spawn


def supervise(home: Home, arguments: Sequence[str]) -> int:
    """Run :mod:`data_sync.local.inside` over a folder; return its exit code when nothing is left of it.

    :param arguments: the words of the command.
    :raises LocalError: when the folder is in use.
    """
    end_with_parent()
    descriptor = home.lock()
    adopt_orphans()
    child = spawn(
        [sys.executable, "-m", "data_sync.local.inside", *arguments],
        env=os.environ,
        output=None,
        # It holds the folder too, should this process be killed.
        pass_fds=[descriptor],
    )

    def pass_on(signum: int, frame: FrameType | None) -> None:
        child.terminate()

    for signum in STOP_SIGNALS:
        signal.signal(signum, pass_on)
    code = _wait(child)
    end_descendants()
    if code < 0:
        sys.stderr.write("The demo was killed. Everything that it had started is ended; start it again.\n")
        return 1
    return code


def _wait(child: subprocess.Popen[bytes]) -> int:
    # With a time-out, so that the signal handlers get their turn at once on every platform.
    while True:
        try:
            return child.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            continue
