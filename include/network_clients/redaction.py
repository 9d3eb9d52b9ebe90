"""The one place that takes secrets out of text before anybody sees it.

Two nets: the account's own secret values in every form in which they travel (plain, URL-quoted,
JSON-escaped, base64, as one half of a Basic pair), and whatever follows a name that is known to carry
secrets (``api_key=``, ``"access_token": "..."``, ``Authorization: Bearer ...``).
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = "***"

#: Shorter values are no secrets, and masking them would eat ordinary words.
SHORTEST_SECRET = 4

#: Parts of names that carry secrets in URLs, forms, JSON and headers.
SECRET_NAMES = ("api[-_]?key", "token", "secret", "password", "passwd", "passphrase", "authorization")

_NAMED = re.compile(
    rf"""([\w.-]*(?:{"|".join(SECRET_NAMES)})["']?\s*[=:]\s*)"""
    r"""("[^"]*"|'[^']*'|(?:(?:bearer|basic)\s+)?[^\s&"',;}<>)]+)""",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)


class Redactor:
    """Masks secrets in text.

    :param secrets: values that must never be shown.
    :param companions: values that are joined with a secret in a Basic pair, such as the client id.
    """

    def __init__(self, secrets: Iterable[str] = (), companions: Iterable[str] = ()) -> None:
        self._companions = tuple(value for value in companions if value)
        self._forms: set[str] = set()
        self._values: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Mask another value from now on, such as a token that was just bought."""
        if len(secret) < SHORTEST_SECRET:
            return
        known = len(self._forms)
        self._forms.update(_forms(secret))
        for companion in self._companions:
            self._forms.update(_base64_forms(f"{companion}:{secret}"))
        if len(self._forms) != known:
            # Longest first, or the tail of a longer form would stay behind a shorter one.
            ordered = sorted(self._forms, key=len, reverse=True)
            self._values = re.compile("|".join(map(re.escape, ordered)), re.IGNORECASE)

    def clean(self, text: str) -> str:
        """Return the text with every secret masked."""
        if self._values is not None:
            text = self._values.sub(MASK, text)
        return _SCHEME.sub(rf"\1 {MASK}", _NAMED.sub(rf"\g<1>{MASK}", text))


class TargetFilter(logging.Filter):
    """Hides paths and query strings in an HTTP library's own debug log; the transport writes a clean one."""

    _TARGET = re.compile(r"(?<=[A-Z] )/\S*(?= HTTP/)")

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; it is always kept."""
        record.msg = self._TARGET.sub(MASK, record.getMessage())
        record.args = None
        return True


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret)
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield from _base64_forms(secret)


def _base64_forms(value: str) -> Iterator[str]:
    for encoded in (base64.b64encode(value.encode()), base64.urlsafe_b64encode(value.encode())):
        yield encoded.decode()
        yield encoded.decode().rstrip("=")
