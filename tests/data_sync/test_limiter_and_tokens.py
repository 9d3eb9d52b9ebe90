"""One pace for all processes, and one token, which only its own secret can read (laws 17 and 20)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from data_sync.database import Database
from data_sync.limiter import PostgresLimiter
from data_sync.sync import build_client
from data_sync.tokens import PostgresTokenStore
from network_clients.errors import WaitTooLongError
from network_clients.facts import Grade, Limit
from network_clients.interface import NetworkClient, ReadRequest
from network_clients.records import Kind
from network_clients.tokens import PURCHASE_SECONDS
from tests.data_sync.kit import ACCOUNT, Child, admitad_account, eventually, rows
from tests.sandbox_networks.caller import Caller, process

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


ROOMY = Limit("api", 400, 2.0, ("login",), Grade.DOCUMENTED, "a test", "2026-11-23", margin=0.5)


def claim_until_ahead(db: Database, mine: PostgresLimiter) -> tuple[int, dict]:
    """Claim turns until some were taken ahead; return how many were used, and the limiter's row."""
    for used in range(1, 100):
        mine.claim(SECRET, ROOMY)
        (row,) = rows(db, "SELECT calls, window_calls, next_free_at FROM data_sync.rate_limits")
        if row["calls"] > used:
            return used, row
    raise AssertionError("no turn was taken ahead")


def test_who_keeps_asking_takes_turns_ahead_and_gives_back_what_is_left(db: Database) -> None:
    mine = limiter(db)
    used, taken = claim_until_ahead(db, mine)
    assert used > 5, "who asks a few times takes no turn that may not be needed"
    mine.done()
    (left,) = rows(db, "SELECT calls, window_calls, next_free_at FROM data_sync.rate_limits")
    assert left["calls"] == used
    spare = (taken["calls"] - used) * ROOMY.interval
    assert abs((taken["next_free_at"] - left["next_free_at"]).total_seconds() - spare) < 0.001


def test_turns_behind_which_somebody_else_has_one_stay_lost(db: Database) -> None:
    mine = limiter(db)
    used, _ = claim_until_ahead(db, mine)
    limiter(Database()).claim(SECRET, ROOMY)
    (before,) = rows(db, "SELECT next_free_at FROM data_sync.rate_limits")
    mine.done()
    (after,) = rows(db, "SELECT calls, next_free_at FROM data_sync.rate_limits")
    assert after == {"calls": used + 1, "next_free_at": before["next_free_at"]}


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


@pytest.fixture
def sandbox() -> Iterator[Caller]:
    with process("--now", "2026-03-10T12:00:00Z", "--rows-per-day", "5") as caller:
        yield caller


def issued(sandbox: Caller) -> int:
    """How many tokens the network has handed out."""
    state = sandbox.admin("/state", method="GET")
    return int(state["networks"]["admitad"]["tokens"]["issued"])


def account_of(sandbox: Caller) -> NetworkClient:
    """A client with a connection to the database of its own, as each task has one."""
    return build_client(Database(), admitad_account(sandbox.base)(ACCOUNT))


def read_a_page(client: NetworkClient) -> None:
    (part,) = client.slices(ReadRequest(Kind.PURCHASES, date(2026, 3, 1), date(2026, 3, 3)))
    assert next(client.pages(Kind.PURCHASES, part)).records


def together(*works: Callable[[], object]) -> list[int]:
    """Run each in a process of its own, and return their exit statuses."""
    return [child.wait() for child in [Child(work) for work in works]]


def test_eight_processes_that_start_without_a_token_buy_one(
    db: Database, database: str, sandbox: Caller
) -> None:
    sandbox.fault("slow", path="/token/", seconds=0.5, count=None)
    assert together(*[lambda: read_a_page(account_of(sandbox))] * 8) == [0] * 8
    assert issued(sandbox) == 1
    assert rows(db, "SELECT * FROM data_sync.token_purchases") == [], "the purchase is over"


