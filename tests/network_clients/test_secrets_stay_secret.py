"""A planted secret is searched for wherever a person could look after something went wrong."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_clients.bodies import json_as
from network_clients.errors import NetworkError
from network_clients.interface import Credentials
from network_clients.redaction import Redactor
from network_clients.request import Request
from network_clients.tokens import MemoryTokenStore, Token, TokenSession, buy_token
from network_clients.transport import Transport
from tests.network_clients.exposure import shown
from tests.network_clients.nobody import QUICK, SECRET
from tests.network_clients.wire import Reply, Wire, listening

TOKEN = "token-canary-91x"
FORMS = (
    SECRET,
    quote(SECRET),
    quote(SECRET, safe=""),
    quote_plus(SECRET),
    json.dumps(SECRET)[1:-1],
    base64.b64encode(SECRET.encode()).decode(),
    base64.b64encode(f"user-1:{SECRET}".encode()).decode(),
    TOKEN,
)


def assert_no_secret(text: str) -> None:
    found = [form for form in FORMS if form.lower() in text.lower()]
    assert not found


ECHO = f'{{"error": "the key {SECRET} with token {TOKEN} is wrong"}}'.encode()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, ECHO),
        Reply(401, ECHO),
        Reply(403, ECHO),
        Reply(429, ECHO),
        Reply(500, ECHO),
        Reply(302, headers={"Location": f"https://elsewhere.example/?{urlencode({'k': SECRET})}"}),
        Reply(200, ECHO),
        Reply(200, ECHO[:-3]),
        Reply(drop=True),
        Reply(cut=True),
        Reply(silent=True),
    ],
    ids=["400", "401", "403", "429", "500", "302", "shape", "truncated", "dropped", "cut", "silent"],
)
def test_no_failure_shows_a_secret(
    wire: Wire, make_transport: Callable[..., Transport], caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    caplog.set_level(logging.DEBUG)
    wire.script(reply)
    silent = replace(QUICK, read_timeout=0.2) if reply.silent else QUICK
    transport = make_transport(patience=silent)
    transport.redactor.add(TOKEN)
    request = Request(
        "test page",
        f"/{quote(SECRET, safe='')}/",
        params=(("key", SECRET), ("api_key", "unregistered-canary")),
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    with pytest.raises(NetworkError) as caught:
        transport.send(request, json_as(list))
    assert_no_secret(shown(caught.value))
    assert_no_secret(caplog.text)
    assert "unregistered-canary" not in shown(caught.value) + caplog.text
    assert_no_secret(repr(request))


def test_a_refused_connection_shows_no_secret(make_transport: Callable[..., Transport]) -> None:
    with listening() as gone:
        url = gone.url
    with pytest.raises(NetworkError) as caught:
        make_transport(base_url=url).send(Request("page", "/", params=(("key", SECRET),)), json_as(list))
    assert_no_secret(shown(caught.value))


@pytest.mark.parametrize("broken", [f"{SECRET}\n", f"{SECRET}\u0431"], ids=["newline", "not latin-1"])
def test_a_secret_that_no_header_can_carry_is_not_shown_either(transport: Transport, broken: str) -> None:
    with pytest.raises(NetworkError) as caught:
        transport.send(Request("page", "/", headers={"X-Api-Key": broken}), json_as(list))
    assert_no_secret(shown(caught.value))


def test_a_successful_read_logs_no_secret(
    wire: Wire, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wire.script(
        Reply(body=json.dumps({"access_token": TOKEN, "expires_in": 900}).encode()), Reply(body=b"[]")
    )

    def fetch() -> Token:
        return buy_token(transport, "/token/", user="user-1", secret=SECRET, form=(("secret", SECRET),))

    session = TokenSession(transport, MemoryTokenStore(), identity="i", secret=SECRET, fetch=fetch)
    session.send(Request("page", "/", params=(("key", SECRET),)), json_as(list))
    assert wire.seen[1].headers["Authorization"] == f"Bearer {TOKEN}"
    assert "page" in caplog.text
    assert_no_secret(caplog.text)
    assert_no_secret(repr(Token(TOKEN, 900)))


def test_credentials_do_not_show_their_values(credentials: Credentials) -> None:
    assert_no_secret(repr(credentials))


PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=4, max_size=40)


@given(secret=PRINTABLE, before=PRINTABLE, after=PRINTABLE)
def test_every_form_of_any_secret_is_masked(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret], companions=["user"])
    basic = base64.b64encode(f"user:{secret}".encode()).decode()
    for form in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], basic):
        cleaned = redactor.clean(f"{before} {form} {after}")
        expected = redactor.clean(before) + redactor.clean(after)
        assert form not in cleaned or form in expected or form in "*** "


@pytest.mark.parametrize(
    "text",
    [
        "GET /x?api_key=VALUE123&page=2",
        "GET /x?access_token=VALUE123",
        "https://host/?a=1&apiKey=VALUE123",
        '{"client_secret": "VALUE123", "page": 2}',
        "{'password': 'VALUE123'}",
        "Authorization: Bearer VALUE123",
        "authorization=Basic VALUE123",
        "sent with bearer VALUE123456",
        "X-Api-Key: VALUE123",
        "refresh_token=VALUE123",
    ],
)
def test_what_follows_a_telling_name_is_masked_without_knowing_it(text: str) -> None:
    cleaned = Redactor().clean(text)
    assert "VALUE123" not in cleaned
    assert "***" in cleaned


@pytest.mark.parametrize(
    "text", ["page 2 of 7", "the token is expired", "GET /things/?limit=500&offset=499", "basic rules apply"]
)
def test_harmless_text_stays_readable(text: str) -> None:
    assert Redactor(["", "abc"]).clean(text) == text
