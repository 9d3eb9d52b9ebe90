"""One pace for all processes, and tokens that only their own secret can read (laws 17 and 20)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from data_sync.database import Database
from data_sync.limiter import PostgresLimiter
from data_sync.tokens import PostgresTokenStore
from network_clients.errors import WaitTooLongError
from network_clients.facts import Grade, Limit
from tests.data_sync.kit import Child, rows

#: 40 calls in 2 seconds, without a margin: one each 50 ms.
LIMIT = Limit("api", 40, 2.0, ("login",), Grade.DOCUMENTED, "a test", "2026-11-23", margin=0.0)
SECRET = "canary-of-the-limiter"


def limiter(db: Database) -> PostgresLimiter:
    return PostgresLimiter(db, "admitad", "key")


def claim_many(times: int) -> None:
    db = Database()
    mine = limiter(db)
    for _ in range(times):
        mine.claim(SECRET, LIMIT)
    db.close()


def test_four_processes_together_keep_the_pace_and_use_it(db: Database) -> None:
    limiter(db).claim(SECRET, LIMIT)
    before = rows(db, "SELECT next_free_at FROM data_sync.rate_limits")[0]["next_free_at"]
    children = [Child(lambda: claim_many(20)) for _ in range(4)]
    assert [child.wait() for child in children] == [0, 0, 0, 0]
    (row,) = rows(db, "SELECT next_free_at, calls FROM data_sync.rate_limits")
    assert row["calls"] == 81
    # Every turn is a place of its own, at least one interval after the one before.
    assert row["next_free_at"] - before >= timedelta(seconds=80 * LIMIT.interval - 0.001)


def test_a_closed_gate_holds_everybody_and_reserves_nothing(db: Database) -> None:
    limiter(db).close_gate(SECRET, LIMIT, 600, "the network said too many")
    before = rows(db, "SELECT next_free_at, calls FROM data_sync.rate_limits")
    with pytest.raises(WaitTooLongError, match="too many") as raised:
        limiter(db).claim(SECRET, LIMIT)
    assert raised.value.until > datetime.now(UTC) + timedelta(seconds=500)
    assert rows(db, "SELECT next_free_at, calls FROM data_sync.rate_limits") == before


def test_another_identity_does_not_wait(db: Database) -> None:
    limiter(db).close_gate(SECRET, LIMIT, 600, "too many")
    started = time.monotonic()
    limiter(db).claim("somebody else", LIMIT)
    assert time.monotonic() - started < 20


def test_what_is_counted_by_is_stored_as_a_hash_only(db: Database) -> None:
    limiter(db).claim(SECRET, LIMIT)
    assert SECRET not in str(rows(db, "SELECT * FROM data_sync.rate_limits"))


def test_tokens_are_shared_and_readable_with_their_own_secret_only(db: Database) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    PostgresTokenStore(db, "key").save("account", "secret", "token-1", soon)
    other = PostgresTokenStore(Database(), "key")
    assert other.load("account", "secret") == ("token-1", soon)
    assert other.load("account", "a changed secret") is None
    assert "token-1" not in str(rows(db, "SELECT * FROM data_sync.access_tokens"))


def test_forgetting_a_refused_token_keeps_a_newer_one(db: Database) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    store = PostgresTokenStore(db, "key")
    store.save("account", "secret", "new", soon)
    store.forget("account", "old")
    assert store.load("account", "secret") == ("new", soon)
    store.forget("account", "new")
    assert store.load("account", "secret") is None


def test_an_expired_token_is_no_token(db: Database) -> None:
    PostgresTokenStore(db, "key").save("account", "secret", "t", datetime.now(UTC) - timedelta(seconds=1))
    assert PostgresTokenStore(db, "key").load("account", "secret") is None
