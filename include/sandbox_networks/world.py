"""The world that all sandbox networks share: a seed, a clock and the days that have rows.

Nothing here keeps state besides the clock: what is in the world follows from the seed and from names,
through a hash, so the order of requests and the process do not matter.
"""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime

from sandbox_networks.settings import SandboxSettings


class SandboxClock:
    """The time in the sandbox, which a test may set and advance. It has a resolution of one second."""

    def __init__(self, fixed: datetime | None = None) -> None:
        """Stand at ``fixed``, an aware time, or follow the real time."""
        self._fixed: int | None = None
        self._ahead = 0
        if fixed is not None:
            self.stand(fixed)

    def now(self) -> int:
        """Tell the time, in epoch seconds."""
        return self._fixed if self._fixed is not None else int(time.time()) + self._ahead

    @property
    def is_standing(self) -> bool:
        """Whether the clock only moves when it is told to."""
        return self._fixed is not None

    def stand(self, moment: datetime) -> None:
        """Set the clock to an aware time and let it stand there."""
        self._fixed = int(moment.timestamp())

    def follow_real_time(self) -> None:
        """Show the real time again."""
        self._fixed, self._ahead = None, 0

    def advance(self, seconds: int) -> None:
        """Move the clock; a standing clock goes on standing, a running one goes on running."""
        if self._fixed is not None:
            self._fixed += seconds
        else:
            self._ahead += seconds

    def describe(self) -> dict[str, object]:
        """Say what the clock shows, for people and tests."""
        return {"now": datetime.fromtimestamp(self.now(), UTC).isoformat(), "standing": self.is_standing}


class World:
    """Seed, clock and size, as the networks see them."""

    def __init__(self, settings: SandboxSettings) -> None:
        """Make the world of these settings."""
        self.clock = SandboxClock(settings.now)
        self.rows_per_day = settings.rows_per_day
        self.first_day = settings.first_day.toordinal()
        self._seed = settings.seed

    def draw(self, size: int, *names: object) -> bytes:
        """Draw ``size`` bytes that depend on the seed and the names only.

        A longer draw starts with the bytes of a shorter one, so more rows per day keep the first ones.
        """
        name = "\x1f".join(map(str, (self._seed, *names)))
        return hashlib.shake_128(name.encode()).digest(size)
