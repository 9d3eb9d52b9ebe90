"""Schedules: making, changing, deleting, turning on and off, and running them."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from data_sync import catalogue
from data_sync.dag import live
from data_sync.dag.names import QUICK_SYNC, dag_id_of
from data_sync.dag.people import is_trusted
from data_sync.errors import ScheduleExistsError, ScheduleReadOnlyError
from data_sync.schedules.model import Schedule
from sync_api.access import Editor, Runner
from sync_api.breaker import in_thread
from sync_api.definitions import BODY, Definition, accept, accept_change
from sync_api.idempotency import Once, OnceOnly
from sync_api.problems import Problem
from sync_api.room import Tables, base_path, problems, room
from sync_api.schedules import find, get_schedule
from sync_api.shapes.schedules import Id, ScheduleDetail, StartedRun, ToggleBody
from sync_api.starting import start
from sync_api.versions import IfMatch, require_version

router = room("/schedules", "Schedules")


@router.post("", status_code=201, openapi_extra=BODY, responses=problems(409, 422))
def create_schedule(
    request: Request,
    caller: Editor,
    db: Tables,
    once: OnceOnly,
    definition: Definition,
    response: Response,
) -> ScheduleDetail:
    """Make a schedule of your own. Airflow shows its DAG within seconds."""
    schedule = accept(definition)
    try:
        live.create(db, schedule, owner=caller.name, trusted=is_trusted(caller.name))
    except ScheduleExistsError:
        if not _was_made_by(db, once, schedule):
            raise
    response.headers["Location"] = f"{base_path(request)}/schedules/{schedule.key}"
    return get_schedule(caller, db, schedule.key, response)


@router.put("/{id}", openapi_extra=BODY, responses=problems(404, 409, 412, 428))
def update_schedule(
    caller: Editor, db: Tables, id: Id, definition: Definition, response: Response, if_match: IfMatch = None
) -> ScheduleDetail:
    """Replace the definition of a schedule; what is left out becomes its default. It stays paused or not."""
    row, _ = find(caller, db, id)
    _require_own(row)
    revision = require_version(row, if_match)
    schedule = accept_change(id, definition)
    live.change(db, schedule, revision=revision, trusted=is_trusted(row["owner"]))
    return get_schedule(caller, db, id, response)


@router.delete("/{id}", status_code=204, responses=problems(404, 409, 412, 428))
def delete_schedule(caller: Editor, db: Tables, id: Id, if_match: IfMatch = None) -> None:
    """Delete a schedule. Its rows and logs stay; a run that is going ends as it would have."""
    row, _ = find(caller, db, id)
    _require_own(row)
    live.delete(db, id, revision=require_version(row, if_match))


@router.post("/{id}/toggle", responses=problems(404, 409, 412, 428))
def toggle_schedule(
    caller: Editor,
    db: Tables,
    id: Id,
    response: Response,
    body: ToggleBody | None = None,
    if_match: IfMatch = None,
) -> ScheduleDetail:
    """Turn a schedule off, so that it starts no more runs by itself, or on again. It is Airflow's switch."""
    row, _ = find(caller, db, id)
    require_version(row, if_match)
    _require_dag(row)
    wanted = row["is_paused"] if body is None or body.active is None else body.active
    turn = live.unpause if wanted else live.pause
    turn(db, id, by=caller.name, was_paused=row["is_paused"])
    return get_schedule(caller, db, id, response)


@router.post("/{id}/run", status_code=202, responses=problems(404, 409))
async def run_schedule(request: Request, caller: Runner, db: Tables, id: Id, once: OnceOnly) -> StartedRun:
    """Run a schedule now, also while it is paused. It counts against its runs per day."""
    row, _ = await in_thread(find, caller, db, id)
    _require_dag(row)
    if row["is_paused"]:
        note = f"The schedule is paused, so its run goes through the DAG {QUICK_SYNC}."
        return await start(request, caller, QUICK_SYNC, {"schedule": id}, word=once.word, note=note)
    return await start(request, caller, dag_id_of(id), {}, word=once.word)


def _was_made_by(db: Tables, once: Once, schedule: Schedule) -> bool:
    """Tell whether an earlier try of this request made the schedule, and was broken off then."""
    if not once.is_again:
        return False
    with db.transaction() as cursor:
        found = catalogue.find(cursor, schedule.key)
    return found is not None and found.owner == once.who and found.definition == schedule.to_dict()


def _require_own(row: Any) -> None:
    if row["source"] == "yaml":
        raise ScheduleReadOnlyError(
            f"The schedule {row['key']} is kept in config/schedules.yaml: change it there. "
            "Here it can be run and paused only."
        )


def _require_dag(row: Any) -> None:
    if not row["has_dag"]:
        raise Problem(
            409,
            "not-built",
            f"Airflow has not built the DAG of {row['key']} yet: try again in a few seconds. If it stays so, "
            "its problems say why.",
            headers={"Retry-After": "5"},
        )
