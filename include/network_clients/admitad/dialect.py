"""How Admitad says no: a JSON body with a word and a code, both more precise than the status."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from network_clients.outcomes import Answer, Dialect, Outcome

# Documented: 0 expired, 1 invalid token, 2 rights, 3 bad request, 4 rate limit (with status 503),
# 5 refresh token unavailable, 6 too many live tokens.
_CODES = {
    0: Outcome.UNAUTHORIZED,
    1: Outcome.UNAUTHORIZED,
    2: Outcome.FORBIDDEN,
    3: Outcome.REFUSED,
    4: Outcome.RATE_LIMITED,
    6: Outcome.REFUSED,
}
_WORDS = {
    "invalid_client": Outcome.UNAUTHORIZED,
    "invalid_scope": Outcome.FORBIDDEN,
    "insufficient_scope": Outcome.FORBIDDEN,
}


class _Problem(msgspec.Struct):
    error: str = ""
    error_code: int | None = None


class AdmitadDialect(Dialect):
    """Reads Admitad's error bodies.

    :param scopes: operation to the scopes that it needs, for messages.
    """

    def __init__(self, scopes: Mapping[str, str], account: str) -> None:
        self._scopes = scopes
        self._account = account

    def outcome(self, answer: Answer) -> Outcome | None:
        """Trust the body of an error more than its status."""
        problem = _problem_of(answer)
        if problem is None:
            return None
        return _WORDS.get(problem.error) or _CODES.get(
            -1 if problem.error_code is None else problem.error_code
        )

    def explain(self, outcome: Outcome, answer: Answer, operation: str) -> str | None:
        """Name the scope to tick, or the token cap."""
        problem = _problem_of(answer)
        if outcome is Outcome.FORBIDDEN and operation in self._scopes:
            return (
                f"The Admitad application of the connection {self._account} may not read this. Tick "
                f"{self._scopes[operation]} in its scopes at Admitad, then check the account once: that gets "
                "a new token with them."
            )
        if problem is not None and problem.error_code == 6:
            return (
                f"Admitad hands out no more tokens to the application of the connection {self._account}: too "
                "many are live. Wait until old ones expire (7 days), or remove them at Admitad."
            )
        return None


def _problem_of(answer: Answer) -> _Problem | None:
    if answer.status < 400:
        return None
    try:
        return msgspec.json.decode(answer.body, type=_Problem)
    except msgspec.DecodeError:
        return None
