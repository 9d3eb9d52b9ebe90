"""One limiter for all workers: an even pace per thing that a network counts by, kept in Postgres.

Each claim takes the next free moment in one statement (GCRA without burst, on the database's clock)
and sleeps until then, so one process alone can use the whole rate and many together never exceed it.
A network that bears only so many calls at once gets no more: each call holds a slot, with a lease that
ends by itself when its process was killed. A wait of more than 30 s is not slept: :class:`WaitTooLongError`
lets the task free its slot in the pool.

Who keeps asking gets a few turns with one statement, as many as fall into a moment that the limit's margin
covers, so that a busy connection costs no turn: see :func:`latest`.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from data_sync.database import Cursor, Database, one
from network_clients.errors import WaitTooLongError
from network_clients.facts import Limit

#: A turn that was waited for longer than this (seconds) is asked for anew if the gate was closed meanwhile.
LONG_SLEEP = 1.0

#: The longest wait that is slept inside a task, in seconds.
LONGEST_SLEEP = 30.0

#: Who asks again within so many seconds, and has for some time, gets a few turns with one statement: one for
#: so many that were taken before, up to a bound.
_SOON, _PATIENCE, _MOST_TURNS = 2.0, 4, 64

#: How long a call keeps its slot at most, in seconds; a network whose answers are waited for longer must not
#: bound its calls at once.
SLOT_SECONDS = 150.0

#: A caller asks whether a slot is free after so many seconds, then more and more rarely: from then on no
#: connection stays open in between.
_FIRST_LOOK, _LATER_LOOKS = 0.25, 5.0

# The row is locked by the upsert itself, so two claims never get the same moment. A claim that would
# wait too long changes nothing and returns no row.
_CLAIM = """
INSERT INTO data_sync.rate_limits AS r (identity, limit_name, network, next_free_at, calls, allowed,
    per_seconds, window_started_at, window_calls)
VALUES (%(identity)s, %(limit)s, %(network)s, clock_timestamp() + %(turns)s * %(interval)s, %(turns)s,
    %(allowed)s, %(per_seconds)s, clock_timestamp(), %(turns)s)
ON CONFLICT (identity, limit_name) DO UPDATE SET
    next_free_at = GREATEST(r.next_free_at, r.gate_until, clock_timestamp()) + %(turns)s * %(interval)s,
    calls = r.calls + %(turns)s, allowed = excluded.allowed, per_seconds = excluded.per_seconds,
    window_calls = CASE WHEN r.window_started_at + %(window)s > clock_timestamp()
                        THEN r.window_calls ELSE 0 END + %(turns)s,
    window_started_at = CASE WHEN r.window_started_at + %(window)s > clock_timestamp()
                             THEN r.window_started_at ELSE clock_timestamp() END,
    updated_at = clock_timestamp()
WHERE GREATEST(r.next_free_at, r.gate_until) <= clock_timestamp() + %(longest)s
RETURNING next_free_at,
    EXTRACT(EPOCH FROM next_free_at - %(turns)s * %(interval)s - clock_timestamp())::float8 AS wait
"""

# The turns themselves go to others only if nobody has taken one behind them.
_GIVE_BACK = """
UPDATE data_sync.rate_limits SET calls = calls - %(turns)s,
    window_calls = GREATEST(window_calls - %(turns)s, 0),
    next_free_at = CASE WHEN next_free_at = %(behind)s THEN next_free_at - %(free)s * %(interval)s
                        ELSE next_free_at END
WHERE identity = %(identity)s AND limit_name = %(limit)s
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

_NOTE_ACCOUNT = """
INSERT INTO data_sync.account_limits AS a (account, limit_name, identity)
VALUES (%(account)s, %(limit)s, %(identity)s)
ON CONFLICT (account, limit_name) DO UPDATE SET identity = excluded.identity, seen_at = clock_timestamp()
"""

# Callers line up at a lock that ends with the transaction; who finds all slots taken gets none.
_LINE_UP = "SELECT pg_advisory_xact_lock(hashtextextended(%(identity)s || %(limit)s, 0))"
_TAKE_SLOT = """
INSERT INTO data_sync.call_slots (identity, limit_name, holder, until)
SELECT %(identity)s, %(limit)s, %(holder)s, clock_timestamp() + %(lease)s
WHERE (SELECT count(*) FROM data_sync.call_slots WHERE identity = %(identity)s AND limit_name = %(limit)s
       AND until > clock_timestamp()) < %(most)s
RETURNING 1
"""
_FREE_SLOT = """
DELETE FROM data_sync.call_slots
WHERE identity = %(identity)s AND limit_name = %(limit)s
  AND (holder = %(holder)s OR until < clock_timestamp())
"""


def latest(limit: Limit) -> float:
    """Return how many seconds late a turn may be used.

    Turns are an interval apart, so within the limit's period there are never more calls than its own share
    of it, and those of turns that started up to so many seconds before. Half of the margin covers those.
    """
    return min(limit.per_seconds * limit.margin / 2, LONG_SLEEP)


