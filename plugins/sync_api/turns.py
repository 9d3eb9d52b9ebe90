"""Turns at the connections of one process: first come, first served, for as long as waiting makes sense."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

#: How often somebody who waits asks again whether that makes sense, in seconds.
_LOOK_SECONDS = 0.05


class Turns:
    """So many at once; the others wait in the order in which they came.

    :param size: how many have a turn at once.
    :param most_waiting: how many may wait.
    """

    def __init__(self, size: int, most_waiting: int) -> None:
        self._free = size
        self._most_waiting = most_waiting
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    def take(self, has_patience: Callable[[], bool]) -> bool:
        """Wait for a turn, and tell whether it came; who got one gives it back.

        :param has_patience: asked again and again whether to go on waiting.
        """
        me = object()
        with self._changed:
            if len(self._waiting) >= self._most_waiting:
                return False
            self._waiting.append(me)
            try:
                while not self._free or self._waiting[0] is not me:
                    if not has_patience():
                        return False
                    self._changed.wait(_LOOK_SECONDS)
                self._free -= 1
                return True
            finally:
                self._waiting.remove(me)
                self._changed.notify_all()

    def give_back(self) -> None:
        """End a turn."""
        with self._changed:
            self._free += 1
            self._changed.notify_all()
