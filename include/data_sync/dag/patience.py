"""Bounds in time for what a parse does: one slow server or schedule must not cost a file its DAGs."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class TookTooLongError(Exception):
    """Raised when something was not done in time."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """Do something that waits for others, in a thread, and give it up after some seconds.

    Given up, it goes on in the background until this process ends, which for a parse is soon.

    :raises TookTooLongError: when it was not done in time.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TookTooLongError(f"it took longer than {seconds:g} s")
    return results[0]


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Interrupt a block that computes for too long. Works in the main thread; elsewhere it bounds nothing.

    An alarm of somebody else, such as Airflow's own for the whole file, is set again afterwards.

    :raises TookTooLongError: inside the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise TookTooLongError(f"it took longer than {seconds:g} s")

    started = time.monotonic()
    old = signal.signal(signal.SIGALRM, interrupt)
    left, every = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
        if left:
            spent = time.monotonic() - started
            signal.setitimer(signal.ITIMER_REAL, max(left - spent, 0.001), every)
