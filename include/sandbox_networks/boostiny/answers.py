"""Boostiny's answers: the envelope of lists, and error bodies.

Both are seen in several clients: ``{"payload": {"data", "pagination", "summary"}}`` and
``{"payload": {"errors": {"message"}}}``. The texts are our guess, but for the minutes of a lock-out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
from starlette.responses import Response

_ENCODER = msgspec.json.Encoder()


class BadRequestError(ValueError):
    """A parameter that Boostiny refuses; its text goes into the message."""


def problem(status: int, message: str) -> Response:
    """Answer with an error body."""
    return _json({"payload": {"errors": {"message": message}}}, status)


def wrong_key() -> Response:
    """Answer 401 to a missing or unknown key, and to a key behind a word such as ``Bearer``."""
    return problem(401, "Unauthenticated.")


def missing_scope() -> Response:
    """Answer 403 to a key that may not read this."""
    return problem(403, "This action is unauthorized.")


def not_found() -> Response:
    """Answer 404 to a path that does not exist."""
    return problem(404, "Not found.")


def bad_request(message: str) -> Response:
    """Answer 422 to a parameter that cannot be read."""
    return problem(422, message)


def rate_limited(minutes: float) -> Response:
    """Answer 429 during a lock-out: the wait is told in whole minutes, rounded up."""
    whole = math.ceil(minutes)
    unit = "minute" if whole == 1 else "minutes"
    return problem(429, f"Too many requests. Please retry after {whole} {unit}.")


def listing(
    rows: Sequence[object],
    total: int,
    per_page: int,
    page: int,
    summary: Mapping[str, str | None] | None = None,
) -> Response:
    """Answer with one page of a list.

    :param total: how many rows all pages have.
    :param summary: the sums over all pages, where the list has them.
    """
    payload: dict[str, object] = {
        "data": rows,
        "pagination": {"total": total, "perPage": per_page, "currentPage": page},
    }
    if summary is not None:
        payload["summary"] = summary
    return _json({"payload": payload})


def _json(value: object, status: int = 200) -> Response:
    return Response(_ENCODER.encode(value), status, media_type="application/json")
