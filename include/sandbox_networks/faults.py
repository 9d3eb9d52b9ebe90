"""Misbehaviour on demand: what a test asked the sandbox to do wrong, and for how many calls.

Two sorts share one book: faults of a call (an error instead of an answer, a broken or slow one), which are
used up, and faults of rows (an unknown status word, a missing currency), which last until they are cleared.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec


class FaultKind(StrEnum):
    """What can go wrong."""

    RATE_LIMITED = "rate_limited"
    """The network's own form of "too many requests"; ``retry_after`` adds that header."""
    TOO_MANY_REQUESTS = "too_many_requests"
    """A plain 429, as gateways send it; ``retry_after`` adds that header."""
    SERVER_ERROR = "server_error"
    """``status`` (500, 502 ...) with a body that is not JSON."""
    HOLD = "hold"
    """Keep the caller waiting for ``seconds``, then answer."""
    SLOW = "slow"
    """Like ``hold``, meant for a delay of every page: ``seconds`` may be a fraction."""
    IN_TURN = "in_turn"
    """Like ``slow``, and pages of one list that are asked for at once are answered one after another."""
    DROP = "drop"
    """Close the connection in the middle of the body."""
    TRUNCATED = "truncated"
    """A complete answer whose JSON is cut off half way."""
    MOVE = "move"
    """When the call is answered, the clock moves on by ``seconds``: rows come and go between two pages."""
    LATE = "late"
    """An answer of now that comes when the faults are cleared, after ``seconds`` at the latest: old news."""
    EXPIRED_TOKENS = "expired_tokens"
    """All live tokens expire just before the call is answered."""
    WRONG_CREDENTIALS = "wrong_credentials"
    """The network's answer to wrong credentials."""
    MISSING_SCOPE = "missing_scope"
    """The network's answer to a call beyond what the credentials may read."""
    UNKNOWN_STATUS = "unknown_status"
    """Rows with a status word that nobody has heard of."""
    MISSING_CURRENCY = "missing_currency"
    """Rows without a currency."""
    MISSING_ID = "missing_id"
    """Rows without an id."""
    IMPOSSIBLE_DATE = "impossible_date"
    """Rows that happened on the 31st of February."""
    TEXT_AMOUNT = "text_amount"
    """Rows whose amounts are words, such as NaN."""
    NUL_BYTE = "nul_byte"
    """Rows with a NUL character in a text, which Postgres refuses."""
    NULL_CHANGE_TIME = "null_change_time"
    """Rows without the time of their last change."""
    LONG_AMOUNT = "long_amount"
    """Rows whose amounts have 40 digits."""
    BARE_NAN = "bare_nan"
    """Rows whose amount is a bare ``NaN``, which makes the page no JSON."""
    HUGE_FIELD = "huge_field"
    """Rows with a text of ten megabytes; mind ``every``, or a page is too large to be sent."""
    DEEP_NESTING = "deep_nesting"
    """Rows with a field that is nested 20,000 levels deep."""
    WRONG_ENCODING = "wrong_encoding"
    """Rows with a text that is not in UTF-8."""

    @property
    def spoils_rows(self) -> bool:
        """Whether this is a fault of rows, not of a call."""
        return self in _ROW_FAULTS


_ROW_FAULTS = (
    FaultKind.UNKNOWN_STATUS,
    FaultKind.MISSING_CURRENCY,
    FaultKind.MISSING_ID,
    FaultKind.IMPOSSIBLE_DATE,
    FaultKind.TEXT_AMOUNT,
    FaultKind.NUL_BYTE,
    FaultKind.NULL_CHANGE_TIME,
    FaultKind.LONG_AMOUNT,
    FaultKind.BARE_NAN,
    FaultKind.HUGE_FIELD,
    FaultKind.DEEP_NESTING,
    FaultKind.WRONG_ENCODING,
)

LONG_AMOUNT = "1234567890" * 4
"""What an amount of forty digits is."""

HUGE_TEXT = "0123456789" * 1_000_000
"""What a text of ten megabytes is."""

DEEP_VALUE = msgspec.Raw(b"[" * 20_000 + b"]" * 20_000)
"""What a value is that is nested too deep."""

LATIN_TEXT = msgspec.Raw(b'"caf\xe9"')
"""A text in Latin-1."""

BARE_NAN = msgspec.Raw(b"NaN")
"""A number that JSON does not have, as some servers print it."""


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One order to misbehave, as it is posted to ``/_admin/faults``."""

    network: str
    kind: FaultKind
    path: str = "/"
    """Only calls whose path below the network starts like this."""
    after: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many matching calls still go well."""
    count: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    """How many calls go wrong then; ``None`` for all until it is cleared."""
    retry_after: int | str | None = None
    status: Annotated[int, msgspec.Meta(ge=500, le=599)] = 500
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 30.0
    every: Annotated[int, msgspec.Meta(ge=1)] = 50
    """For faults of rows: one row in so many of each day."""

    def meets(self, network: str, path: str) -> bool:
        """Whether a call is one that this fault is about."""
        return not self.kind.spoils_rows and network == self.network and path.startswith(self.path)


class FaultBook:
    """The faults in force."""

    def __init__(self) -> None:
        """Start with good behaviour."""
        self._faults: list[Fault] = []
        self.cleared = 0
        """How often the faults were cleared."""

    def add(self, fault: Fault) -> None:
        """Put a fault in force, behind those that are already there."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Behave well again."""
        self._faults.clear()
        self.cleared += 1

    def listed(self) -> list[Fault]:
        """Show what is in force, with the calls that are left."""
        return list(self._faults)

    def take(self, network: str, path: str) -> Fault | None:
        """Use up one call of the first fault that is due for this call.

        Every matching fault in front of it that still waits (``after``) counts this call.
        """
        for fault in self._faults:
            if not fault.meets(network, path):
                continue
            if fault.after:
                fault.after -= 1
                continue
            self._use(fault)
            return fault
        return None

    def _use(self, fault: Fault) -> None:
        if fault.count is None:
            return
        fault.count -= 1
        if not fault.count:
            self._faults.remove(fault)

    def spoiling(self, network: str) -> tuple[tuple[FaultKind, int], ...]:
        """List the faults of rows in force for a network, each with its "one row in so many"."""
        return tuple((f.kind, f.every) for f in self._faults if f.kind.spoils_rows and f.network == network)
