"""Who called what how often: request counts, strict sliding-window limits, violations.

Limits are kept in real time, whatever the sandbox clock shows: they are about load, not about data.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass


@dataclass(frozen=True)
class CallLimit:
    """At most ``calls`` per ``seconds`` and caller, on paths below the network that start with ``path``."""

    name: str
    calls: int
    seconds: float
    path: str = "/"


class Traffic:
    """What one network saw since it started or was reset."""

    def __init__(self, limits: tuple[CallLimit, ...], others: tuple[str, ...] = ()) -> None:
        """Watch these limits; ``others`` are names for :meth:`violate`."""
        self._others = others
        self._limits = limits
        self._windows: dict[tuple[str, str], deque[float]] = {}
        self.requests: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()

    def count(self, path: str) -> None:
        """Note one request."""
        self.requests[path] += 1

    def admit(self, caller: str | None, path: str) -> CallLimit | None:
        """Judge one request; return the limit that it breaks, and count the violation.

        The window is exact: a call is over the limit when ``calls`` admitted ones lie less than ``seconds``
        back. Refused calls do not prolong the wait. A request of nobody known breaks no limit.
        """
        if caller is None:
            return None
        now = time.monotonic()
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

    def violate(self, name: str) -> None:
        """Count a break of a limit that is not about the number of calls, such as a page's size."""
        self.violations[name] += 1

    def reset(self) -> None:
        """Forget all counts, the windows included."""
        self.requests.clear()
        self.violations.clear()
        self._windows.clear()

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
