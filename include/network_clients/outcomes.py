"""What an answer means, as a table: HTTP status or exception to outcome, outcome to error.

The table is the common case. What a network says in its own way (503 for "too many", an error inside a
200) is its :class:`Dialect`.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from network_clients.errors import (
    CredentialsRejectedError,
    NetworkError,
    NetworkUnavailableError,
    RateLimitedError,
    RequestRefusedError,
    ScopeMissingError,
)

#: No network means a longer hint than this, in seconds; a longer one would stop an account for good.
LONGEST_HINT = 86_400.0


class Outcome(StrEnum):
    """What an answer means for the request."""

    OK = "ok"
    """Read it."""
    MOVED = "moved"
    """The answer is at another address."""
    RATE_LIMITED = "rate limited"
    """Too many requests: wait, then ask again."""
    UNAUTHORIZED = "unauthorized"
    """Credentials or token are not accepted."""
    FORBIDDEN = "forbidden"
    """The credentials are fine, but may not read this."""
    REMOVED = "removed"
    """The network has taken this function away."""
    REFUSED = "refused"
    """Asking again would give the same answer."""
    UNAVAILABLE = "unavailable"
    """Trouble that may pass: ask again soon."""


_STATUSES = {
    301: Outcome.MOVED,
    302: Outcome.MOVED,
    307: Outcome.MOVED,
    308: Outcome.MOVED,
    401: Outcome.UNAUTHORIZED,
    403: Outcome.FORBIDDEN,
    407: Outcome.UNAVAILABLE,
    408: Outcome.UNAVAILABLE,
    410: Outcome.REMOVED,
    425: Outcome.UNAVAILABLE,
    429: Outcome.RATE_LIMITED,
    501: Outcome.REFUSED,
    505: Outcome.REFUSED,
}
_CLASSES = {2: Outcome.OK, 5: Outcome.UNAVAILABLE}

_EXCEPTIONS: tuple[tuple[type[Exception], Outcome], ...] = (
    (requests.exceptions.InvalidURL, Outcome.REFUSED),
    (requests.exceptions.InvalidHeader, Outcome.REFUSED),
    (requests.Timeout, Outcome.UNAVAILABLE),
    (requests.ConnectionError, Outcome.UNAVAILABLE),
    (requests.exceptions.ChunkedEncodingError, Outcome.UNAVAILABLE),
    (requests.exceptions.ContentDecodingError, Outcome.UNAVAILABLE),
    (urllib3.exceptions.LocationValueError, Outcome.REFUSED),
    (urllib3.exceptions.HTTPError, Outcome.UNAVAILABLE),
)

_ERRORS: dict[Outcome, tuple[Callable[..., NetworkError], str]] = {
    Outcome.MOVED: (
        RequestRefusedError,
        "{title} sends us to another address, which is not followed because the credentials belong to "
        "this one only. If the API has moved, put its new address into the connection {account}.",
    ),
    Outcome.RATE_LIMITED: (
        RateLimitedError,
        "{title} says that too many requests were made. The sync waits and goes on by itself.",
    ),
    Outcome.UNAUTHORIZED: (
        CredentialsRejectedError,
        "{title} does not accept the credentials of the connection {account}. Open Admin, Connections, "
        "{account} and enter them again.",
    ),
    Outcome.FORBIDDEN: (
        ScopeMissingError,
        "{title} does not allow the credentials of the connection {account} to read this. Ask {title} for "
        "access, or use credentials that have it.",
    ),
    Outcome.REMOVED: (
        RequestRefusedError,
        "{title} no longer offers this function. Update this package, or leave this kind out of the sync.",
    ),
    Outcome.REFUSED: (
        RequestRefusedError,
        "{title} refused the request, and asking again would not help. Check the fields of the connection "
        "{account}; the log of the task has the details.",
    ),
    Outcome.UNAVAILABLE: (
        NetworkUnavailableError,
        "{title} could not be reached or did not answer properly. The sync tries again by itself.",
    ),
}


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, complete. ``repr`` shows neither headers nor body."""

    status: int
    headers: CaseInsensitiveDict[str] = field(repr=False)
    body: bytes = field(repr=False)


class Dialect:
    """How a network says things. The base speaks plain HTTP; networks override what differs."""

    def outcome(self, answer: Answer) -> Outcome | None:
        """Return what an answer means where the status alone is misleading, else ``None``."""
        return None

    def retry_after(self, answer: Answer) -> float | None:
        """Return for how many seconds the network asks to be left alone, or ``None``."""
        return retry_after_header(answer)

    def explain(self, outcome: Outcome, answer: Answer, operation: str) -> str | None:
        """Return one or two sentences for people that fit better than the common ones, or ``None``."""
        return None


def outcome_of_status(status: int) -> Outcome:
    """Return what a status means by itself; an unknown one is a refusal."""
    return _STATUSES.get(status) or _CLASSES.get(status // 100) or Outcome.REFUSED


def outcome_of_exception(error: Exception) -> Outcome:
    """Return what a failure to get an answer means; an unknown one is a refusal."""
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _chain(error)):
        return Outcome.REFUSED
    return next((outcome for kind, outcome in _EXCEPTIONS if isinstance(error, kind)), Outcome.REFUSED)


def error_for(
    outcome: Outcome, text: str | None = None, *, title: str, account: str, **facts: object
) -> NetworkError:
    """Build the error of an outcome.

    :param text: the message for people, where it is not the common one.
    :param facts: what the error's class takes besides its message.
    """
    kind, template = _ERRORS[outcome]
    return kind(text or template.format(title=title, account=account), **facts)


def retry_after_header(answer: Answer) -> float | None:
    """Read ``Retry-After``: seconds, or a date by the network's own clock.

    :return: seconds, at most a day; ``None`` without a header, for nonsense, and for zero or less,
        which some networks send with every refusal.
    """
    value = answer.headers.get("Retry-After", "").strip()
    try:
        seconds = float(value) if math.isfinite(float(value)) else 0.0
    except ValueError:
        try:
            seconds = (_http_date(value) - _now_of(answer)).total_seconds()
        except ValueError:
            return None
    return min(seconds, LONGEST_HINT) if seconds > 0 else None


def _now_of(answer: Answer) -> datetime:
    # The network's clock wrote the date, so it is compared with the network's clock.
    try:
        return _http_date(answer.headers.get("Date", ""))
    except ValueError:
        return datetime.now(UTC)


def _http_date(value: str) -> datetime:
    moment = parsedate_to_datetime(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        found = waiting.pop()
        if isinstance(found, BaseException) and found not in seen:
            seen.append(found)
            # requests and urllib3 carry the reason in ``args`` and ``reason``, not only as the cause.
            waiting += [found.__cause__, found.__context__, *found.args, getattr(found, "reason", None)]
    yield from seen
