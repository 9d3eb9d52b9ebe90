"""Starting the one-machine set-up as a user would, and looking for what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from data_sync.local.ports import free_port


def command(what: str, home: Path, *more: str) -> list[str]:
    """The words that start it on free ports."""
    ports = ["--port", str(free_port()), "--sandbox-port", str(free_port())]
    return [sys.executable, "-m", "data_sync.local", what, "--home", str(home), *ports, *more]


def refused(what: str, home: Path, *more: str) -> str:
    """Start it where something is in the way; return the one sentence that it says."""
    done = subprocess.run(command(what, home, *more), capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr.strip()


def left_behind(home: Path) -> list[str]:
    """Processes that belong to a folder: by environment, command line or open files."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            words = process.cmdline()
            said = [*words, *process.environ().values(), process.cwd()]
            said += [file.path for file in process.open_files()]
        except psutil.Error:
            # It ended meanwhile.
            continue
        if any(str(home) in text for text in said):
            found.append(f"{process.pid} {' '.join(words)}")
    return found


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Ask again and again; fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)
