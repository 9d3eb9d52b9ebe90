"""The reference limiter: an even pace, whoever asks, and nobody passes a closed gate."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_clients.errors import WaitTooLongError
from network_clients.limits import LocalLimiter, NoLimiter
from tests.network_clients.nobody import FACTS

LIMIT = replace(FACTS.limit("api"), calls=60, per_seconds=60, margin=0.0)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def make(clock: Clock, longest: float = 30.0) -> LocalLimiter:
    return LocalLimiter(longest_sleep=longest, clock=lambda: clock.now, sleep=clock.sleep)


@given(pauses=st.lists(st.floats(0, 3), max_size=60))
def test_no_two_calls_are_closer_than_the_interval(pauses: list[float]) -> None:
    clock = Clock()
    limiter = make(clock)
    calls = []
    for pause in pauses:
        clock.now += pause
        limiter.claim("i", LIMIT)
        calls.append(clock.now)
    assert all(later - earlier >= 1 - 1e-6 for earlier, later in itertools.pairwise(calls))


def test_identities_and_limits_do_not_wait_for_each_other() -> None:
    clock = Clock()
    limiter = make(clock)
    limiter.claim("a", LIMIT)
    limiter.claim("b", LIMIT)
    limiter.claim("a", replace(LIMIT, name="reports"))
    assert clock.now == 1000.0


def test_the_margin_slows_the_pace() -> None:
    clock = Clock()
    limiter = make(clock)
    for _ in range(2):
        limiter.claim("i", replace(LIMIT, margin=0.5))
    assert clock.now == 1002.0


def test_a_closed_gate_holds_everybody_back_until_it_opens() -> None:
    clock = Clock()
    limiter = make(clock)
    limiter.close_gate("i", LIMIT, 20, "too many")
    limiter.close_gate("i", LIMIT, 5, "too many again")
    limiter.claim("i", LIMIT)
    assert clock.now == 1020.0


def test_a_long_wait_raises_and_takes_no_turn() -> None:
    clock = Clock()
    limiter = make(clock)
    limiter.close_gate("i", LIMIT, 31, "too many")
    with pytest.raises(WaitTooLongError, match="too many") as caught:
        limiter.claim("i", LIMIT)
    assert caught.value.until.tzinfo is not None
    clock.now += 31
    limiter.claim("i", LIMIT)
    assert clock.now == 1031.0


def test_a_used_up_limit_says_so() -> None:
    limiter = make(Clock(), longest=0.5)
    limiter.claim("i", LIMIT)
    with pytest.raises(WaitTooLongError, match="api limit is used up"):
        limiter.claim("i", LIMIT)


def test_threads_get_different_turns() -> None:
    slept: list[float] = []
    limiter = LocalLimiter(longest_sleep=1000, clock=lambda: 0.0, sleep=slept.append)
    threads = [threading.Thread(target=limiter.claim, args=("i", LIMIT)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(slept) == [float(turn) for turn in range(1, 20)]


def test_without_a_limiter_nobody_waits() -> None:
    limiter = NoLimiter()
    limiter.close_gate("i", LIMIT, 1e9, "too many")
    limiter.claim("i", LIMIT)
