"""One limiter for all workers: an even pace per thing that a network counts by, kept in Postgres.

Each claim takes the next free moment in one statement (GCRA without burst, on the database's clock)
and sleeps until then, so one process alone can use the whole rate and many together never exceed it.
A wait of more than 30 s is not slept: :class:`WaitTooLongError` lets the task free its slot.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from data_sync.database import Database, one
from network_clients.errors import WaitTooLongError
from network_clients.facts import Limit

#: A turn that was waited for longer than this (seconds) is asked for anew if the gate was closed meanwhile.
LONG_SLEEP = 1.0

#: The longest wait that is slept inside a task, in seconds.
LONGEST_SLEEP = 30.0

# The row is locked by the upsert itself, so two claims never get the same moment. A claim that would
# wait too long changes nothing and returns no row.
_CLAIM = """
INSERT INTO data_sync.rate_limits AS r (identity, limit_name, network, next_free_at, calls)
VALUES (%(identity)s, %(limit)s, %(network)s, clock_timestamp() + %(interval)s, 1)
ON CONFLICT (identity, limit_name) DO UPDATE SET
    next_free_at = GREATEST(r.next_free_at, r.gate_until, clock_timestamp()) + %(interval)s,
    calls = r.calls + 1,
    updated_at = clock_timestamp()
WHERE GREATEST(r.next_free_at, r.gate_until) <= clock_timestamp() + %(longest)s
RETURNING EXTRACT(EPOCH FROM next_free_at - %(interval)s - clock_timestamp())::float8 AS wait
"""

_BLOCKED = """
SELECT GREATEST(next_free_at, gate_until) AS until,
       CASE WHEN gate_until > clock_timestamp() THEN gate_reason END AS reason
FROM data_sync.rate_limits WHERE identity = %(identity)s AND limit_name = %(limit)s
"""

_GATE = """
SELECT gate_until > clock_timestamp() AS is_closed FROM data_sync.rate_limits
WHERE identity = %(identity)s AND limit_name = %(limit)s
"""

_CLOSE = """
INSERT INTO data_sync.rate_limits AS r
    (identity, limit_name, network, next_free_at, gate_until, gate_reason, refusals)
VALUES (%(identity)s, %(limit)s, %(network)s, clock_timestamp(),
        clock_timestamp() + %(closed_for)s, %(reason)s, 1)
ON CONFLICT (identity, limit_name) DO UPDATE SET
    gate_until = GREATEST(r.gate_until, excluded.gate_until),
    gate_reason = CASE WHEN r.gate_until > excluded.gate_until THEN r.gate_reason
                       ELSE excluded.gate_reason END,
    refusals = r.refusals + 1,
    updated_at = clock_timestamp()
"""


class PostgresLimiter:
    """Paces the calls of one account; see :class:`network_clients.interface.Limiter`.

    :param db: the task's database.
    :param network: the network's slug.
    :param hash_key: keys the hashes under which identities are stored, so that no secret is.
    """

    def __init__(
        self,
        db: Database,
        network: str,
        hash_key: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        longest_sleep: float = LONGEST_SLEEP,
    ) -> None:
        self._db = db
        self._network = network
        self._hash_key = hash_key
        self._sleep = sleep
        self._longest_sleep = longest_sleep

    def claim(self, identity: str, limit: Limit) -> None:
        """Wait for a turn.

        :raises WaitTooLongError: when the turn is more than ``longest_sleep`` seconds away.
        """
        values = self._values(identity, limit) | {
            "interval": timedelta(seconds=limit.interval),
            "longest": timedelta(seconds=self._longest_sleep),
        }
        while True:
            wait = self._reserve(values, limit)
            if wait > 0:
                self._sleep(wait)
            if wait <= LONG_SLEEP or not self._is_closed(values):
                return

    def _reserve(self, values: dict[str, object], limit: Limit) -> float:
        with self._db.transaction() as cursor:
            row = cursor.execute(_CLAIM, values).fetchone()
            if row is not None:
                wait: float = row["wait"]
                return wait
            blocked = one(cursor.execute(_BLOCKED, values).fetchone())
        until: datetime = blocked["until"]
        raise WaitTooLongError(until, blocked["reason"] or f"the {limit.name} limit of {self._network}")

    def _is_closed(self, values: dict[str, object]) -> bool:
        with self._db.transaction() as cursor:
            return bool(one(cursor.execute(_GATE, values).fetchone())["is_closed"])

    def close_gate(self, identity: str, limit: Limit, seconds: float, reason: str) -> None:
        """Hold back every caller of this identity for ``seconds``, and count the refusal."""
        values = self._values(identity, limit) | {
            "closed_for": timedelta(seconds=seconds),
            "reason": reason,
        }
        with self._db.transaction() as cursor:
            cursor.execute(_CLOSE, values)

    def _values(self, identity: str, limit: Limit) -> dict[str, object]:
        hashed = keyed_hash(self._hash_key, f"{self._network}:{limit.name}:{identity}")
        return {"identity": hashed, "limit": limit.name, "network": self._network}


def keyed_hash(key: str, value: str) -> str:
    """Hash a value that may be a secret, so that it can be stored and compared but not read."""
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()


def load_hash_key(db: Database) -> str:
    """Return this installation's key for :func:`keyed_hash`."""
    with db.transaction() as cursor:
        row = one(cursor.execute("SELECT hash_key FROM data_sync.installation").fetchone())
    found: str = row["hash_key"]
    return found
