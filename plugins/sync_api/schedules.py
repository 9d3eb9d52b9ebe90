"""Schedules: looking at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query

from data_sync.dag.switches import read_switches
from data_sync.errors import ScheduleMissingError
from data_sync.looking import schedules as looking
from data_sync.looking.viewer import Viewer
from data_sync.schedules.model import Schedule
from sync_api.access import Caller, Reader
from sync_api.room import Tables, problems, room
from sync_api.shapes.schedules import Id, ScheduleCards, ScheduleCollection, ScheduleItem, ScheduleQuery

router = room("/schedules", "Schedules")


@router.get("")
def list_schedules(
    caller: Reader, db: Tables, query: Annotated[ScheduleQuery, Query()]
) -> ScheduleCollection:
    """List the schedules that you see."""
    switches = read_switches()
    viewer = Viewer(caller.name, caller.is_admin)
    asked = query.model_dump(exclude={"search", "order"})
    wanted = looking.Wanted(**asked, text=query.search, descending=query.order == "desc")
    with db.transaction() as cursor:
        page = looking.list_page(cursor, viewer, wanted, switches)
        cards = looking.cards(cursor, viewer, switches)
    return ScheduleCollection(
        items=[item_of(row, caller) for row in page.rows],
        total_entries=page.total,
        cards=ScheduleCards(**cards),
    )


@router.get("/{id}", responses=problems(404))
def get_schedule(caller: Reader, db: Tables, id: Id) -> ScheduleItem:
    """Show one schedule."""
    return item_of(find(caller, db, id), caller)


def find(caller: Caller, db: Tables, key: str) -> dict[str, Any]:
    """Return what is known about a schedule that the caller sees.

    :raises ScheduleMissingError: also for one that they do not see.
    """
    switch = read_switches(key).get(key)
    with db.transaction() as cursor:
        found = looking.find(cursor, Viewer(caller.name, caller.is_admin), key, switch)
    if found is None:
        raise ScheduleMissingError(f"There is no schedule {key!r}.")
    return found


def item_of(row: Mapping[str, Any], caller: Caller) -> ScheduleItem:
    """Turn a row into an entry of the list."""
    definition = Schedule.from_dict(row["definition"])
    return ScheduleItem(
        **{name: row[name] for name in ("key", "name", "source", "owner", "state", "runs_today", "last_run",
                                        "problems", "revision", "updated_at")},
        is_editable=row["source"] == "postgres" and caller.owns(row["owner"]),
        networks=[str(ref) for ref in definition.networks],
        sync_type=definition.sync_type,
        timing=" | ".join(definition.when.crons),
        timezone=definition.timezone,
        date_range=definition.date_range,
        max_runs_per_day=definition.max_runs_per_day,
        next_run=row["next_run"] if row["state"] == "active" else None,
        is_built=row["has_dag"],
    )  # fmt: skip
