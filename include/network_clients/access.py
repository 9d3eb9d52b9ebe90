"""Finding out what an account may read, by asking for a little of everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from network_clients.errors import NetworkError, RequestRefusedError, ScopeMissingError
from network_clients.interface import AccessReport
from network_clients.records import Kind

Questions = Mapping[tuple[Kind, ...], Callable[[], object]]


def probe(questions: Questions, renew: Callable[[], bool] | None = None) -> AccessReport:
    """Ask questions and report which kinds were answered.

    :param questions: by the kinds that its answer holds, what sends a small request.
    :param renew: where access is bought with a token that keeps the scopes of its day, what changes to a
        newer one; ``False`` when there is none. It is called once, if a scope is missing, and all is asked
        again then.
    :raises NetworkError: when nothing can be read, and for trouble that says nothing about access.
    """
    report, refusals = _ask(questions)
    if renew is not None and any(isinstance(error, ScopeMissingError) for error in refusals):
        try:
            if renew():
                report, refusals = _ask(questions)
        except (ScopeMissingError, RequestRefusedError) as error:
            # No new token is to be had; what the old one can read is still true.
            report = msgspec.structs.replace(report, notes=(error.user_message,))
            refusals.append(error)
    if refusals and not report.readable:
        raise refusals[-1]
    return report


def _ask(questions: Questions) -> tuple[AccessReport, list[NetworkError]]:
    readable: list[Kind] = []
    missing: dict[Kind, str] = {}
    refusals: list[NetworkError] = []
    for kinds, ask in questions.items():
        try:
            ask()
            readable += kinds
        except (ScopeMissingError, RequestRefusedError) as error:
            missing |= dict.fromkeys(kinds, error.user_message)
            refusals.append(error)
    return AccessReport(readable=tuple(readable), missing=missing), refusals
