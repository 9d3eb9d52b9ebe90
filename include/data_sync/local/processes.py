"""Processes that end together: none is left behind, however the one that started them ends.

Three nets, each for the failure of the one before. The starter ends its descendants itself. On Linux it
and the process above it are "subreapers", so that a descendant whose parent dies stays in their reach,
also one that made a session of its own. And the kernel signals each direct child when its starter dies.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

# From <linux/prctl.h>.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

#: What asks a program to end: Ctrl-C, the system, a closed terminal.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: Seconds that processes get to end by themselves before they are killed.
GRACE = 12.0


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans(own: Collection[int]) -> None:
    """Let adopted processes that have ended go; they would stay in the process table for as long as we run.

    :param own: the ids of our own children, whose ends somebody waits for.
    """
    for child in psutil.Process().children():
        try:
            if child.pid not in own and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
        except (psutil.NoSuchProcess, ChildProcessError):
            continue


def end_with_parent(signum: int = signal.SIGTERM) -> None:
    """Ask the kernel for a signal when the parent of this process dies.

    :param signum: the signal to be sent.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)


def spawn(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    output: IO[bytes] | int | None,
    stop_signal: int = signal.SIGTERM,
    user: int | None = None,
    group: int | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that the terminal's Ctrl-C does not reach it.

    Call it from the main thread: the kernel takes the end of the calling thread for the parent's.

    :param output: where its output goes; ``None`` for this process's own.
    :param stop_signal: what it is sent when this process dies.
    :param user: the user to run as, where this process may choose.
    """
    parent = os.getpid()

    def prepare() -> None:
        end_with_parent(stop_signal)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return subprocess.Popen(
        [str(part) for part in command],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        user=user,
        group=group,
        extra_groups=[] if user is not None else None,
        pass_fds=pass_fds,
        preexec_fn=prepare,
    )


def end_descendants(grace: float = GRACE) -> None:
    """End every process below this one: the database last, since the others still write to it."""
    everyone = psutil.Process().children(recursive=True)
    servers = [process for process in everyone if _is_postgres(process)]
    _end([process for process in everyone if process not in servers], signal.SIGTERM, grace)
    # The postmaster ends its own workers; a fast shutdown is asked for by SIGINT.
    masters = [process for process in servers if _is_postmaster(process)]
    _end(masters, signal.SIGINT, grace)
    _end(psutil.Process().children(recursive=True), signal.SIGKILL, grace)


def _end(processes: Iterable[psutil.Process], signum: int, grace: float) -> None:
    signalled = [process for process in processes if _signal(process, signum)]
    _, alive = psutil.wait_procs(signalled, timeout=grace)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=grace)


def _signal(process: psutil.Process, signum: int) -> bool:
    try:
        process.send_signal(signum)
    except psutil.NoSuchProcess:
        return False
    return True


def _is_postgres(process: psutil.Process) -> bool:
    try:
        return process.name() == "postgres"
    except psutil.Error:
        return False


def _is_postmaster(process: psutil.Process) -> bool:
    try:
        parent = process.parent()
    except psutil.Error:
        return False
    return parent is None or not _is_postgres(parent)
