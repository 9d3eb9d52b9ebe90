"""The OpenAPI document: FastAPI's own, with one kind of error, and the words about the whole."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from data_sync.schedules.model import Schedule
from data_sync.schedules.words import Interval, Weekday
from sync_api.examples import EXAMPLES
from sync_api.problems import documented
from sync_api.shapes.events import LogProgress, StepProgress, StreamEnd, StreamReady
from sync_api.shapes.problem import FieldError, ProblemDocument

_ABOUT = """\
Schedules, runs and logs of Affiliate Data Sync, inside Airflow's api-server.

Log in with a token of Airflow's (`POST /auth/token`) in the header `Authorization: Bearer TOKEN`. Errors are
problem documents (RFC 9457). Every user may make so many requests per minute; 429 says when to come back.
"""


#: Fields that hold a stored definition, as a body sends it.
_DEFINITIONS = (("ScheduleDetail", "definition"), ("ScheduleEdit", "definition"), ("DryRun", "definition"))


_WEEKDAY = {"title": "Weekday", "type": "string", "description": "A day of the week."}


def describe(app: FastAPI) -> None:
    """Let the application return our document."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _as_schedule(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field that holds a definition, ``null`` where it may be."""
    definition: dict[str, Any] = {"$ref": "#/components/schemas/Schedule"}
    may_be_null = {"type": "null"} in schema.get("anyOf", ())
    told: dict[str, Any] = {word: schema[word] for word in ("description", "title") if word in schema}
    if may_be_null:
        definition = {"anyOf": [definition, {"type": "null"}]}
    return {**definition, **told}


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a body that may be left out: nobody sends ``null`` for it."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else schema


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
    # Words that begin with a digit are no names in most languages.
    schemas["Interval"]["x-enum-varnames"] = [interval.name for interval in Interval]
    # A definition is stored with the short names; that long ones are taken too need not be in every client.
    schemas["Weekday"] = {**_WEEKDAY, "enum": [day.value for day in Weekday]}
    schemas["Schedule"]["properties"]["weekdays"]["items"] = {"$ref": "#/components/schemas/Weekday"}
    for name, example in EXAMPLES.items():
        schemas[name]["example"] = example
    for name, field in _DEFINITIONS:
        schemas[name]["properties"][field] = _as_schedule(schemas[name]["properties"][field])
    for path in found["paths"].values():
        for operation in path.values():
            # FastAPI has a kind of its own for parameters that are wrong.
            if "422" in operation["responses"]:
                operation["responses"]["422"] = documented(422)
            if "requestBody" in operation:
                operation["responses"]["413"] = documented(413)
                for media in operation["requestBody"]["content"].values():
                    media["schema"] = _not_null(media["schema"])
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found
