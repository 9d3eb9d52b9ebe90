"""A router whose routes answer every error as a problem document, and block no loop."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ParamSpec, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from data_sync.looking.viewer import Viewer
from sync_api.access import Caller
from sync_api.breaker import OurDatabase, in_thread
from sync_api.idempotency import Replay, settle
from sync_api.problems import answer, documented

P = ParamSpec("P")
T = TypeVar("T")

#: What every route may answer.
_ALWAYS = (401, 403, 429, 500, 503)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the errors of a route; those of every route, and 422 of one with parameters, need no word."""
    return {status: documented(status) for status in sorted({*statuses, *_ALWAYS})}


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
            except Replay as replay:
                return replay.response()
            except Exception as error:
                response = await answer(request, error)
            await settle(request, response)
            response.headers.setdefault("Cache-Control", "private, no-cache")
            return response

        return handle


def off_the_loop(endpoint: Callable[P, T]) -> Callable[..., Any]:
    """Make a route that blocks run in a thread of ours; one that is ``async`` stays as it is."""
    if inspect.iscoroutinefunction(endpoint):
        return endpoint

    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return await in_thread(functools.partial(endpoint, *args, **kwargs))

    run.__name__, run.__doc__, run.__module__ = endpoint.__name__, endpoint.__doc__, endpoint.__module__
    run.__signature__ = inspect.signature(endpoint, eval_str=True)  # type: ignore[attr-defined]
    return run


def room(prefix: str, tag: str) -> APIRouter:
    """Return a router for one noun; its answers never go into a shared cache."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Route, redirect_slashes=False)


def operation_id(route: APIRoute) -> str:
    """Name an operation as its function: what a generated client calls."""
    return re.sub(r"_+$", "", route.name)


def viewer_of(caller: Caller) -> Viewer:
    """Return the person as queries know them."""
    return Viewer(caller.name, caller.is_admin)


def base_path(request: Request) -> str:
    """Return the path of this API, below the path under which Airflow may be served."""
    return str(request.scope.get("root_path", ""))


def _database(request: Request) -> OurDatabase:
    database: OurDatabase = request.app.state.database
    return database


Tables = Annotated[OurDatabase, Depends(_database)]
