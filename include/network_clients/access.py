"""Finding out what an account may read, by asking for a little of everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from network_clients.errors import NetworkError, RequestRefusedError, ScopeMissingError
from network_clients.interface import AccessReport
from network_clients.records import Kind


def probe(questions: Mapping[tuple[Kind, ...], Callable[[], object]]) -> AccessReport:
    """Ask questions and report which kinds were answered.

    :param questions: by the kinds that its answer holds, what sends a small request.
    :raises NetworkError: when nothing can be read, and for trouble that says nothing about access.
    """
    readable: list[Kind] = []
    missing: dict[Kind, str] = {}
    last: NetworkError | None = None
    for kinds, ask in questions.items():
        try:
            ask()
            readable += kinds
        except (ScopeMissingError, RequestRefusedError) as error:
            missing |= dict.fromkeys(kinds, error.user_message)
            last = error
    if last is not None and not readable:
        raise last
    return AccessReport(readable=tuple(readable), missing=missing)
