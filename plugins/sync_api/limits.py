"""No body is larger than any that makes sense: more is refused before it is read."""

from __future__ import annotations

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync_api.problems import Problem, answer

#: Bytes; the largest sensible body, a schedule with all its lists full, has about a tenth.
LARGEST = 256 * 1024


class BodyLimit:
    """Refuses a body that says that it is too large, and one that turns out to be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if not told.isdigit() or int(told) > LARGEST:
            await _refuse(scope, receive, send)
            return
        read = 0

        async def count() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST:
                # The framework hides any other kind of error that a body brings up.
                raise HTTPException(413)
            return message

        await self._app(scope, count, send)


def _too_large() -> Problem:
    return Problem(413, "too-large", f"No request needs more than {LARGEST // 1024} KiB here: send less.",
                   headers={"Connection": "close"})  # fmt: skip


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    response = await answer(Request(scope), _too_large())
    await response(scope, receive, send)
