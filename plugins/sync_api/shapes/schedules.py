"""Schedules as the API shows and takes them."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from data_sync.looking.schedules import ScheduleSort, ScheduleState
from data_sync.schedules.fields import KEY_PATTERN
from data_sync.schedules.words import SyncType
from sync_api.shapes.base import NETWORK_PATTERN, Answer, Body, Paging
from sync_api.shapes.problem import FieldError

Id = Annotated[
    str,
    Path(pattern=f"^{KEY_PATTERN}$", description="The schedule's key.", examples=["nightly"]),
]


class ScheduleSource(StrEnum):
    """Where a schedule is kept."""

    YAML = "yaml"
    POSTGRES = "postgres"


class SortOrder(StrEnum):
    """Which end of a list comes first."""

    ASC = "asc"
    DESC = "desc"


class ScheduleQuery(Paging):
    """Which schedules, in which order."""

    state: ScheduleState | None = Field(default=None, description="Only those in this state.")
    source: ScheduleSource | None = Field(
        default=None, description="Only those kept in git (yaml) or made on the screens (postgres)."
    )
    network: str | None = Field(
        default=None, pattern=NETWORK_PATTERN, description="Only those that read this network."
    )
    sync_type: SyncType | None = Field(default=None, description="Only those that read this.")
    owner: str | None = Field(default=None, max_length=200, description="Only those of this owner.")
    with_problems: bool | None = Field(default=None, description="Only those with or without problems.")
    search: str | None = Field(
        default=None, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$",
        description="A part of the key or the name; letter case does not matter.",
    )  # fmt: skip
    sort: ScheduleSort = Field(default=ScheduleSort.KEY, description="By what the list is ordered.")
    order: SortOrder = Field(default=SortOrder.ASC, description="Ascending or descending.")


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
    source: ScheduleSource
    owner: str | None = Field(description="Who made it; nobody where it is kept in git.")
    is_editable: bool = Field(description="Whether you may change and delete it here.")
    state: ScheduleState
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


class Days(Answer):
    """Calendar days of the schedule's zone, both inclusive."""

    first: date
    last: date
    count: int


class ScheduleDetail(ScheduleItem):
    """A schedule with all that it says; the answer's ETag is what a change of it sends back."""

    definition: dict[str, Any] = Field(description="All of its fields, as schedules.yaml names them.")
    dag_id: str
    yaml_line: int | None = Field(description="Where it stands in schedules.yaml, if it is kept there.")
    next_runs: list[datetime] = Field(description="Its next five runs by its timing, paused or not.")
    next_days: Days = Field(description="What the first of them reads.")
    created_at: datetime


class Choice(Answer):
    """A value that a field can have."""

    value: str
    help: str


class FormField(Answer):
    """A field of the form."""

    name: str = Field(description="Its name in the definition.")
    title: str
    help: str
    is_required: bool
    default: Any = Field(description="What it is when it is left out.")
    choices: list[Choice] = Field(description="The only values that it can have, where there are such.")
    minimum: int | None = None
    maximum: int | None = None
    most: int | None = Field(default=None, description="How many entries its list can have.")


class AccountChoice(Answer):
    """An account that you may use."""

    value: str = Field(description="How a definition names it, such as admitad:shop2.")
    account: str = Field(description="Its Airflow connection.")
    network: str
    title: str = Field(description="The network's name.")
    state: str = Field(description="Whether the connection exists: present, missing or unknown.")
    verdict: str | None = Field(description="What the last check of it found.")


class ScheduleForm(Answer):
    """Everything that a form for schedules needs."""

    fields: list[FormField]
    networks: list[AccountChoice]
    notify_on: list[Choice]
    timezones: list[str]
    key_pattern: str
    reserved_keys: list[str] = Field(description="What fits the pattern and can be no key all the same.")
    defaults: dict[str, Any] = Field(description="What the form starts with.")


class ScheduleEdit(Answer):
    """A schedule in its form."""

    definition: dict[str, Any]
    is_editable: bool
    reason: str | None = Field(description="Why it cannot be edited here, where it cannot.")
    form: ScheduleForm


class DryRun(Answer):
    """What a definition would do."""

    is_valid: bool
    errors: list[FieldError] = Field(description="Everything that is wrong with it.")
    definition: dict[str, Any] | None = Field(description="All of its fields in their canonical form.")
    next_runs: list[datetime]
    next_days: Days | None = Field(description="What the first run reads.")


class ToggleBody(Body):
    """Which way the switch goes."""

    active: bool | None = Field(default=None, description="On or off; left out: the other way than now.")


class StartedRun(Answer):
    """A run that Airflow has taken on; it opens within seconds."""

    dag_id: str
    run_id: str = Field(description="Airflow's id of the run.")
    note: str | None = Field(description="What is special about it.")
