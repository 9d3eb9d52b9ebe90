"""Errors as RFC 9457 problem documents: what happened, which field, what to do.

No answer holds a stack trace, a path of a machine or a secret: what is unexpected goes to the log of the
api-server under the number that the caller gets.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from data_sync.errors import (
    AccountRefusedError,
    AirflowUnreachableError,
    ConfigError,
    DatabaseError,
    DataSyncError,
    ScheduleChangedError,
    ScheduleExistsError,
    ScheduleMissingError,
    ScheduleReadOnlyError,
    SecretsUnavailableError,
)
from data_sync.schedules.problems import ScheduleRefusedError
from network_clients.errors import NetworkError
from sync_api import refusals
from sync_api.breaker import DatabaseBusyError, DatabaseSlowError
from sync_api.shapes.problem import FieldError, ProblemDocument

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

#: What the number of a status means here, as the document's title.
TITLES = {
    401: "Not logged in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "In conflict with what is there",
    412: "Changed meanwhile",
    413: "Too large",
    422: "Something in the request is wrong",
    428: "The version is missing",
    429: "Too many requests",
    500: "Something went wrong here",
    503: "Not available now",
}


class Problem(Exception):
    """Raised by routes for an answer that is an error.

    :param status: of HTTP.
    :param code: a word for programs, stable over releases.
    :param detail: one or two sentences for people: what happened, what to do.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class ProblemResponse(Response):
    """A problem document on its way to the caller."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem) -> None:
        # Answers quote what was sent, halves of characters included: ASCII holds them all.
        body = json.dumps(_document(problem).model_dump(mode="python"), ensure_ascii=True)
        super().__init__(body, status_code=problem.status, headers=problem.headers)


#: One error of each status, for the document: its word and its sentence.
_SAMPLES: dict[int, tuple[str, str]] = {
    401: ("not-logged-in", "Log in first: send the header Authorization: Bearer TOKEN."),
    403: ("not-allowed", "You may not edit DAGs. An admin of Airflow can give you a role that may."),
    404: ("schedule-missing", "There is no schedule 'nightly'. GET /sync/schedules lists yours."),
    409: ("schedule-read-only", "The schedule nightly is kept in config/schedules.yaml: change it there."),
    412: ("schedule-changed", "The schedule nightly has been changed meanwhile. Look at it again."),
    413: ("too-large", "No request needs more than 256 KiB here: send less."),
    422: ("invalid", 'timezone: there is no time zone "Berlin"; write Europe/Berlin'),
    428: ("version-missing", "Send the header If-Match with the ETag of the schedule that you looked at."),
    429: ("too-many", "You may make 600 requests per minute here. Come back in 3 s."),
    500: ("unexpected", "This was not expected. An admin finds the reason in the log under 5d1f2c3b4a59."),
    503: ("database-away", "The database data_sync does not answer. An admin must start it."),
}


def documented(status: int) -> dict[str, Any]:
    """Return what the OpenAPI document says of an error."""
    code, detail = _SAMPLES[status]
    field = FieldError(field="timezone", message='there is no time zone "Berlin"', fix="write Europe/Berlin")
    sample = _document(Problem(status, code, detail, errors=[field] if status == 422 else ()))
    schema = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    content = {MEDIA_TYPE: {"schema": schema, "example": sample.model_dump(mode="json")}}
    return {"description": TITLES[status], "content": content}


def _document(problem: Problem) -> ProblemDocument:
    return ProblemDocument(
        type=f"urn:data-sync:problem:{problem.code}",
        title=TITLES.get(problem.status, "Error"),
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
        errors=list(problem.errors),
    )


#: Our own errors: status and word. The first class that fits counts, so the special ones come first.
_KNOWN: tuple[tuple[type[Exception], int, str], ...] = (
    (ScheduleMissingError, 404, "schedule-missing"),
    (ScheduleExistsError, 409, "schedule-exists"),
    (ScheduleReadOnlyError, 409, "schedule-read-only"),
    (ScheduleChangedError, 412, "schedule-changed"),
    (AccountRefusedError, 422, "account-refused"),
    (ConfigError, 422, "refused"),
    (DatabaseSlowError, 503, "database-away"),
    (DatabaseBusyError, 503, "busy"),
    (DatabaseError, 503, "database-away"),
    (AirflowUnreachableError, 503, "airflow-away"),
    (SecretsUnavailableError, 503, "secrets-away"),
)


def problem_of(error: Exception) -> Problem:
    """Turn whatever a route raised into the problem that the caller gets."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _of_fields(error)
    if isinstance(error, ScheduleRefusedError):
        errors = [
            FieldError(field=".".join(map(str, f.path)), message=f.what, fix=f.instead)
            for f in error.findings
        ]
        return Problem(422, "invalid", str(error), errors=errors)
    if isinstance(error, StarletteHTTPException | HTTPException):
        return _of_http(error)
    if isinstance(error, UnicodeEncodeError):
        return Problem(422, "invalid", "A text in the request holds half of a character: send whole ones.")
    for known, status, code in _KNOWN:
        if isinstance(error, known):
            return Problem(status, code, str(error), headers=_RETRY if status == 503 else None)
    return _of_database(error) or _unexpected(error)


