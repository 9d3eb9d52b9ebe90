"""Who called what how often: request counts, strict sliding-window limits, lock-outs, violations.

Limits are kept in real time, whatever the sandbox clock shows: they are about load, not about data.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LOCKED_OUT = "locked_out"
"""The violation of a call that comes during a lock-out."""
PARALLEL = "parallel"
"""The violation of a call that comes while another one of the same caller is in progress."""


@dataclass(frozen=True)
class CallLimit:
    """At most ``calls`` per ``seconds`` and caller, on paths below the network that start with ``path``."""

    name: str
    calls: int
    seconds: float
    path: str = "/"


@dataclass(frozen=True)
class LockOut:
    """What follows when a limit is broken: for ``seconds``, no call of that caller is served."""

    seconds: float
    has_header: bool = False
    """Whether refusals say in ``Retry-After`` how many seconds are left."""


class Traffic:
    """What one network saw since it started or was reset.

    :param others: names for :meth:`violate`.
    :param lock_out: what a broken limit leads to, besides the refusal of that call.
    :param in_turn: whether a caller has to wait for an answer before the next call; who does not is
        served, and counted as a violation.
    """

    def __init__(
        self,
        limits: tuple[CallLimit, ...],
        others: tuple[str, ...] = (),
        *,
        lock_out: LockOut | None = None,
        in_turn: bool = False,
    ) -> None:
        """Watch these limits."""
        self._limits = limits
        self._others = (*others, *((LOCKED_OUT,) if lock_out else ()), *((PARALLEL,) if in_turn else ()))
        self._lock_out = lock_out
        self._in_turn = in_turn
        self._windows: dict[tuple[str, str], deque[float]] = {}
        self._locked: dict[str, tuple[CallLimit, float]] = {}
        self._in_progress: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()

    def count(self, path: str) -> None:
        """Note one request."""
        self.requests[path] += 1

    def admit(self, caller: str | None, path: str) -> CallLimit | None:
        """Judge one request; return the limit that it breaks, and count the violation.

        The window is exact: a call is over the limit when ``calls`` admitted ones lie less than ``seconds``
        back. Refused calls do not prolong the wait. A request of nobody known breaks no limit. During a
        lock-out, every request breaks the limit that led to it.
        """
        if caller is None:
            return None
        now = time.monotonic()
        broken, until = self._locked.get(caller, (None, now))
        if now < until:
            self.violate(LOCKED_OUT)
            return broken
        broken = self._over(caller, path, now)
        if broken and self._lock_out:
            self._locked[caller] = (broken, now + self._lock_out.seconds)
        return broken

    def _over(self, caller: str, path: str, now: float) -> CallLimit | None:
        broken = None
        for limit in self._limits:
            if not path.startswith(limit.path):
                continue
            window = self._windows.setdefault((limit.name, caller), deque())
            while window and now - window[0] >= limit.seconds:
                window.popleft()
            if len(window) >= limit.calls:
                self.violations[limit.name] += 1
                broken = limit
            else:
                window.append(now)
        return broken

    @contextmanager
    def in_progress(self, caller: str | None) -> Iterator[None]:
        """Note that a request is worked on, from its arrival to the end of its answer."""
        if caller is None or not self._in_turn:
            yield
            return
        if self._in_progress[caller]:
            self.violate(PARALLEL)
        self._in_progress[caller] += 1
        try:
            yield
        finally:
            self._in_progress[caller] -= 1

    def retry_after(self, caller: str | None) -> int | None:
        """Say how many seconds a refused caller is told to wait; ``None`` where no header tells it."""
        if self._lock_out is None or not self._lock_out.has_header or caller not in self._locked:
            return None
        return max(1, math.ceil(self._locked[caller][1] - time.monotonic()))

    def violate(self, name: str) -> None:
        """Count a break of a rule that is not about the number of calls, such as a page's size."""
        self.violations[name] += 1

    def reset(self) -> None:
        """Forget all counts, the windows and lock-outs included."""
        self.requests.clear()
        self.violations.clear()
        self._windows.clear()
        self._locked.clear()

    def describe(self) -> dict[str, object]:
        """Give the counts; every limit is named, also one that nobody broke."""
        violations = (
            dict.fromkeys((*(limit.name for limit in self._limits), *self._others), 0) | self.violations
        )
        return {
            "requests": dict(self.requests),
            "requests_total": self.requests.total(),
            "violations": violations,
            "violations_total": sum(violations.values()),
        }
