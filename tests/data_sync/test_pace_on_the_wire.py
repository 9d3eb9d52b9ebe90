"""The pace that many processes keep together, as a network with a strict window counts it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import requests

from data_sync.database import Database
from data_sync.limiter import PostgresLimiter
from network_clients.admitad.facts import FACTS as ADMITAD
from network_clients.errors import WaitTooLongError
from network_clients.facts import Grade, Limit
from tests.data_sync.kit import Child, eventually, rows
from tests.sandbox_networks.caller import Caller, process

#: The network allows 60 calls in 4 seconds; a third is left unused, because a busy machine delays calls.
WINDOW = {"calls": 60, "per_seconds": 4}
LIMIT = Limit("api", 60, 4.0, ("login",), Grade.DOCUMENTED, "a test", "2026-11-23", margin=1 / 3)
WHO = "canary-identity"


@pytest.fixture
def network(tmp_path) -> Iterator[Caller]:  # type: ignore[no-untyped-def]
    path = tmp_path / "sandbox.json"
    path.write_text(json.dumps({"options": {"admitad": WINDOW}}))
    with process("--settings", str(path)) as caller:
        yield caller


def call_for(seconds: float, url: str, token: str, limit: Limit) -> None:
    db = Database()
    limiter = PostgresLimiter(db, "admitad", "key")
    session = requests.Session()
    session.headers["Authorization"] = token
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        limiter.claim(WHO, limit)
        assert session.get(f"{url}/websites/v2/", timeout=30).status_code == 200
    db.close()


def keep_the_pace(
    db: Database, network: Caller, limit: Limit, *, processes: int, seconds: float, warm_up: float
) -> float:
    """Call for some time; return the share of the network's allowance that was used after ``warm_up``.

    The network counts every call in its own strict window, those of the warm-up too.
    """
    network.log_in()
    # The token was a call as well: let its window pass.
    network.admin("/reset")
    db.close()
    token = str(network.session.headers["Authorization"])
    work = partial(call_for, seconds + warm_up, network.base, token, limit)
    children = [Child(work) for _ in range(processes)]
    time.sleep(warm_up)
    before, started = traffic_of(network), time.monotonic()
    time.sleep(seconds - 1)
    after, ended = traffic_of(network), time.monotonic()
    assert [child.wait() for child in children] == [0] * processes
    assert sum(traffic_of(network)["violations"].values()) == 0
    used = after["requests_total"] - before["requests_total"]
    return used / ((ended - started) * limit.calls / limit.per_seconds)


def traffic_of(network: Caller) -> dict[str, Any]:
    found: dict[str, Any] = network.admin("/state", method="GET")["networks"]["admitad"]
    return found


@pytest.mark.parametrize("processes", [4, 1])
def test_processes_break_no_limit_and_use_the_rate(db: Database, network: Caller, processes: int) -> None:
    share = keep_the_pace(db, network, LIMIT, processes=processes, seconds=6, warm_up=2)
    assert share >= 0.9 * (1 - LIMIT.margin)


@pytest.mark.prove
@pytest.mark.timeout(400)
@pytest.mark.parametrize("processes", [8, 1])
def test_admitads_own_limit_is_kept_and_used_for_three_minutes(db: Database, processes: int) -> None:
    limit = ADMITAD.limit("api")
    with process() as network:
        share = keep_the_pace(db, network, limit, processes=processes, seconds=180, warm_up=limit.per_seconds)
    assert share >= 0.9


def test_a_gate_that_closes_holds_those_back_who_already_have_a_turn(db: Database) -> None:
    slow = Limit("api", 1, 3.0, ("login",), Grade.DOCUMENTED, "a test", "2026-11-23", margin=0.0)
    limiter = PostgresLimiter(db, "admitad", "key")
    limiter.claim(WHO, slow)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        PostgresLimiter(Database(), "admitad", "key").close_gate(WHO, slow, 600, "the network said so")

    with pytest.raises(WaitTooLongError, match="the network said so"):
        PostgresLimiter(db, "admitad", "key", sleep=sleep).claim(WHO, slow)
    assert len(slept) == 1


def test_a_closed_gate_stops_every_process(db: Database) -> None:
    db.close()

    def claim_for_ever() -> None:
        while True:
            PostgresLimiter(own, "admitad", "key").claim(WHO, LIMIT)

    def claim() -> None:
        with pytest.raises(WaitTooLongError):
            claim_for_ever()

    own = Database()
    children = [Child(claim) for _ in range(3)]
    eventually(lambda: rows(db, "SELECT 1 FROM data_sync.rate_limits WHERE calls > 5"))
    PostgresLimiter(db, "admitad", "key").close_gate(WHO, LIMIT, 3600, "too many")
    assert [child.wait() for child in children] == [0, 0, 0]
    (row,) = rows(db, "SELECT refusals, gate_reason FROM data_sync.rate_limits")
    assert row == {"refusals": 1, "gate_reason": "too many"}


def test_a_gate_is_never_opened_early_by_a_shorter_refusal(db: Database) -> None:
    limiter = PostgresLimiter(db, "admitad", "key")
    limiter.close_gate(WHO, LIMIT, 900, "long")
    limiter.close_gate(WHO, LIMIT, 60, "short")
    with pytest.raises(WaitTooLongError, match="long") as wait:
        limiter.claim(WHO, LIMIT)
    assert wait.value.until - db.clock() > timedelta(seconds=800)
    assert rows(db, "SELECT refusals FROM data_sync.rate_limits") == [{"refusals": 2}]


def test_a_queue_that_is_too_long_reserves_nothing(db: Database) -> None:
    hourly = Limit("api", 60, 3600.0, ("login",), Grade.DOCUMENTED, "a test", "2026-11-23", margin=0.0)
    limiter = PostgresLimiter(db, "admitad", "key")
    limiter.claim(WHO, hourly)
    before = rows(db, "SELECT next_free_at, calls FROM data_sync.rate_limits")
    for _ in range(3):
        with pytest.raises(WaitTooLongError, match="the api limit of admitad") as wait:
            limiter.claim(WHO, hourly)
    assert rows(db, "SELECT next_free_at, calls FROM data_sync.rate_limits") == before
    assert wait.value.until == before[0]["next_free_at"]
    assert wait.value.until.astimezone(UTC) > datetime.now(UTC) - timedelta(minutes=5)
