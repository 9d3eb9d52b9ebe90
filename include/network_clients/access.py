"""Finding out what an account may read, by asking for a little of everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from network_clients.errors import NetworkError, RequestRefusedError, ScopeMissingError
from network_clients.interface import AccessReport
from network_clients.records import Kind


def probe(questions: Mapping[Kind, Callable[[], object]], notes: tuple[str, ...] = ()) -> AccessReport:
    """Ask one question per kind and report which ones were answered.

    :param questions: sends a small request for the kind.
    :raises NetworkError: when nothing can be read, and for trouble that says nothing about access.
    """
    readable: list[Kind] = []
    missing: dict[Kind, str] = {}
    last: NetworkError | None = None
    for kind, ask in questions.items():
        try:
            ask()
            readable.append(kind)
        except (ScopeMissingError, RequestRefusedError) as error:
            missing[kind] = error.user_message
            last = error
    if last is not None and not readable:
        raise last
    return AccessReport(readable=tuple(readable), missing=missing, notes=notes)
