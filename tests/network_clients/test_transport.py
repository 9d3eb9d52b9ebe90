"""What a client may rely on when it asks a network: a verdict, a pace, and patience, but not too much."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import msgspec
import pytest

from network_clients.bodies import json_as
from network_clients.errors import (
    CredentialsRejectedError,
    NetworkError,
    NetworkUnavailableError,
    RateLimitedError,
    RequestRefusedError,
    ScopeMissingError,
    UnexpectedAnswerError,
    WaitTooLongError,
)
from network_clients.interface import Credentials
from network_clients.outcomes import Answer, Dialect, Outcome
from network_clients.request import Request
from network_clients.transport import Transport
from tests.network_clients.nobody import FACTS, QUICK, SECRET, WatchedLimiter
from tests.network_clients.wire import Reply, Wire, listening

MakeTransport = Callable[..., Transport]


class Good(msgspec.Struct):
    ok: bool


GOOD = Reply()
READ = json_as(Good)
ASK = Request("test page", "/things/", params=(("a", "1"), ("b", "x y"), ("a", "2")))


def test_sends_what_was_asked_and_says_who_asks(wire: Wire, transport: Transport) -> None:
    assert transport.send(ASK, READ).ok
    (seen,) = wire.seen
    assert (seen.method, seen.path) == ("GET", "/things/")
    assert seen.params == [("a", "1"), ("b", "x y"), ("a", "2")]
    assert seen.headers["User-Agent"].startswith("affiliate-data-sync/")


def test_sends_json_and_form_bodies(wire: Wire, transport: Transport) -> None:
    transport.send(Request("report", "/r", method="POST", json={"from": "2026-03-01"}), READ)
    transport.send(Request("token", "/t", method="POST", form=(("scope", "a b"),)), READ)
    assert [seen.body for seen in wire.seen] == [b'{"from": "2026-03-01"}', b"scope=a+b"]


@pytest.mark.parametrize("chunked", [False, True])
def test_reads_compressed_answers(wire: Wire, transport: Transport, chunked: bool) -> None:
    body = gzip.compress(b'{"ok": true, "filler": "%s"}' % (b"x" * 100_000))
    wire.script(Reply(body=body, headers={"Content-Encoding": "gzip"}, chunked=chunked))
    assert transport.send(ASK, READ).ok


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(502, b"<html>nginx</html>"),
        Reply(500),
        Reply(408),
        Reply(drop=True),
        Reply(cut=True),
        Reply(body=b'{"ok": tr'),
        Reply(body=b"<html>maintenance</html>"),
        Reply(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["502", "500", "408", "dropped", "cut", "truncated", "html", "bad gzip"],
)
def test_passing_trouble_is_tried_again_with_a_new_turn(
    wire: Wire, transport: Transport, limiter: WatchedLimiter, meter: SimpleNamespace, trouble: Reply
) -> None:
    wire.script(trouble, GOOD)
    assert transport.send(ASK, READ).ok
    assert meter.requests == len(limiter.claims) == len(wire.seen) == 2


def test_lasting_trouble_ends_after_a_few_tries(wire: Wire, transport: Transport) -> None:
    wire.script(Reply(503, b"down", {"X-Request-Id": "r-17"}))
    with pytest.raises(NetworkUnavailableError) as caught:
        transport.send(ASK, READ)
    assert len(wire.seen) == QUICK.tries
    error = caught.value
    assert (error.network, error.operation, error.http_status) == ("nobody", "test page", 503)
    assert error.request_id == "r-17"
    assert error.is_retryable
    assert "down" in error.detail


@pytest.mark.parametrize("reply", [Reply(silent=True), Reply(drip=True)], ids=["silent", "dripping"])
def test_an_answer_that_does_not_come_is_given_up(
    wire: Wire, make_transport: MakeTransport, reply: Reply
) -> None:
    wire.script(reply)
    hasty = replace(QUICK, read_timeout=0.2, total_timeout=0.2, tries=1)
    with pytest.raises(NetworkUnavailableError):
        make_transport(patience=hasty).send(ASK, READ)


def test_nobody_listening_is_unavailable(make_transport: MakeTransport) -> None:
    with listening() as gone:
        url = gone.url
    with pytest.raises(NetworkUnavailableError):
        make_transport(base_url=url).send(ASK, READ)


def http_date(seconds: float) -> str:
    return format_datetime(datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("hint", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        (http_date(90), 90.0),
        ("999999999", 86_400.0),
        (None, QUICK.first_gate),
        ("0", QUICK.first_gate),
        ("-3", QUICK.first_gate),
        (http_date(-90), QUICK.first_gate),
        ("soon", QUICK.first_gate),
        ("nan", QUICK.first_gate),
    ],
)
def test_too_many_closes_the_gate_for_everybody_for_as_long_as_the_network_says(
    wire: Wire, transport: Transport, limiter: WatchedLimiter, hint: str | None, seconds: float
) -> None:
    # Dates are compared with the network's own clock, however wrong it is.
    headers = {"Date": http_date(0)} | ({} if hint is None else {"Retry-After": hint})
    wire.script(Reply(429, headers=headers), GOOD)
    assert transport.send(ASK, READ).ok
    assert limiter.gates == [seconds]
    assert len(wire.seen) == 2


def test_without_a_hint_the_gate_stays_closed_longer_each_time(
    wire: Wire, make_transport: MakeTransport, limiter: WatchedLimiter
) -> None:
    wire.script(Reply(429))
    with pytest.raises(RateLimitedError) as caught:
        make_transport(patience=replace(QUICK, first_gate=25.0)).send(ASK, READ)
    # Never longer than the period of the limit.
    assert limiter.gates == [25.0, 50.0, 60.0, 60.0]
    assert caught.value.retry_after is None
    assert caught.value.is_retryable


def test_a_network_that_locks_out_for_longer_than_its_period_is_left_alone_for_longer(
    wire: Wire, make_transport: MakeTransport, limiter: WatchedLimiter
) -> None:
    wire.script(Reply(429))
    with pytest.raises(RateLimitedError):
        make_transport(patience=replace(QUICK, first_gate=600.0, longest_gate=1800.0)).send(ASK, READ)
    assert limiter.gates == [600.0, 1200.0, 1800.0, 1800.0]


def test_a_wait_that_is_too_long_to_sleep_is_handed_to_the_caller(
    wire: Wire, transport: Transport, limiter: WatchedLimiter
) -> None:
    limiter.refusal = WaitTooLongError(datetime(2026, 3, 1, tzinfo=UTC), "the gate is closed")
    wire.script(Reply(429, headers={"Retry-After": "3600"}))
    with pytest.raises(WaitTooLongError):
        transport.send(ASK, READ)
    assert limiter.gates == [3600.0]
    assert len(wire.seen) == 1


def test_unavailable_with_a_hint_holds_everybody_back_too(
    wire: Wire, transport: Transport, limiter: WatchedLimiter
) -> None:
    wire.script(Reply(503, headers={"Retry-After": "4"}), GOOD)
    assert transport.send(ASK, READ).ok
    assert limiter.gates == [4.0]


def test_the_allowance_is_counted_by_address_and_declared_fields_and_never_by_the_secret(
    wire: Wire, transport: Transport, limiter: WatchedLimiter
) -> None:
    transport.send(ASK, READ)
    assert limiter.claims == [f"{wire.url}|user-1|t9"]


def test_a_network_that_counts_by_its_key_is_told_apart_without_the_key(
    wire: Wire, limiter: WatchedLimiter
) -> None:
    limits = tuple(replace(limit, counts_by=("password",)) for limit in FACTS.limits)
    for secret in (SECRET, SECRET, "another"):
        credentials = Credentials("nobody_default", {"password": secret})
        Transport(
            replace(FACTS, limits=limits), credentials, limiter, SimpleNamespace(requests=0, waited=0.0),
            base_url=wire.url, patience=QUICK,
        ).send(ASK, READ)  # fmt: skip
    first, again, other = limiter.claims
    assert first == again != other
    assert not any(secret in first + other for secret in (SECRET, "another"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefusedError),
        (401, CredentialsRejectedError),
        (403, ScopeMissingError),
        (404, RequestRefusedError),
        (410, RequestRefusedError),
        (422, RequestRefusedError),
        (501, RequestRefusedError),
        (302, RequestRefusedError),
    ],
)
def test_a_refusal_is_final_at_once_and_says_what_to_do(
    wire: Wire, transport: Transport, status: int, kind: type[NetworkError]
) -> None:
    wire.script(Reply(status))
    with pytest.raises(kind) as caught:
        transport.send(ASK, READ)
    assert type(caught.value) is kind
    assert not caught.value.is_retryable
    assert "Nobody's Network" in caught.value.user_message
    assert len(wire.seen) == 1


class Odd(Dialect):
    def outcome(self, answer: Answer) -> Outcome | None:
        return Outcome.RATE_LIMITED if b"slow down" in answer.body else None

    def retry_after(self, answer: Answer) -> float | None:
        return 12.0 if b"12" in answer.body else None

    def explain(self, outcome: Outcome, answer: Answer, operation: str) -> str | None:
        return f"Read the manual about {operation}." if answer.status == 418 else None


@pytest.mark.parametrize("status", [200, 403, 503])
def test_a_network_may_say_too_many_in_its_own_way(
    wire: Wire, make_transport: MakeTransport, limiter: WatchedLimiter, status: int
) -> None:
    wire.script(Reply(status, b'{"error": "slow down for 12 seconds"}'), GOOD)
    assert make_transport(dialect=Odd()).send(ASK, READ).ok
    assert limiter.gates == [12.0]


def test_a_network_may_explain_itself(wire: Wire, make_transport: MakeTransport) -> None:
    wire.script(Reply(418))
    with pytest.raises(RequestRefusedError, match="Read the manual about test page"):
        make_transport(dialect=Odd()).send(ASK, READ)


def test_an_answer_in_another_shape_names_the_place(wire: Wire, transport: Transport) -> None:
    wire.script(Reply(body=b'{"ok": "perhaps"}'))
    with pytest.raises(UnexpectedAnswerError) as caught:
        transport.send(ASK, READ)
    assert caught.value.field == "ok"
    assert not caught.value.is_retryable
    assert len(wire.seen) == 1


def test_a_body_without_end_is_refused(wire: Wire, make_transport: MakeTransport) -> None:
    wire.script(Reply(body=gzip.compress(bytes(1_000_000)), headers={"Content-Encoding": "gzip"}))
    with pytest.raises(UnexpectedAnswerError) as caught:
        make_transport(patience=replace(QUICK, max_bytes=100_000)).send(ASK, READ)
    assert "100000 bytes" in caught.value.detail


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb'"cut emoji \ud83d"', "cut emoji \ufffd"),
        (rb'"whole \ud83d\ude00"', "whole \U0001f600"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"text \\ud83d"', "text \\ud83d"),
        (b'"latin \xe9"', "latin \ufffd"),
        (b'\xef\xbb\xbf"with a mark"', "with a mark"),
    ],
)
def test_one_broken_character_does_not_spoil_a_page(
    wire: Wire, transport: Transport, sent: bytes, read: str
) -> None:
    wire.script(Reply(body=sent))
    assert transport.send(ASK, json_as(str)) == read
