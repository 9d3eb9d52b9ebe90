"""Admitad's answers that are not data: error bodies, and the envelope of lists.

Documented: ``{"error", "error_description", "error_code"}``; codes 0 expired, 1 invalid token, 2 rights,
3 bad request, 4 rate limit, 5 refresh token unavailable, 6 too many tokens. The HTTP statuses of 5 and 6 are
our guess (400).
"""

from __future__ import annotations

import msgspec
from starlette.responses import Response

ENCODER = msgspec.json.Encoder()


class BadRequestError(ValueError):
    """A parameter that Admitad refuses; its text goes into ``error_description``."""


def json_answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with any value as JSON."""
    return Response(ENCODER.encode(value), status, headers, media_type="application/json")


def problem(
    status: int,
    error: str,
    description: str,
    code: int | None = None,
    *,
    headers: dict[str, str] | None = None,
) -> Response:
    """Answer with an error body."""
    body: dict[str, object] = {"error": error, "error_description": description}
    if code is not None:
        body["error_code"] = code
    return json_answer(body, status, headers)


def refused_token(*, expired: bool) -> Response:
    """Answer 401 to a token that has expired, or that never was one."""
    description = "The access token has expired" if expired else "The access token is invalid"
    challenge = f'Bearer realm="api", error="invalid_token", error_description="{description}"'
    return problem(
        401, "invalid_token", description, 0 if expired else 1, headers={"WWW-Authenticate": challenge}
    )


def wrong_client() -> Response:
    """Answer 401 to an unknown application or a wrong secret."""
    return problem(
        401, "invalid_client", "Client authentication failed", headers={"WWW-Authenticate": "Basic"}
    )


def missing_scope(scope: str = "") -> Response:
    """Answer 403 to a token without the endpoint's scope."""
    return problem(403, "insufficient_scope", f"The request requires the scope {scope}".strip(), 2)


def rate_limited() -> Response:
    """Answer 503, Admitad's "too many requests"."""
    return problem(503, "rate_limit", "The limit of requests per minute is exceeded", 4)


def bad_request(description: str) -> Response:
    """Answer 400 to a parameter that cannot be read."""
    return problem(400, "bad_request", description, 3)


def not_found() -> Response:
    """Answer 404 to an id that does not exist or belongs to somebody else."""
    return problem(404, "not_found", "Not found")


def gone() -> Response:
    """Answer 410 on an endpoint that Admitad has removed."""
    return problem(410, "gone", "This method is no longer available")


def listing(rows: bytes, count: int, limit: int, offset: int) -> Response:
    """Wrap rows that are JSON already, joined by commas, into the list envelope."""
    meta = b'],"_meta":{"count":%d,"limit":%d,"offset":%d}}' % (count, limit, offset)
    return Response(b'{"results":[' + rows + meta, media_type="application/json")
