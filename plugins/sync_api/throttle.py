"""How many requests a user may make, counted in Postgres, so that it holds over all api-servers (law 21)."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field

from airflow.configuration import conf

from data_sync.database import Cursor
from data_sync.limiter import Allowance, take_turn
from sync_api.breaker import OurDatabase
from sync_api.problems import Problem

#: Requests per minute and at once of one user, unless the settings say otherwise.
PER_MINUTE, AT_ONCE = 600, 120


@dataclass(frozen=True)
class Throttle:
    """An even pace, of which ``at_once`` requests may be taken in advance."""

    per_minute: float
    at_once: int
    _free_at: dict[str, float] = field(default_factory=dict, init=False, repr=False, compare=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    @classmethod
    def from_settings(cls) -> Throttle:
        """Read ``[data_sync] api_calls_per_minute`` and ``api_calls_at_once``; both more than none."""
        return cls(
            max(0.001, conf.getfloat("data_sync", "api_calls_per_minute", fallback=PER_MINUTE)),
            max(1, conf.getint("data_sync", "api_calls_at_once", fallback=AT_ONCE)),
        )

    def claim(self, db: OurDatabase, user: str, cost: int) -> None:
        """Count one request; also the first thing that a request asks our database.

        :param cost: how many requests it counts for.
        :raises Problem: when the user has had too many; the answer says when to come back.
        :raises DatabaseError: when the database is away.
        """
        with db.transaction(first=True) as cursor:
            wait = self._wait(cursor, user, cost)
        self._require_turn(wait)

    def claim_here(self, user: str, cost: int) -> None:
        """Count one request in this process alone, for routes that answer while our database is away.

        :raises Problem: as :meth:`claim` does.
        """
        interval, now = 60.0 / self.per_minute, time.monotonic()
        with self._guard:
            free_at = max(self._free_at.get(user, now), now)
            cost = min(cost, self.at_once)
            wait = free_at - now - (self.at_once - cost) * interval
            if wait <= 0:
                self._free_at[user] = free_at + cost * interval
        self._require_turn(wait)

    def _require_turn(self, wait: float) -> None:
        if wait > 0:
            seconds = math.ceil(wait)
            raise Problem(
                429,
                "too-many",
                f"You may make {self.per_minute:g} requests per minute here. Come back in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )

    def _wait(self, cursor: Cursor, user: str, cost: int) -> float:
        # A count that a crash of the server forgets does no harm.
        cursor.execute("SET LOCAL synchronous_commit = off")
        allowance = Allowance(1, 60.0 / self.per_minute, self.at_once)
        return take_turn(cursor, f"api user {user}", "api", allowance, cost=cost)
