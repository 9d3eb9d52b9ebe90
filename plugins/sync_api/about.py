"""Which DAG a request is about, where its path does not name a schedule: that one's permissions count.

Run now of a paused schedule, backfills and retries go through ``quick_sync``; who may not run the schedule's
own DAG may not run it by that door either. A log that does not exist, or that a caller does not see, names no
DAG: then they are judged for DAGs in general, so that the answer tells nothing about it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from data_sync.dag.names import QUICK_SYNC, dag_id_of
from data_sync.looking import log as one_log
from data_sync.looking.viewer import Viewer
from sync_api.breaker import OurDatabase, in_thread
from sync_api.shapes.logs import LogId

#: Gets the request, and what returns who asks; returns a DAG's id.
About = Callable[[Request, Callable[[], Coroutine[Any, Any, Viewer]]], Coroutine[Any, Any, str | None]]


async def of_path(request: Request, _: object) -> str | None:
    """Return the DAG of the schedule that the path names."""
    key = request.path_params.get("id")
    return dag_id_of(key) if isinstance(key, str) else None


async def of_body(request: Request, _: object) -> str | None:
    """Return the DAG of the schedule that a body names, else that of quick syncs."""
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        # It is refused for that later.
        return None
    key = body.get("schedule") if isinstance(body, dict) else None
    return dag_id_of(key) if isinstance(key, str) else QUICK_SYNC


async def of_log(request: Request, who: Callable[[], Coroutine[Any, Any, Viewer]]) -> str | None:
    """Return the DAG of the schedule that a log belongs to, else that of quick syncs."""
    try:
        # As the route reads it: whatever it takes for the number of a log is judged as that log.
        log = _LOG_ID.validate_python(request.path_params.get("log"))
    except ValidationError:
        return None
    return await in_thread(_dag_of_log, request.app.state.database, await who(), log)


_LOG_ID: TypeAdapter[int] = TypeAdapter(LogId)


def _dag_of_log(db: OurDatabase, viewer: Viewer, log: int) -> str | None:
    with db.transaction() as cursor:
        row = one_log.find(cursor, viewer, log)
    if row is None:
        return None
    return dag_id_of(row["schedule_key"]) if row["schedule_key"] else QUICK_SYNC