def test_eight_processes_whose_token_is_refused_buy_one_more(
    db: Database, database: str, sandbox: Caller
) -> None:
    def read_before_and_after() -> None:
        client = account_of(sandbox)
        read_a_page(client)
        with Database().transaction() as cursor:
            cursor.execute("INSERT INTO ready DEFAULT VALUES")
        eventually(lambda: rows(Database(), "SELECT 1 FROM expired"))
        read_a_page(client)

    with db.transaction() as cursor:
        cursor.execute("CREATE TABLE ready (id bigint GENERATED ALWAYS AS IDENTITY)")
        cursor.execute("CREATE TABLE expired (id bigint GENERATED ALWAYS AS IDENTITY)")
    db.close()
    children = [Child(read_before_and_after) for _ in range(8)]
    eventually(lambda: len(rows(db, "SELECT 1 FROM ready")) == 8)
    sandbox.fault("slow", path="/token/", seconds=0.5, count=None)
    sandbox.fault("expired_tokens", path="/statistics/")
    rows(db, "INSERT INTO expired DEFAULT VALUES RETURNING id")
    assert [child.wait() for child in children] == [0] * 8
    assert issued(sandbox) == 2


def test_no_connection_is_held_and_nothing_locked_while_a_token_is_bought(
    db: Database, database: str, sandbox: Caller
) -> None:
    sandbox.fault("slow", path="/token/", seconds=8, count=None)
    child = Child(lambda: read_a_page(account_of(sandbox)))
    eventually(lambda: rows(db, "SELECT 1 FROM data_sync.token_purchases"))
    others = (
        "SELECT state, backend_xid, backend_xmin FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    # Who has just claimed the purchase may be about to end a transaction; the purchase takes 8 s.
    eventually(lambda: not [row for row in rows(db, others) if row["state"] != "idle"], seconds=3)
    eventually(lambda: not rows(db, others), seconds=7)
    assert issued(sandbox) == 0
    assert child.wait() == 0
    assert issued(sandbox) == 1


def test_the_claim_of_a_killed_buyer_ends_by_itself(db: Database, database: str, sandbox: Caller) -> None:
    sandbox.fault("hold", path="/token/", seconds=5)
    db.close()
    killed = Child(lambda: read_a_page(account_of(sandbox)))
    eventually(lambda: rows(db, "SELECT 1 FROM data_sync.token_purchases"))
    killed.kill()
    waiting = Child(lambda: read_a_page(account_of(sandbox)))
    (claim,) = rows(db, "SELECT until - clock_timestamp() AS left FROM data_sync.token_purchases")
    assert timedelta(0) < claim["left"] <= timedelta(seconds=PURCHASE_SECONDS)
    time.sleep(1)
    assert waiting.is_running()
    rows(db, "UPDATE data_sync.token_purchases SET until = clock_timestamp() RETURNING 1")
    assert waiting.wait() == 0
    assert rows(db, "SELECT * FROM data_sync.token_purchases") == []


def test_one_at_a_time_claims_a_purchase_and_ends_no_claim_but_its_own(db: Database) -> None:
    ours, theirs = PostgresTokenStore(db, "key"), PostgresTokenStore(Database(), "key")
    assert ours.reserve("account")
    assert not theirs.reserve("account")
    assert theirs.reserve("another account")
    theirs.release("account")
    assert not theirs.reserve("account")
    rows(db, "UPDATE data_sync.token_purchases SET until = clock_timestamp() RETURNING 1")
    assert theirs.reserve("account"), "the claim has run out"
    ours.release("account")
    assert not ours.reserve("account")
    theirs.release("account")
    assert ours.reserve("account")
    assert "account" not in str(rows(db, "SELECT identity FROM data_sync.token_purchases"))


def test_ten_checks_use_up_no_token(db: Database, sandbox: Caller) -> None:
    for _ in range(10):
        assert not account_of(sandbox).check().missing
    assert issued(sandbox) == 1
    sandbox.fault("missing_scope", path="/coupons/")
    assert not account_of(sandbox).check().missing, "asked once more with a new token"
    assert issued(sandbox) == 2
