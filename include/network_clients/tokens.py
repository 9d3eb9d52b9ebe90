"""Short-lived access tokens: bought once, shared by all tasks of an account, renewed when refused."""

from __future__ import annotations

import base64
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
    ) -> None:
        self._transport = transport
        self._store = store
        self._identity = identity
        self._secret = secret
        self._fetch = fetch
        self._held: tuple[str, datetime] | None = None

    def send(self, request: Request, decode: Callable[[Answer], T]) -> T:
        """Send a request like :meth:`Transport.send`, with a new token if the first one is refused.

        :raises CredentialsRejectedError: when the network refuses a new token too, or sells none.
        """
        token = self._current()
        try:
            return self._transport.send(_with_bearer(request, token), decode)
        except CredentialsRejectedError:
            self._held = None
            self._store.forget(self._identity, token)
        return self._transport.send(_with_bearer(request, self._current()), decode)

    def renew(self) -> str:
        """Buy a new token and share it, whether or not there is a valid one."""
        token = self._fetch()
        expires_at = datetime.now(UTC) + timedelta(seconds=token.expires_in)
        self._transport.redactor.add(token.value)
        self._held = (token.value, expires_at)
        self._store.save(self._identity, self._secret, token.value, expires_at)
        return token.value

    def _current(self) -> str:
        if not _is_fresh(self._held):
            self._held = self._store.load(self._identity, self._secret)
        if self._held is None or not _is_fresh(self._held):
            return self.renew()
        token, _ = self._held
        self._transport.redactor.add(token)
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


def _is_fresh(held: tuple[str, datetime] | None) -> bool:
    return held is not None and held[1] - datetime.now(UTC) > timedelta(seconds=EXPIRY_MARGIN)
