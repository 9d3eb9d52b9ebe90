"""Live: server-sent events about running syncs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import jwt
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from fastapi import Header, Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from data_sync.errors import DatabaseError
from data_sync.looking.progress import Position
from sync_api.access import Reader
from sync_api.examples.events import STEP
from sync_api.hub import Hub
from sync_api.problems import Problem
from sync_api.room import room, viewer_of
from sync_api.shapes.problem import FieldError
from sync_api.streams import Stream

router = room("/events", "Live")

#: A stream ends after so many seconds at the latest; who connects again is asked again who they are.
LONGEST = 600.0
#: A comment shows that the stream is alive when there is nothing to tell, after so many seconds.
HEARTBEAT = 15.0
#: How long the first events may take, in seconds.
_FIRST = 3.0
#: How long a client may take the last ones, that reads nothing any more, in seconds.
_GRACE = 20.0
#: What a client that lost its stream waits before it connects again, in milliseconds.
_RETRY = 2_000

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events, as long as you listen. Each `data` is a JSON object: of `log` a LogProgress, "
        "of `step` a StepProgress, of `ready` a StreamReady, of `end` a StreamEnd.",
        "content": {
            "text/event-stream": {
                # Without a type: to some tools the answer is a text, to others a list of events.
                "schema": {
                    "x-event-schemas": {
                        "log": {"$ref": "#/components/schemas/LogProgress"},
                        "step": {"$ref": "#/components/schemas/StepProgress"},
                        "ready": {"$ref": "#/components/schemas/StreamReady"},
                        "end": {"$ref": "#/components/schemas/StreamEnd"},
                    },
                },
                # Of OpenAPI 3.2, which tools know already: what each event is.
                "itemSchema": {
                    "type": "object",
                    "required": ["event", "data"],
                    "properties": {
                        "event": {"type": "string", "enum": ["log", "step", "ready", "end"]},
                        "data": {"type": "string", "description": "A JSON object, by the kind of event."},
                        "id": {"type": "string", "description": "What Last-Event-ID takes."},
                    },
                },
                "example": f"retry: {_RETRY}\n\nevent: step\ndata: {json.dumps(STEP)}\n\n"
                "id: 1772931604-81230:81231:\nevent: ready\ndata: "
                '{"is_whole":true,"by":"listening"}\n\n: alive\n\n',
            }
        },
    }
}


class EventStream(StreamingResponse):
    """A response that goes on until its stream ends or its client leaves."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, stream: Stream) -> None:
        # Proxies must neither keep nor gather what comes.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(_texts(stream), headers=headers)
        self._hub = hub
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events; one that is not read any more is broken off some time after its end."""
        try:
            with anyio.move_on_after(self._stream.seconds_left + _GRACE):
                await super().__call__(scope, receive, send)
        finally:
            self._hub.leave(self._stream)


async def _texts(stream: Stream) -> AsyncIterator[str]:
    yield f"retry: {_RETRY}\n\n"
    is_last = False
    while not is_last:
        text, is_last = await stream.next(HEARTBEAT)
        if text:
            yield text
        elif stream.seconds_left > 0:
            yield ": alive\n\n"


@router.get("", response_class=StreamingResponse, responses=_STREAM)
async def watch_events(
    request: Request,
    caller: Reader,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            max_length=2000,
            description="The id of the last event that you got: what has changed since is told first. "
            "Browsers send it by themselves.",
            examples=["1772931604-81230:81231:"],
        ),
    ] = None,
) -> StreamingResponse:
    """Watch running syncs, as server-sent events: pages, rows, requests left, what they wait for, their end.

    First comes how everything is that runs, then `ready`, then what changes, within a second. An event holds
    the whole state of a log or a unit, and takes the place of the one before. What you do not see is not
    told. The stream ends after ten minutes, or with your token; connect again, as browsers do by themselves.
    """
    since = Position.parse(last_event_id) if last_event_id else None
    if last_event_id and since is None:
        wrong = FieldError(field="Last-Event-ID", message="this is no id of an event", fix="leave it out")
        detail = f"{wrong.field}: {wrong.message}; {wrong.fix}."
        raise Problem(422, "invalid", detail, errors=[wrong])
    hub: Hub = request.app.state.events
    seconds = min(request.app.state.longest_stream, _seconds_of_token(request))
    stream = Stream(viewer_of(caller), since, seconds)
    hub.join(stream)
    try:
        await asyncio.wait_for(stream.started, _FIRST)
    except TimeoutError:
        hub.leave(stream)
        raise DatabaseError("The database data_sync takes too long. Try again in a moment.") from None
    except BaseException:
        hub.leave(stream)
        raise
    return EventStream(hub, stream)


def _seconds_of_token(request: Request) -> float:
    """Return for how long the caller's token is good, which was accepted before."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        token = request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")
    try:
        expires = float(jwt.decode(token.strip(), options={"verify_signature": False})["exp"])
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
        return LONGEST
    return max(expires - time.time(), 1.0)