_RETRY = {"Retry-After": "5"}


def _of_database(error: Exception) -> Problem | None:
    if isinstance(error, psycopg.errors.QueryCanceled):
        return Problem(503, "too-slow", "The database took too long. Ask for less, or try again later.",
                       headers=_RETRY)  # fmt: skip
    if isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
        return Problem(503, "busy", "Somebody else is changing the same. Try again.", headers=_RETRY)
    if isinstance(error, psycopg.DataError):
        return Problem(422, "unstorable", "A value in the request cannot be stored: it holds characters or "
                       "numbers that the database does not know.")  # fmt: skip
    if isinstance(error, psycopg.OperationalError):
        log.warning("The database data_sync broke off: %s", error)
        return Problem(503, "database-away", "The database data_sync broke off in the middle. Try again.",
                       headers=_RETRY)  # fmt: skip
    return None


def _unexpected(error: Exception) -> Problem:
    number = uuid.uuid4().hex[:12]
    if isinstance(error, NetworkError | DataSyncError):
        return Problem(503, "network", str(getattr(error, "user_message", error)), headers=_RETRY)
    log.error("Unexpected error %s", number, exc_info=error)
    return Problem(
        500,
        "unexpected",
        f"This was not expected. An admin finds the reason in the log of the api-server, under {number}.",
    )


def _of_http(error: StarletteHTTPException) -> Problem:
    if error.status_code == 400:
        # As any other body that is no JSON: this one is not even text.
        unreadable = FieldError(field="body", message="this is not JSON", fix="send a JSON object")
        return Problem(422, "invalid", "The body of the request cannot be read.", errors=[unreadable])
    sentences = {
        404: "There is no such address in this API. GET /sync/openapi.json lists all.",
        405: "This address does not know the method. GET /sync/openapi.json lists what it knows.",
        413: "No request needs a body as large as this: send less.",
    }
    status = error.status_code
    detail = sentences.get(status, TITLES.get(status, "The request was refused."))
    codes = {404: "no-such-address", 405: "no-such-method", 413: "too-large"}
    return Problem(status, codes.get(status, "refused"), detail, headers=error.headers)


def _of_fields(error: RequestValidationError) -> Problem:
    errors = [_field_error(detail) for detail in error.errors()]
    words = "; ".join(f"{e.field}: {e.message}" if e.field else e.message for e in errors[:5])
    return Problem(422, "invalid", f"{words}.", errors=errors[:100])


def _field_error(detail: Mapping[str, Any]) -> FieldError:
    place, *path = detail["loc"] or ("",)
    field = ".".join(str(part) for part in path) or ("body" if place == "body" else "")
    kind = str(detail["type"])
    if kind == "extra_forbidden":
        return FieldError(field=field, message="this is not known here", fix="leave it out")
    if kind == "missing":
        return FieldError(field=field, message="this is missing", fix="add it")
    if kind.startswith("json_invalid"):
        return FieldError(field="body", message="this is not JSON", fix="send a JSON object")
    message = str(detail["msg"]).removeprefix("Value error, ")
    return FieldError(field=field, message=message[:1].lower() + message[1:300], fix="")


async def answer(request: Request, error: Exception) -> Response:
    """Answer an error, and write it down where it is a refusal."""
    problem = problem_of(error)
    await refusals.note(request, problem)
    return ProblemResponse(problem)
