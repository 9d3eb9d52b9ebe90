"""A token is bought once by all together, shared, and renewed once when the network refuses it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from network_clients.bodies import json_as
from network_clients.errors import (
    CredentialsRejectedError,
    NetworkUnavailableError,
    UnexpectedAnswerError,
)
from network_clients.request import Request
from network_clients.tokens import (
    LONGEST_WAIT,
    PURCHASE_SECONDS,
    MemoryTokenStore,
    Token,
    TokenSession,
    buy_token,
)
from network_clients.transport import Transport
from tests.network_clients.nobody import SECRET
from tests.network_clients.wire import Reply, Wire

PAGE = Request("page", "/things/")
EMPTY = Reply(body=b"[]")
REFUSED = Reply(401)


class Shop:
    """Hands out numbered tokens."""

    def __init__(self, expires_in: float = 900) -> None:
        self.sold = 0
        self.expires_in = expires_in
        self.closed = False
        self.busy: threading.Barrier | None = None

    def sell(self) -> Token:
        if self.closed:
            raise NetworkUnavailableError("closed")
        self.sold += 1
        if self.busy:
            self.busy.wait(10)
            time.sleep(0.3)
        return Token(f"token-{self.sold}", self.expires_in)


def session(
    transport: Transport, store: MemoryTokenStore, shop: Shop, secret: str = SECRET, **more: Any
) -> TokenSession:
    return TokenSession(transport, store, identity="user-1 scope", secret=secret, fetch=shop.sell, **more)


def shown(wire: Wire) -> list[str]:
    return [seen.headers.get("Authorization", "") for seen in wire.seen]


def test_tasks_share_one_token(wire: Wire, transport: Transport) -> None:
    wire.script(EMPTY)
    store, shop = MemoryTokenStore(), Shop()
    for _ in range(2):
        ours = session(transport, store, shop)
        ours.send(PAGE, json_as(list))
        ours.send(PAGE, json_as(list))
    assert shop.sold == 1
    assert shown(wire) == ["Bearer token-1"] * 4


def test_a_refused_token_is_renewed_once(wire: Wire, transport: Transport) -> None:
    wire.script(REFUSED, EMPTY)
    store, shop = MemoryTokenStore(), Shop()
    assert session(transport, store, shop).send(PAGE, json_as(list)) == []
    assert shown(wire) == ["Bearer token-1", "Bearer token-2"]
    assert store.load("user-1 scope", SECRET) is not None


def test_a_token_that_another_task_has_renewed_meanwhile_is_used(wire: Wire, transport: Transport) -> None:
    store, shop = MemoryTokenStore(), Shop()
    ours, theirs = session(transport, store, shop), session(transport, store, shop)
    wire.script(EMPTY, EMPTY, REFUSED, EMPTY)
    ours.send(PAGE, json_as(list))
    theirs.renew()
    theirs.send(PAGE, json_as(list))
    ours.send(PAGE, json_as(list))
    assert shown(wire)[-1] == "Bearer token-2"
    assert shop.sold == 2


def test_a_new_token_is_bought_on_demand_unless_the_one_in_use_is_new(
    wire: Wire, transport: Transport
) -> None:
    wire.script(EMPTY)
    store, shop = MemoryTokenStore(), Shop()
    session(transport, store, shop).send(PAGE, json_as(list))
    later = session(transport, store, shop)
    assert [later.renew(), later.renew(), later.renew()] == [True, False, False]
    later.send(PAGE, json_as(list))
    assert shown(wire) == ["Bearer token-1", "Bearer token-2"]
    assert not session(transport, MemoryTokenStore(), shop).renew(), "there was none, so it is new"
    assert shop.sold == 3


def test_two_that_want_a_newer_token_than_the_same_one_buy_one(wire: Wire, transport: Transport) -> None:
    wire.script(EMPTY)
    store, shop = MemoryTokenStore(), Shop()
    session(transport, store, shop).send(PAGE, json_as(list))
    one, other = session(transport, store, shop), session(transport, store, shop)
    for each in (one, other):
        each.send(PAGE, json_as(list))
    assert one.renew()
    assert other.renew()
    assert shop.sold == 2


def test_a_token_that_can_no_more_be_replaced_is_still_used(wire: Wire, transport: Transport) -> None:
    wire.script(EMPTY)
    store, shop = MemoryTokenStore(), Shop()
    session(transport, store, shop).send(PAGE, json_as(list))
    later = session(transport, store, shop)
    shop.closed = True
    with pytest.raises(NetworkUnavailableError):
        later.renew()
    later.send(PAGE, json_as(list))
    assert shown(wire) == ["Bearer token-1"] * 2
    assert store.reserve("user-1 scope"), "a purchase that failed is over"


def test_many_that_start_without_a_token_buy_one_together(wire: Wire, transport: Transport) -> None:
    wire.script(EMPTY)
    store, shop = MemoryTokenStore(), Shop()
    shop.busy = threading.Barrier(2)
    threads = [
        threading.Thread(target=session(transport, store, shop).send, args=(PAGE, json_as(list)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    shop.busy.wait(10)
    for thread in threads:
        thread.join(30)
    assert shown(wire) == ["Bearer token-1"] * 8
    assert shop.sold == 1


@pytest.fixture
def frozen() -> Iterator[Callable[[float], None]]:
    """A clock that moves only when somebody sleeps by it."""
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False) as clock:
        yield lambda seconds: clock.shift(timedelta(seconds=seconds))


def test_the_claim_of_a_killed_buyer_ends_by_itself(
    wire: Wire, transport: Transport, frozen: Callable[[float], None]
) -> None:
    wire.script(EMPTY)
    store, shop, slept = MemoryTokenStore(), Shop(), []

    def sleep(seconds: float) -> None:
        assert shop.sold == 0
        slept.append(seconds)
        frozen(seconds)

    assert store.reserve("user-1 scope")
    session(transport, store, shop, sleep=sleep).send(PAGE, json_as(list))
    assert shop.sold == 1
    assert PURCHASE_SECONDS <= sum(slept) < PURCHASE_SECONDS + 5
    assert slept == sorted(slept), "it looks more and more rarely"
    assert max(slept) <= 5


def test_who_waited_too_long_buys_all_the_same(
    wire: Wire, transport: Transport, frozen: Callable[[float], None]
) -> None:
    wire.script(EMPTY)
    store, shop, slept = MemoryTokenStore(), Shop(), []

    def sleep(seconds: float) -> None:
        # One buyer after the other brings nothing.
        slept.append(seconds)
        store.release("user-1 scope")
        assert store.reserve("user-1 scope")
        frozen(seconds)

    assert store.reserve("user-1 scope")
    session(transport, store, shop, sleep=sleep).send(PAGE, json_as(list))
    assert shop.sold == 1
    assert LONGEST_WAIT <= sum(slept) < LONGEST_WAIT + 5
    assert not store.reserve("user-1 scope"), "the other's claim is left alone"


def test_wrong_credentials_fail_after_one_new_token(wire: Wire, transport: Transport) -> None:
    wire.script(REFUSED)
    shop = Shop()
    with pytest.raises(CredentialsRejectedError, match="nobody_default"):
        session(transport, MemoryTokenStore(), shop).send(PAGE, json_as(list))
    assert shop.sold == 2
    assert len(wire.seen) == 2


def test_a_token_is_given_up_a_minute_before_its_end(wire: Wire, transport: Transport) -> None:
    wire.script(EMPTY)
    shop = Shop(expires_in=900)
    ours = session(transport, MemoryTokenStore(), shop)
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False) as clock:
        ours.send(PAGE, json_as(list))
        clock.shift(timedelta(seconds=839))
        ours.send(PAGE, json_as(list))
        assert shop.sold == 1
        clock.shift(timedelta(seconds=2))
        ours.send(PAGE, json_as(list))
        assert shop.sold == 2


def test_a_changed_secret_does_not_find_the_old_token(wire: Wire, transport: Transport) -> None:
    wire.script(EMPTY)
    store, shop = MemoryTokenStore(), Shop()
    session(transport, store, shop).send(PAGE, json_as(list))
    session(transport, store, shop, secret="another secret").send(PAGE, json_as(list))
    assert shop.sold == 2


def test_the_store_forgets_only_the_token_that_is_named() -> None:
    store = MemoryTokenStore()
    store.save("i", "s", "new", datetime.now(UTC) + timedelta(hours=1))
    store.forget("i", "old")
    assert store.load("i", "s") is not None
    store.forget("i", "new")
    assert store.load("i", "s") is None


@pytest.mark.parametrize("expires_in", [900, "900"])
def test_a_token_is_bought_with_the_basic_header(
    wire: Wire, transport: Transport, expires_in: int | str
) -> None:
    wire.script(Reply(body=json.dumps({"access_token": "t", "expires_in": expires_in}).encode()))
    form = (("grant_type", "client_credentials"), ("scope", "a b"))
    assert buy_token(transport, "/token/", user="u", secret="s", form=form) == Token("t", 900.0)
    (seen,) = wire.seen
    assert (seen.method, seen.headers["Authorization"]) == ("POST", "Basic dTpz")
    assert seen.body == b"grant_type=client_credentials&scope=a+b"


@pytest.mark.parametrize(
    "answer", [{}, {"access_token": "", "expires_in": 1}, {"access_token": "t", "expires_in": -1}]
)
def test_a_token_answer_that_makes_no_sense_is_an_error(
    wire: Wire, make_transport: Callable[..., Transport], answer: dict[str, object]
) -> None:
    wire.script(Reply(body=json.dumps(answer).encode()))
    with pytest.raises(UnexpectedAnswerError):
        buy_token(make_transport(), "/token/", user="u", secret="s", form=())
