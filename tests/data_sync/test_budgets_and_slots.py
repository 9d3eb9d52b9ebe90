"""What an account has used of its limits, and networks that bear only so many calls at once (law 17)."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from data_sync.budgets import list_budgets
from data_sync.database import Database
from data_sync.limiter import SLOT_SECONDS, PostgresLimiter
from network_clients import registry
from network_clients.errors import WaitTooLongError
from network_clients.facts import Grade, Limit
from tests.data_sync.kit import Child, eventually, rows

LIMIT = Limit("api", 40, 10.0, ("login",), Grade.DOCUMENTED, "a test", "2026-11-24", margin=0.1)
ALONE = Limit("api", 100, 1.0, ("key",), Grade.SEEN, "a test", "2026-11-24", margin=0.0, max_in_flight=1)


def budgets(db: Database) -> list[tuple[object, ...]]:
    with db.transaction() as cursor:
        found = list_budgets(cursor)
    return [(b.account, b.allowed, b.used, b.left, b.reason, b.refusals) for b in found]


def test_a_budget_says_what_is_used_and_left_and_accounts_that_share_a_counter_share_it(db: Database) -> None:
    one = PostgresLimiter(db, "admitad", "key", account="admitad_default")
    two = PostgresLimiter(db, "admitad", "key", account="admitad_shop2")
    other = PostgresLimiter(db, "admitad", "key", account="admitad_other")
    for _ in range(3):
        one.claim("application", LIMIT)
    two.claim("application", LIMIT)
    other.claim("another application", LIMIT)
    assert budgets(db) == [
        ("admitad_default", 36, 4, 32, None, 0),
        ("admitad_other", 36, 1, 35, None, 0),
        ("admitad_shop2", 36, 4, 32, None, 0),
    ]


def test_a_budget_is_whole_again_when_its_period_is_over(db: Database) -> None:
    short = replace(LIMIT, calls=100, per_seconds=0.4)
    limiter = PostgresLimiter(db, "admitad", "key", account="admitad_default")
    limiter.claim("application", short)
    time.sleep(0.5)
    assert budgets(db) == [("admitad_default", 90, 0, 90, None, 0)]
    limiter.claim("application", short)
    assert budgets(db)[0][2] == 1


def test_a_budget_says_until_when_the_network_wants_no_calls(db: Database) -> None:
    limiter = PostgresLimiter(db, "admitad", "key", account="admitad_default")
    limiter.claim("application", LIMIT)
    limiter.close_gate("application", LIMIT, 600, "Admitad said so")
    with db.transaction() as cursor:
        (budget,) = list_budgets(cursor)
    assert (budget.reason, budget.refusals) == ("Admitad said so", 1)
    assert budget.closed_until is not None
    assert 500 < (budget.closed_until - db.clock()).total_seconds() <= 600


def test_no_two_calls_are_under_way_at_once_where_the_network_bears_one(db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute("CREATE TABLE under_way (n integer)")
        cursor.execute("CREATE TABLE most (n integer)")
    db.close()

    def call() -> None:
        own = Database()
        limiter = PostgresLimiter(own, "boostiny", "key")
        for _ in range(5):
            limiter.claim("key", ALONE)
            with own.transaction() as cursor:
                cursor.execute("INSERT INTO under_way VALUES (1)")
            time.sleep(0.02)
            with own.transaction() as cursor:
                cursor.execute("INSERT INTO most SELECT count(*) FROM under_way")
                cursor.execute("DELETE FROM under_way")
            limiter.release("key", ALONE)
        own.close()

    children = [Child(call) for _ in range(3)]
    assert [child.wait() for child in children] == [0] * 3
    found = rows(db, "SELECT n, count(*)::integer AS times FROM most GROUP BY n")
    assert found == [{"n": 1, "times": 15}]
    assert rows(db, "SELECT * FROM data_sync.call_slots") == []


def test_the_slot_of_a_killed_caller_is_free_when_its_lease_ends(db: Database) -> None:
    db.close()

    def call_and_stay() -> None:
        PostgresLimiter(Database(), "boostiny", "key").claim("key", ALONE)
        time.sleep(600)

    child = Child(call_and_stay)
    eventually(lambda: rows(db, "SELECT 1 FROM data_sync.call_slots"))
    child.kill()
    impatient = PostgresLimiter(db, "boostiny", "key", longest_sleep=0.5)
    with pytest.raises(WaitTooLongError, match="no more calls at once"):
        impatient.claim("key", ALONE)
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.call_slots SET until = clock_timestamp()")
    impatient.claim("key", ALONE)
    impatient.release("key", ALONE)
    assert rows(db, "SELECT * FROM data_sync.call_slots") == []


def test_a_turn_that_is_too_far_away_holds_no_slot(db: Database) -> None:
    limiter = PostgresLimiter(db, "boostiny", "key")
    limiter.close_gate("key", ALONE, 3600, "locked out")
    with pytest.raises(WaitTooLongError, match="locked out"):
        limiter.claim("key", ALONE)
    assert rows(db, "SELECT * FROM data_sync.call_slots") == []


def test_a_slot_outlasts_every_answer_that_is_waited_for() -> None:
    for slug in registry.all_networks():
        bounded = [limit for limit in registry.facts_of(slug).limits if limit.max_in_flight is not None]
        patience = registry.get_client_class(slug).patience  # type: ignore[attr-defined]
        assert not bounded or patience.connect_timeout + patience.total_timeout < SLOT_SECONDS
