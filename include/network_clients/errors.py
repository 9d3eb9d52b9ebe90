"""The tree of errors that a network client can raise.

::

    NetworkError
    ├── NotConfiguredError        the account lacks a field that the client needs
    ├── CredentialsRejectedError  the network does not accept the credentials
    ├── ScopeMissingError         the credentials are fine but may not read this
    ├── RateLimitedError          the network said "too many"; ``retry_at``/``retry_after`` tell until when
    ├── NetworkUnavailableError   time-out, dropped connection, 5xx
    ├── RequestRefusedError       any other refusal: asking again would give the same answer
    └── UnexpectedAnswerError     an answer that the client cannot read
    WaitTooLongError              a limiter would have to wait longer than a task should sleep

Each error carries what support asks for first (network, operation, HTTP status, request id) and two
messages: ``user_message`` says in plain words what happened and what to do, ``detail`` is for the log.
No message may hold a secret: the transport redacts before it raises.
"""

from __future__ import annotations

from datetime import datetime


class NetworkError(Exception):
    """Say that a network could not be read, and what a person can do about it.

    :param user_message: one or two plain sentences: what happened and what to do.
    :param network: the network's slug, such as ``admitad``.
    :param operation: what was asked, such as ``purchases page``.
    :param http_status: the status of the answer, where there was one.
    :param request_id: the network's id of the request, where it sent one.
    :param detail: technical text for the log, already redacted.
    """

    #: Whether asking again later may help.
    is_retryable = False
    #: One of the words that ``accounts check`` shows.
    verdict = "unreachable"

    def __init__(
        self,
        user_message: str,
        *,
        network: str = "",
        operation: str = "",
        http_status: int | None = None,
        request_id: str | None = None,
        detail: str = "",
    ) -> None:
        self.user_message = user_message
        self.network = network
        self.operation = operation
        self.http_status = http_status
        self.request_id = request_id
        self.detail = detail
        super().__init__(user_message)

    def __str__(self) -> str:
        """Return the message for people, headed by network, operation, HTTP status and request id."""
        facts = [self.network, self.operation]
        if self.http_status is not None:
            facts.append(f"HTTP {self.http_status}")
        if self.request_id:
            facts.append(f"request {self.request_id}")
        prefix = ", ".join(fact for fact in facts if fact)
        return f"[{prefix}] {self.user_message}" if prefix else self.user_message


class NotConfiguredError(NetworkError):
    """Raised when a field that the client needs is empty or unusable in the account's connection."""

    verdict = "not configured"


class CredentialsRejectedError(NetworkError):
    """Raised when the network does not accept the credentials."""

    verdict = "wrong credentials"


class ScopeMissingError(NetworkError):
    """Raised when the credentials are valid but may not read what was asked."""

    verdict = "missing scope"


class RateLimitedError(NetworkError):
    """Raised when the network said "too many requests", in whatever form it says so.

    :param retry_after: seconds to wait as the network named them; ``None`` where it gave no hint.
        Zero is "no hint" too.
    """

    is_retryable = True
    verdict = "rate limited"

    def __init__(self, user_message: str, *, retry_after: float | None = None, **facts: object) -> None:
        super().__init__(user_message, **facts)  # type: ignore[arg-type]
        self.retry_after = retry_after if retry_after else None


class NetworkUnavailableError(NetworkError):
    """Raised after a time-out, a dropped connection, a cut-off body or a 5xx answer."""

    is_retryable = True


class RequestRefusedError(NetworkError):
    """Raised when the network refuses a request for a reason that repeating it would not change."""


class UnexpectedAnswerError(NetworkError):
    """Raised when an answer cannot be read as what the network's facts promise.

    :param field: the part of the answer that is wrong, such as ``_meta.count``.
    """

    def __init__(self, user_message: str, *, field: str = "", **facts: object) -> None:
        super().__init__(user_message, **facts)  # type: ignore[arg-type]
        self.field = field


class WaitTooLongError(Exception):
    """Raised by a limiter instead of sleeping longer than a task should hold its slot.

    :param until: the moment (aware, by the limiter's clock) at which to ask again.
    :param reason: in plain words, what is waited for.
    """

    def __init__(self, until: datetime, reason: str) -> None:
        self.until = until
        self.reason = reason
        super().__init__(f"{reason}; ask again at {until.isoformat(timespec='seconds')}")