@dataclass
class _Turns:
    """Turns of one limit that were taken and not used yet.

    :param values: the parameters of the statements about it.
    :param taken_at: when the last ones were taken, on this process's monotonic clock.
    :param starts: when each starts, on the same clock.
    :param streak: how many were taken without a pause.
    :param newest: how many were taken at last; those are next to each other.
    :param behind: the database's time at which the turn behind them starts.
    """

    values: dict[str, object]
    taken_at: float
    starts: deque[float] = field(default_factory=deque)
    streak: int = 0
    newest: int = 0
    behind: datetime | None = None

    def add(self, count: int, wait: float, interval: float, behind: datetime) -> None:
        """Take over turns the first of which starts in so many seconds."""
        self.taken_at = time.monotonic()
        self.starts.extend(self.taken_at + wait + number * interval for number in range(count))
        self.streak += count
        self.newest, self.behind = count, behind


class PostgresLimiter:
    """Paces the calls of one account; see :class:`network_clients.interface.Limiter`.

    :param db: the task's database.
    :param network: the network's slug.
    :param hash_key: keys the hashes under which identities are stored, so that no secret is.
    :param account: the account's key, under which the budget is shown.
    """

    def __init__(
        self,
        db: Database,
        network: str,
        hash_key: str,
        *,
        account: str | None = None,
        sleep: Callable[[float], object] | None = None,
        longest_sleep: float = LONGEST_SLEEP,
    ) -> None:
        self._stopped = threading.Event()
        self._wait = sleep or self._stopped.wait
        self._db = db
        self._network = network
        self._hash_key = hash_key
        self._account = account
        self._longest_sleep = longest_sleep
        self._holder = uuid.uuid4().hex
        self._noted: set[str] = set()
        self._lock = threading.RLock()
        self._ahead: dict[tuple[str, str], _Turns] = {}

    def claim(self, identity: str, limit: Limit) -> None:
        """Wait for a turn, and for a slot where the network bears only so many calls at once.

        :raises WaitTooLongError: when the turn is more than ``longest_sleep`` seconds away.
        """
        values = self._values(identity, limit)
        if limit.max_in_flight is not None:
            self._take_slot(values, limit.max_in_flight)
        try:
            self._wait_for_turn(values, limit)
        except BaseException:
            self.release(identity, limit)
            raise

    def release(self, identity: str, limit: Limit) -> None:
        """Give the slot of a call back, once its answer is there or there will be none."""
        if limit.max_in_flight is None:
            return
        with self._db.transaction() as cursor:
            cursor.execute(_FREE_SLOT, self._values(identity, limit))

    def close_gate(self, identity: str, limit: Limit, seconds: float, reason: str) -> None:
        """Hold back every caller of this identity for ``seconds``, and count the refusal."""
        values = self._values(identity, limit) | {
            "closed_for": timedelta(seconds=seconds),
            "reason": reason,
        }
        with self._lock, self._db.transaction() as cursor:
            self._give_back(cursor)
            cursor.execute(_CLOSE, values)

    def done(self) -> None:
        """Give back the turns that were taken ahead and are not needed."""
        with self._lock:
            if any(turns.starts for turns in self._ahead.values()):
                with self._db.transaction() as cursor:
                    self._give_back(cursor)

    def stop(self) -> None:
        """Give no more turns: whoever waits for one stops waiting."""
        self._stopped.set()

    def _sleep(self, seconds: float) -> None:
        self._wait(seconds)
        if self._stopped.is_set():
            raise WaitTooLongError(datetime.now(UTC), "no more calls are wanted")

    def _give_back(self, cursor: Cursor) -> None:
        for turns in self._ahead.values():
            if turns.starts:
                left = len(turns.starts)
                values = {"turns": left, "free": min(left, turns.newest), "behind": turns.behind}
                cursor.execute(_GIVE_BACK, {**turns.values, **values})
        self._ahead.clear()

    def _wait_for_turn(self, values: dict[str, object], limit: Limit) -> None:
        while True:
            start = self._next_start(values, limit)
            if (wait := start - time.monotonic()) > 0:
                self._sleep(wait)
            if wait <= LONG_SLEEP or not self._is_closed(values):
                return

    def _next_start(self, values: dict[str, object], limit: Limit) -> float:
        """Return when our next turn starts, on this process's monotonic clock."""
        with self._lock:
            key = (str(values["identity"]), limit.name)
            now = time.monotonic()
            turns = self._ahead.get(key)
            if turns is None or (not turns.starts and now - turns.taken_at > _SOON):
                turns = self._ahead[key] = _Turns(values, taken_at=now)
            while turns.starts and turns.starts[0] < now - latest(limit):
                turns.starts.popleft()
            most = min(int(latest(limit) / limit.interval), turns.streak // _PATIENCE, _MOST_TURNS)
            if not turns.starts:
                self._reserve(turns, limit, max(most, 1))
            start = turns.starts.popleft()
            if len(turns.starts) < most // 2:
                # While this turn is still to come: the database may be busy with a batch when it is there.
                with suppress(WaitTooLongError):
                    self._reserve(turns, limit, most - len(turns.starts))
            return start

    def _reserve(self, turns: _Turns, limit: Limit, count: int) -> None:
        with self._db.transaction() as cursor:
            self._note_account(cursor, turns.values)
            row = cursor.execute(_CLAIM, {**turns.values, "turns": count}).fetchone()
            if row is not None:
                turns.add(count, row["wait"], limit.interval, row["next_free_at"])
                return
            blocked = one(cursor.execute(_BLOCKED, turns.values).fetchone())
        until: datetime = blocked["until"]
        raise WaitTooLongError(until, blocked["reason"] or f"the {limit.name} limit of {self._network}")

    def _note_account(self, cursor: Cursor, values: dict[str, object]) -> None:
        if self._account is not None and values["limit"] not in self._noted:
            cursor.execute(_NOTE_ACCOUNT, values)
            self._noted.add(str(values["limit"]))

    def _is_closed(self, values: dict[str, object]) -> bool:
        with self._db.transaction() as cursor:
            return bool(one(cursor.execute(_GATE, values).fetchone())["is_closed"])

    def _take_slot(self, values: dict[str, object], most: int) -> None:
        lease = timedelta(seconds=SLOT_SECONDS + self._longest_sleep)
        wanted = values | {"most": most, "lease": lease}
        waited, pause = 0.0, _FIRST_LOOK
        while True:
            with self._db.transaction() as cursor:
                cursor.execute(_LINE_UP, wanted)
                if cursor.execute(_TAKE_SLOT, wanted).fetchone() is not None:
                    return
                busy = one(cursor.execute("SELECT clock_timestamp() AS now").fetchone())
            if waited >= self._longest_sleep:
                until = busy["now"] + timedelta(seconds=self._longest_sleep)
                raise WaitTooLongError(until, f"{self._network} bears no more calls at once than now")
            self._sleep(pause)
            waited += pause
            pause = min(2 * pause, _LATER_LOOKS)

    def _values(self, identity: str, limit: Limit) -> dict[str, object]:
        hashed = keyed_hash(self._hash_key, f"{self._network}:{limit.name}:{identity}")
        return {
            "identity": hashed,
            "limit": limit.name,
            "network": self._network,
            "account": self._account,
            "holder": self._holder,
            "interval": timedelta(seconds=limit.interval),
            "longest": timedelta(seconds=self._longest_sleep),
            "allowed": limit.allowed,
            "per_seconds": limit.per_seconds,
            "window": timedelta(seconds=limit.per_seconds),
        }


def keyed_hash(key: str, value: str) -> str:
    """Hash a value that may be a secret, so that it can be stored and compared but not read."""
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()


def load_hash_key(db: Database) -> str:
    """Return this installation's key for :func:`keyed_hash`."""
    with db.transaction() as cursor:
        return _hash_key(cursor)


def _hash_key(cursor: Cursor) -> str:
    row = one(cursor.execute("SELECT hash_key FROM data_sync.installation").fetchone())
    found: str = row["hash_key"]
    return found


@dataclass(frozen=True)
class Allowance:
    """Calls per time at an even pace, of which ``at_once`` may be taken in advance."""

    calls: int
    per_seconds: float
    at_once: int


def take_turn(cursor: Cursor, identity: str, name: str, allowance: Allowance, *, cost: int = 1) -> float:
    """Take a turn without sleeping, for callers who are told to come back; exact over all processes.

    :param identity: what is counted by; stored as a keyed hash.
    :param name: of the limit; it is no network's.
    :param cost: how many calls it counts for, at most ``at_once`` of them.
    :return: 0 when the turn is taken; else nothing is, and so many seconds are to be waited.
    """
    each = allowance.per_seconds / allowance.calls
    cost = min(cost, allowance.at_once)
    values = {
        "identity": keyed_hash(_hash_key(cursor), f"{name}:{identity}"),
        "limit": name,
        "network": name,
        "interval": timedelta(seconds=each * cost),
        "longest": timedelta(seconds=each * (allowance.at_once - cost)),
        "turns": 1,
        "allowed": allowance.calls,
        "per_seconds": allowance.per_seconds,
        "window": timedelta(seconds=allowance.per_seconds),
    }
    if cursor.execute(_CLAIM, values).fetchone() is not None:
        return 0.0
    blocked = one(
        cursor.execute(
            "SELECT EXTRACT(EPOCH FROM GREATEST(next_free_at, gate_until) - %(longest)s "
            "- clock_timestamp())::float8 AS wait FROM data_sync.rate_limits "
            "WHERE identity = %(identity)s AND limit_name = %(limit)s",
            values,
        ).fetchone()
    )
    return max(float(blocked["wait"]), 0.001)
