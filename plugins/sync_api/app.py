"""The application under ``/sync`` of Airflow's api-server.

How to add a router for a noun, ``logs`` for instance:

1. Queries and rules go into :mod:`data_sync`; they take a ``Cursor``, know nothing of HTTP, and scope what
   they find by ``caller.name`` and ``caller.is_admin``.
2. ``shapes/logs.py``: pydantic models; bodies are ``Body`` (unknown fields are refused), queries ``Query``;
   ``examples/logs.py``: an example of each body and answer.
3. ``logs.py``: ``router = room("/logs", "Logs")`` and routes. A route names who may (``caller: Reader``,
   ``Editor``, ``Runner``, ``SettingsReader``, ``Tester``, or one that finds out elsewhere than in the path
   which DAG it is about, ``Planner``, ``BodyRunner``, ``LogRunner``: that one parameter is login, same-site
   check, throttle and permission), takes ``db: Tables``, and documents its errors:
   ``responses=problems(404, 409)``. Errors are raised: :class:`sync_api.problems.Problem`, or an error of
   ours that ``problems.py`` knows. A plain ``def`` runs in a thread and may block; an ``async def`` must not.
4. Add the router to ``ROUTERS`` below, and every route to a list beside
   ``tests/plugins/routes_schedules.py``: a test walks them all and fails while one is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException

from data_sync import __version__
from sync_api import (
    changing,
    coverage,
    events,
    logs,
    logs_export,
    manual,
    networks,
    problems,
    schedules,
    self_description,
    settings,
    stats,
)
from sync_api.breaker import OurDatabase
from sync_api.hub import Hub
from sync_api.limits import BodyLimit
from sync_api.openapi import describe
from sync_api.room import operation_id
from sync_api.throttle import Throttle

#: In the order of the documentation.
ROUTERS: tuple[APIRouter, ...] = (
    schedules.router,
    changing.router,
    manual.router,
    # Before the logs by their number.
    logs_export.router,
    logs.router,
    events.router,
    coverage.router,
    stats.router,
    networks.router,
    settings.router,
    self_description.router,
)


def build_app(database: Callable[[], OurDatabase] = OurDatabase) -> FastAPI:
    """Build the application; nothing is connected before the first request.

    :param database: makes the process's own access to our tables; tests pass another.
    """
    app = FastAPI(
        title="Affiliate Data Sync",
        version=__version__,
        # The document is served to those who are logged in; Airflow's own pages show its routes only.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        exception_handlers={HTTPException: problems.answer},
    )
    app.add_middleware(BodyLimit)
    app.state.database = database()
    app.state.throttle = Throttle.from_settings()
    app.state.events = Hub(lambda: app.state.database)
    app.state.longest_stream = events.LONGEST
    for router in ROUTERS:
        app.include_router(router)
    describe(app)
    _warm_up()
    return app


def _warm_up() -> None:
    """Load what the first connection needs, so that it need not within the time that a caller is given."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook  # noqa: F401


def document() -> dict[str, Any]:
    """Return the OpenAPI document; works without any service."""
    return build_app().openapi()
