"""How Boostiny says no: a sentence somewhere in a JSON body, and minutes of lock-out inside that sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from network_clients.outcomes import LONGEST_HINT, Answer, Dialect, Outcome, retry_after_header

_SECONDS = {"hour": 3600, "min": 60, "sec": 1}
_DURATION = r"(\d{1,6})\s*(hour|min|sec)"
# "... 60 requests per 1 minute. Try again in 10 minutes": the wait is the one behind such a word.
_WAITS = (
    re.compile(rf"\b(?:in|after|for|wait)\s+(?:about\s+)?{_DURATION}", re.IGNORECASE),
    re.compile(_DURATION, re.IGNORECASE),
)
_LONGEST_WORDS = 300


class BoostinyDialect(Dialect):
    """Reads Boostiny's error bodies."""

    def __init__(self, account: str) -> None:
        self._advice = {
            Outcome.UNAUTHORIZED: f"Open Admin, Connections, {account} and enter the API key again.",
            Outcome.FORBIDDEN: f"Ask Boostiny for access, or put another API key into {account}.",
            Outcome.REFUSED: f"Asking again would not help. Check the fields of the connection {account}.",
            Outcome.RATE_LIMITED: "The sync waits and goes on by itself.",
        }

    def retry_after(self, answer: Answer) -> float | None:
        """Trust the header, else the duration that the message names."""
        return retry_after_header(answer) or _stated_wait(_words_of(answer))

    def explain(self, outcome: Outcome, answer: Answer, operation: str) -> str | None:
        """Hand on Boostiny's own words, with what to do."""
        words = _words_of(answer)
        if not words or outcome not in self._advice:
            return None
        return f"Boostiny says: {words.rstrip('.')}. {self._advice[outcome]}"


def _stated_wait(words: str) -> float | None:
    for pattern in _WAITS:
        if named := [int(number) * _SECONDS[unit.lower()] for number, unit in pattern.findall(words)]:
            return min(float(max(named)), LONGEST_HINT) or None
    return None


def _words_of(answer: Answer) -> str:
    """Find the message in whatever place it stands; empty when there is none."""
    try:
        body = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return ""
    for place in (("payload", "errors"), ("payload", "message"), ("errors",), ("message",), ("error",)):
        found = body
        for name in place:
            found = found.get(name) if isinstance(found, dict) else None
        if words := " ".join(" ".join(_texts(found)).split()):
            return words[:_LONGEST_WORDS]
    return ""


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
