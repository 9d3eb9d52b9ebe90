"""Limiters without a database: none at all, and an even pace within one process.

What paces real workers is the limiter in Postgres, shared by all machines. :class:`LocalLimiter` keeps the
same promises inside one process, for tests and for trying a client by hand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from network_clients.errors import WaitTooLongError
from network_clients.facts import Limit


class NoLimiter:
    """Lets every call pass at once."""

    def claim(self, identity: str, limit: Limit) -> None:
        """Return at once."""

    def release(self, identity: str, limit: Limit) -> None:
        """Do nothing."""

    def close_gate(self, identity: str, limit: Limit, seconds: float, reason: str) -> None:
        """Do nothing."""

    def done(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing: nobody waits."""


class LocalLimiter:
    """Paces calls evenly (GCRA without burst) on this process's monotonic clock; safe between threads.

    :param longest_sleep: seconds; a turn that is further away raises instead.
    """

    def __init__(
        self,
        *,
        longest_sleep: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._longest_sleep = longest_sleep
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at: dict[tuple[str, str], float] = {}
        self._gates: dict[tuple[str, str], tuple[float, str]] = {}

    def claim(self, identity: str, limit: Limit) -> None:
        """Wait for a turn.

        :raises WaitTooLongError: when it is more than ``longest_sleep`` seconds away; no turn is taken.
        """
        key = (identity, limit.name)
        with self._lock:
            now = self._clock()
            opens, reason = self._gates.get(key, (now, ""))
            turn = max(now, opens, self._free_at.get(key, now))
            if turn - now > self._longest_sleep:
                until = datetime.now(UTC) + timedelta(seconds=turn - now)
                raise WaitTooLongError(until, reason if opens > now else f"the {limit.name} limit is used up")
            self._free_at[key] = turn + limit.interval
        if turn > now:
            self._sleep(turn - now)

    def release(self, identity: str, limit: Limit) -> None:
        """Do nothing: a client makes one call at a time, and this limiter paces one client."""

    def close_gate(self, identity: str, limit: Limit, seconds: float, reason: str) -> None:
        """Let nobody pass for ``seconds``; a gate that is closed for longer stays so."""
        key = (identity, limit.name)
        with self._lock:
            opens = self._clock() + seconds
            if opens > self._gates.get(key, (0.0, ""))[0]:
                self._gates[key] = (opens, reason)

    def done(self) -> None:
        """Do nothing: no turn is taken before it is needed."""

    def stop(self) -> None:
        """Do nothing: its waits are short."""
