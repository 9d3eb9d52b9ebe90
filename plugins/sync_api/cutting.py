"""Cutting connections that get no answer: the thread that waits on one is free again, with an error."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg

_LOOK_SECONDS = 0.05


@dataclass(eq=False)
class Cut:
    """One connection in use, and until when (monotonic seconds) it may be.

    :param has_patience: asked from then on, again and again, whether it may go on.
    """

    descriptor: int
    until: float
    has_patience: Callable[[], bool] | None = None
    is_done: bool = False


class Watch:
    """One thread that looks after all connections in use; it sleeps while there are none."""

    def __init__(self) -> None:
        self._cuts: set[Cut] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def cut_after(
        self,
        connection: psycopg.Connection[Any],
        seconds: float,
        has_patience: Callable[[], bool] | None = None,
    ) -> Iterator[Cut]:
        """Cut a connection unless the block ends in time; the statement that waits fails then.

        :param has_patience: asked when the time is over, and again and again, whether to wait on.
        """
        cut = Cut(connection.fileno(), time.monotonic() + seconds, has_patience)
        with self._changed:
            self._cuts.add(cut)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="data_sync watch", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield cut
        finally:
            with self._changed:
                self._cuts.discard(cut)

    def cut_all(self) -> None:
        """Cut every connection in use."""
        with self._changed:
            for cut in self._cuts:
                _sever(cut)

    def _look(self) -> None:
        while True:
            with self._changed:
                while not self._cuts:
                    self._changed.wait()
                now = time.monotonic()
                for cut in self._cuts:
                    if cut.until <= now and not cut.is_done and not (cut.has_patience and cut.has_patience()):
                        _sever(cut)
            time.sleep(_LOOK_SECONDS)


def _sever(cut: Cut) -> None:
    """End the traffic of a socket that another thread reads; the thread itself closes it."""
    cut.is_done = True
    with suppress(OSError), socket.socket(fileno=os.dup(cut.descriptor)) as copy:
        copy.shutdown(socket.SHUT_RDWR)
