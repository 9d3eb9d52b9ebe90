"""The OpenAPI document: FastAPI's own, with one kind of error, and the words about the whole."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from data_sync.schedules.model import Schedule
from sync_api.problems import documented
from sync_api.shapes.events import LogProgress, StepProgress, StreamEnd, StreamReady
from sync_api.shapes.problem import FieldError, ProblemDocument

_ABOUT = """\
Schedules, runs and logs of Affiliate Data Sync, inside Airflow's api-server.

Log in with a token of Airflow's (`POST /auth/token`) in the header `Authorization: Bearer TOKEN`. Errors are
problem documents (RFC 9457). Every user may make so many requests per minute; 429 says when to come back.
"""


def describe(app: FastAPI) -> None:
    """Let the application return our document."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title, version=app.version, description=_ABOUT, routes=app.routes,
        servers=[{"url": "/sync", "description": "Below the address of Airflow."}],
    )  # fmt: skip
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for model in (FieldError, ProblemDocument, LogProgress, StepProgress, StreamEnd, StreamReady):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
        schemas.update(schema.pop("$defs", {}) | {model.__name__: schema})
    # Bodies that we read ourselves name it.
    definition = Schedule.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(definition.pop("$defs", {}) | {"Schedule": definition})
    for path in found["paths"].values():
        for operation in path.values():
            # FastAPI has a kind of its own for parameters that are wrong.
            if "422" in operation["responses"]:
                operation["responses"]["422"] = documented(422)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found
