"""Definitions of schedules as they are sent: read as JSON, refused with a sentence for each field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request

from data_sync.schedules.model import Schedule
from data_sync.schedules.problems import Finding, ScheduleRefusedError
from network_clients import registry
from sync_api.problems import Problem
from sync_api.shapes.problem import FieldError

#: Documents the body; the schema is the model's own.
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The whole definition, as an entry of schedules.yaml has it, and its key.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Schedule"}}},
    }
}


async def _read(request: Request) -> dict[str, Any]:
    """Read the body as a JSON object.

    :raises Problem: when it is none.
    """
    try:
        found = json.loads(await request.body(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        errors = [
            FieldError(field="body", message="this is no JSON object", fix="send the fields of a schedule")
        ]
        raise Problem(
            422, "invalid", "The body is no JSON object: send the fields of a schedule.", errors=errors
        )
    return found


def _refuse_constant(word: str) -> Any:
    raise ValueError(word)


Definition = Annotated[dict[str, Any], Depends(_read)]


def accept(definition: Mapping[str, Any]) -> Schedule:
    """Return the schedule that a definition means.

    :raises ScheduleRefusedError: with everything that is wrong.
    """
    return Schedule.from_dict(definition, networks=registry.all_networks())


def accept_change(key: str, definition: Mapping[str, Any]) -> Schedule:
    """Return the new definition of a schedule, whose key stays.

    :raises ScheduleRefusedError: with everything that is wrong.
    """
    if definition.get("key", key) != key:
        raise ScheduleRefusedError(
            [Finding(("key",), "the key of a schedule stays what it is", f"write {key}, or leave it out")]
        )
    return Schedule.from_dict({**definition, "key": key}, networks=registry.all_networks())
