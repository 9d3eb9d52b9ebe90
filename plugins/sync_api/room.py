"""A router whose routes answer every error as a problem document, and block no loop."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from sync_api.breaker import OurDatabase, off_the_loop
from sync_api.problems import MEDIA_TYPE, TITLES, ProblemResponse, problem_of
from sync_api.shapes.problem import ProblemDocument

#: What every route may answer.
_ALWAYS = (401, 403, 422, 429, 500, 503)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the errors of a route; those that every route has need not be named."""
    schema = {"schema": {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}}
    return {
        status: {"description": TITLES[status], "content": {MEDIA_TYPE: schema}}
        for status in sorted({*statuses, *_ALWAYS})
    }


class Route(APIRoute):
    """A route that runs off the loop, and whose errors are problem documents."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options["responses"] = {**problems(), **(options.get("responses") or {})}
        super().__init__(path, off_the_loop(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await inner(request)
            except Exception as error:
                response = ProblemResponse(problem_of(error))
            response.headers.setdefault("Cache-Control", "private, no-cache")
            return response

        return handle


def room(prefix: str, tag: str) -> APIRouter:
    """Return a router for one noun; its answers never go into a shared cache."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Route, redirect_slashes=False)


def operation_id(route: APIRoute) -> str:
    """Name an operation as its function: what a generated client calls."""
    return re.sub(r"_+$", "", route.name)


def _database(request: Request) -> OurDatabase:
    database: OurDatabase = request.app.state.database
    return database


Tables = Annotated[OurDatabase, Depends(_database)]
