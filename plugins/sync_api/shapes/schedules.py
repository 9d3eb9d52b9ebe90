"""Schedules as the API shows and takes them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import Field, WrapValidator

from data_sync.looking.schedules import Sort, State
from data_sync.schedules.fields import KEY_PATTERN
from data_sync.schedules.model import Schedule
from data_sync.schedules.problems import Finding, ScheduleRefusedError
from data_sync.schedules.words import SyncType
from network_clients import registry
from sync_api.shapes.base import Answer, Paging

Id = Annotated[
    str,
    Path(pattern=f"^{KEY_PATTERN}$", description="The schedule's key.", examples=["nightly"]),
]


def _definition(value: Any, _handler: Any) -> Schedule:
    if not isinstance(value, dict):
        raise ScheduleRefusedError([Finding((), "this is no schedule", "send an object with its fields")])
    return Schedule.from_dict(value, networks=registry.all_networks())


#: A whole definition, refused with a sentence for each field that is wrong.
ScheduleBody = Annotated[Schedule, WrapValidator(_definition)]


class ScheduleQuery(Paging):
    """Which schedules, in which order."""

    state: State | None = Field(default=None, description="Only those in this state.")
    source: Literal["yaml", "postgres"] | None = Field(
        default=None, description="Only those kept in git (yaml) or made on the screens (postgres)."
    )
    network: str | None = Field(
        default=None, pattern=r"^[a-z0-9]{1,40}$", description="Only those that read this network."
    )
    sync_type: SyncType | None = Field(default=None, description="Only those that read this.")
    owner: str | None = Field(default=None, max_length=200, description="Only those of this owner.")
    with_problems: bool | None = Field(default=None, description="Only those with or without problems.")
    search: str | None = Field(
        default=None, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$",
        description="A part of the key or the name; letter case does not matter.",
    )  # fmt: skip
    sort: Sort = Field(default=Sort.KEY, description="By what the list is ordered.")
    order: Literal["asc", "desc"] = Field(default="asc", description="Ascending or descending.")


class RunSummary(Answer):
    """A run of a schedule, in short."""

    id: int = Field(description="Our number of the run.")
    dag_id: str
    run_id: str = Field(description="Airflow's id of the run.")
    kind: str = Field(description="How it came about.")
    opened_at: datetime
    closed_at: datetime | None = Field(description="When all its work had ended.")
    refusal: str | None = Field(description="Why it did no work, if it did none.")
    statuses: list[str] = Field(description="The statuses of its logs, each once.")


class ScheduleItem(Answer):
    """A schedule in the list."""

    key: str
    name: str
    source: Literal["yaml", "postgres"]
    owner: str | None = Field(description="Who made it; nobody where it is kept in git.")
    is_editable: bool = Field(description="Whether you may change and delete it here.")
    state: State
    networks: list[str]
    sync_type: SyncType
    timing: str = Field(description="When it runs, in words.")
    timezone: str
    date_range: str
    runs_today: int = Field(description="Runs of its own day so far that count.")
    max_runs_per_day: int | None
    last_run: RunSummary | None
    next_run: datetime | None = Field(description="When it runs next by itself; none while it is paused.")
    problems: list[str] = Field(description="What is wrong with it, in sentences.")
    is_built: bool = Field(description="Whether Airflow has built its DAG; seconds after it was made.")
    revision: int
    updated_at: datetime


class ScheduleCards(Answer):
    """Counts over all schedules that you see, whatever the filters."""

    total: int
    active: int
    paused: int
    inactive: int
    with_problems: int
    runs_today: int


class ScheduleCollection(Answer):
    """A part of the list of schedules."""

    items: list[ScheduleItem]
    total_entries: int = Field(description="How many there are with these filters.")
    cards: ScheduleCards
