"""Admitad's token endpoint: client credentials, refresh with rotation, a cap on live tokens, expiry."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.responses import Response

from sandbox_networks.admitad.answers import json_answer, problem, wrong_client
from sandbox_networks.admitad.options import AdmitadOptions, App
from sandbox_networks.world import SandboxClock

_REMEMBERED = 10_000


@dataclass
class Token:
    """An access token: whose it is, what it may read, until when (epoch seconds of the sandbox clock)."""

    app: App
    scopes: frozenset[str]
    expires_at: int
    refresh: str


def form_of(body: bytes) -> dict[str, str]:
    """Read a form-encoded body; of a repeated field the last value counts."""
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def basic_of(headers: Headers) -> tuple[str, str] | None:
    """Read name and secret from a Basic header, ``None`` without a readable one."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, found, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, secret) if found else None


class TokenDesk:
    """Issues, refreshes, checks and counts tokens."""

    def __init__(self, options: AdmitadOptions, clock: SandboxClock) -> None:
        """Open without any token."""
        self._options = options
        self._clock = clock
        self._apps = {app.client_id: app for app in options.apps}
        self._tokens: dict[str, Token] = {}
        self.issued = 0

    def answer(self, headers: Headers, body: bytes) -> Response:
        """Answer one call of ``POST /token/``."""
        form = form_of(body)
        grant = form.get("grant_type")
        if grant == "client_credentials":
            return self._by_credentials(headers, form)
        if grant == "refresh_token":
            return self._by_refresh(form)
        return problem(400, "unsupported_grant_type", "Use client_credentials or refresh_token", 3)

    def find(self, headers: Headers) -> Token | None:
        """Look up the token that a call shows, expired or not."""
        scheme, _, value = headers.get("authorization", "").partition(" ")
        return self._tokens.get(value) if scheme.lower() == "bearer" else None

    def is_live(self, token: Token) -> bool:
        """Whether a token has not expired by the sandbox clock."""
        return self._clock.now() < token.expires_at

    def live(self) -> int:
        """Count the live tokens of all applications."""
        return sum(map(self.is_live, self._tokens.values()))

    def expire_all(self) -> None:
        """Let every live token expire now."""
        now = self._clock.now()
        for token in self._tokens.values():
            token.expires_at = min(token.expires_at, now)

    def _check(self, client: str | None, secret: str | None) -> App | None:
        app = self._apps.get(client or "")
        return app if app and secrets.compare_digest(app.secret.encode(), (secret or "").encode()) else None

    def _by_credentials(self, headers: Headers, form: Mapping[str, str]) -> Response:
        client, secret = basic_of(headers) or (None, None)
        app = self._check(client, secret)
        if app is None or form.get("client_id", client) != client:
            return wrong_client()
        if sum(t.app == app and self.is_live(t) for t in self._tokens.values()) >= self._options.live_tokens:
            return problem(400, "too_many_tokens", "Too many active tokens", 6)
        return self._issue(app, form.get("scope", ""))

    def _by_refresh(self, form: Mapping[str, str]) -> Response:
        app = self._check(form.get("client_id"), form.get("client_secret"))
        if app is None:
            return wrong_client()
        refresh = form.get("refresh_token")
        for value, token in self._tokens.items():
            if token.refresh == refresh and token.app == app:
                del self._tokens[value]
                return self._issue(app, " ".join(sorted(token.scopes)))
        return problem(400, "invalid_grant", "The refresh token is unavailable", 5)

    def _issue(self, app: App, scope: str) -> Response:
        seconds = self._options.token_seconds
        value, refresh = secrets.token_hex(16), secrets.token_hex(16)
        self._tokens[value] = Token(app, frozenset(scope.split()), self._clock.now() + seconds, refresh)
        self.issued += 1
        if len(self._tokens) > _REMEMBERED:
            del self._tokens[next(iter(self._tokens))]
        return json_answer(
            {
                "access_token": value,
                "token_type": "bearer",
                "expires_in": str(seconds) if self._options.expires_in_as_text else seconds,
                "refresh_token": refresh,
                "scope": scope,
                "username": "sandbox",
                "first_name": "Sandbox",
                "last_name": "Publisher",
                "language": "en",
                "group": "webmaster",
                "id": 4400001,
            }
        )
