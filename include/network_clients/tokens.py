"""Short-lived access tokens: bought once, shared by all tasks of an account, renewed when refused.

Networks cap how many tokens may be live, so one task buys and the others wait for what it brings. Nothing
is locked meanwhile: a purchase is claimed for a short while, and whoever waited too long buys all the same.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import msgspec

from network_clients.bodies import json_as
from network_clients.errors import CredentialsRejectedError
from network_clients.interface import TokenStore
from network_clients.outcomes import Answer
from network_clients.request import Request
from network_clients.transport import Transport

T = TypeVar("T")

#: A token this close to its end is not used any more, in seconds: a request takes its time, clocks differ.
EXPIRY_MARGIN = 60.0

#: How long the purchase of a token is claimed at most, in seconds. A killed buyer holds others up no longer.
PURCHASE_SECONDS = 60.0

#: A task that has waited so long for another's purchase, in seconds, buys a token of its own.
LONGEST_WAIT = 90.0

#: A task looks for the token after so many seconds, then more and more rarely.
_FIRST_LOOK, _LATER_LOOKS = 0.1, 5.0


@dataclass(frozen=True)
class Token:
    """A token as a network hands it out; ``repr`` hides its value.

    :param expires_in: seconds from now.
    """

    value: str = field(repr=False)
    expires_in: float


class _TokenAnswer(msgspec.Struct):
    access_token: Annotated[str, msgspec.Meta(min_length=1)]
    # RFC 6749 has a number here; some servers send it as text.
    expires_in: Annotated[int, msgspec.Meta(ge=0)] | Annotated[str, msgspec.Meta(pattern="^[0-9]{1,9}$")]


class MemoryTokenStore:
    """Keeps tokens in this process: for tests and for trying a client by hand."""

    def __init__(self) -> None:
        self._tokens: dict[str, tuple[str, str, datetime]] = {}
        self._buying: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def load(self, identity: str, secret: str) -> tuple[str, datetime] | None:
        """Return a token that was saved under this secret and is still valid, or ``None``."""
        saved_under, token, expires_at = self._tokens.get(
            identity, ("", "", datetime.min.replace(tzinfo=UTC))
        )
        return (token, expires_at) if saved_under == secret and expires_at > datetime.now(UTC) else None

    def save(self, identity: str, secret: str, token: str, expires_at: datetime) -> None:
        """Keep a token until it expires."""
        self._tokens[identity] = (secret, token, expires_at)

    def forget(self, identity: str, token: str) -> None:
        """Drop this token; a newer one stays."""
        if self._tokens.get(identity, ("", "", None))[1] == token:
            del self._tokens[identity]

    def reserve(self, identity: str) -> bool:
        """Claim the purchase of a token; ``False`` when another has it."""
        now = datetime.now(UTC)
        with self._lock:
            if self._buying.get(identity, now) > now:
                return False
            self._buying[identity] = now + timedelta(seconds=PURCHASE_SECONDS)
            return True

    def release(self, identity: str) -> None:
        """Say that the purchase is over."""
        with self._lock:
            self._buying.pop(identity, None)


class TokenSession:
    """Sends requests with a bearer token.

    :param identity: what the token belongs to: address, user and scopes. Equal identities share a token.
    :param secret: the credential that buys the token; without it the stored one cannot be read.
    :param fetch: buys a new token from the network.
    """

    def __init__(
        self,
        transport: Transport,
        store: TokenStore,
        *,
        identity: str,
        secret: str,
        fetch: Callable[[], Token],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = transport
        self._store = store
        self._identity = identity
        self._secret = secret
        self._fetch = fetch
        self._sleep = sleep
        self._held: tuple[str, datetime] | None = None
        self._has_bought = False
        # Pages may be asked for in several threads: they look for a token one after the other.
        self._lock = threading.RLock()

    def send(self, request: Request, decode: Callable[[Answer], T]) -> T:
        """Send a request like :meth:`Transport.send`, with a newer token if the first one is refused.

        :raises CredentialsRejectedError: when the network refuses a newer token too, or sells none.
        """
        token = self._current()
        try:
            return self._transport.send(_with_bearer(request, token), decode)
        except CredentialsRejectedError:
            self._refused(token)
        return self._transport.send(_with_bearer(request, self._current(unwanted=token)), decode)

    def renew(self) -> bool:
        """Change to a newer token, whatever the one in use is still good for.

        :return: whether there was a reason to: a token that this session has bought is new already.
        """
        with self._lock:
            token = self._current()
            if self._has_bought:
                return False
            self._other_than(token)
            return True

    def _current(self, *, unwanted: str | None = None) -> str:
        with self._lock:
            if self._held is not None and _is_fresh(self._held) and self._held[0] != unwanted:
                return self._held[0]
            return self._other_than(unwanted)

    def _refused(self, token: str) -> None:
        with self._lock:
            if self._held is not None and self._held[0] == token:
                self._held = None
            self._store.forget(self._identity, token)

    def _other_than(self, token: str | None) -> str:
        """Return a token that is not this one: what another task has bought or is buying, or a new one."""
        waited, pause = 0.0, _FIRST_LOOK
        while (found := self._stored(token)) is None:
            if self._store.reserve(self._identity):
                return self._buy_reserved(token)
            if waited >= LONGEST_WAIT:
                return self._buy()
            self._sleep(pause)
            waited += pause
            pause = min(2 * pause, _LATER_LOOKS)
        return found

    def _buy_reserved(self, unwanted: str | None) -> str:
        try:
            # Between our look and our claim, whoever had it may have brought a token.
            return self._stored(unwanted) or self._buy()
        finally:
            self._store.release(self._identity)

    def _stored(self, unwanted: str | None) -> str | None:
        found = self._store.load(self._identity, self._secret)
        if found is None or not _is_fresh(found) or found[0] == unwanted:
            return None
        return self._hold(*found, bought=False)

    def _buy(self) -> str:
        token = self._fetch()
        expires_at = datetime.now(UTC) + timedelta(seconds=token.expires_in)
        held = self._hold(token.value, expires_at, bought=True)
        self._store.save(self._identity, self._secret, token.value, expires_at)
        return held

    def _hold(self, token: str, expires_at: datetime, *, bought: bool) -> str:
        self._transport.redactor.add(token)
        self._held = (token, expires_at)
        self._has_bought = bought
        return token


def buy_token(
    transport: Transport, path: str, *, user: str, secret: str, form: tuple[tuple[str, str], ...]
) -> Token:
    """Ask an OAuth 2 token endpoint (RFC 6749) for an access token, with the client's Basic header.

    :raises CredentialsRejectedError: when the network does not accept them.
    """
    pair = base64.b64encode(f"{user}:{secret}".encode()).decode()
    request = Request("token", path, method="POST", headers={"Authorization": f"Basic {pair}"}, form=form)
    answer = transport.send(request, json_as(_TokenAnswer))
    return Token(answer.access_token, float(answer.expires_in))


def _with_bearer(request: Request, token: str) -> Request:
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


def _is_fresh(held: tuple[str, datetime]) -> bool:
    return held[1] - datetime.now(UTC) > timedelta(seconds=EXPIRY_MARGIN)
