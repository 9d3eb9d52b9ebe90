"""Logs: what ran, and what came of it."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from zoneinfo import available_timezones

from fastapi import Path
from pydantic import AfterValidator, Field

from data_sync.runs.request import RunKind
from data_sync.schedules.fields import KEY_PATTERN, IsoDate
from data_sync.schedules.words import SyncType
from sync_api.shapes.base import NETWORK_PATTERN, Answer, Body

LogId = Annotated[
    int,
    Path(ge=1, le=2**63 - 1, description="The log's number.", examples=[1204]),
]


class LogStatus(StrEnum):
    """How a log stands, or how it ended."""

    PENDING = "pending"
    PROCESSING = "processing"
    HELD = "held"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class LogMoment(StrEnum):
    """What happened at a moment of a log."""

    OPENED = "opened"
    STARTED = "started"
    UNIT_STARTED = "unit started"
    UNIT_ENDED = "unit ended"
    ENDED = "ended"
    RUN_CLOSED = "run closed"


class ExportFormat(StrEnum):
    """Kinds of files."""

    CSV = "csv"
    XLSX = "xlsx"


def known_zone(name: str) -> str:
    """Return the name of a time zone that there is.

    :raises ValueError: for any other.
    """
    if name not in available_timezones():
        raise ValueError("there is no such time zone; write one such as Europe/Berlin")
    return name


class LogFilters(Body):
    """Which logs; all that is given must hold."""

    network: str | None = Field(
        default=None, pattern=NETWORK_PATTERN, description="Only of this network.", examples=["admitad"]
    )
    account: str | None = Field(
        default=None, pattern=r"^[a-z0-9_-]{1,120}$", description="Only of this account.",
        examples=["admitad_default"],
    )  # fmt: skip
    status: LogStatus | None = Field(default=None, description="Only in this state.", examples=["failed"])
    schedule: str | None = Field(
        default=None, pattern=f"^{KEY_PATTERN}$",
        description='Only of the schedule of this key; "manual": only of no schedule.',
        examples=["nightly"],
    )  # fmt: skip
    sync_type: SyncType | None = Field(default=None, description="Only of syncs of this.")
    trigger: RunKind | None = Field(default=None, description="Only of runs that came about like this.")
    day_from: IsoDate | None = Field(
        default=None, alias="from", description="Only of this day and later.", examples=["2026-03-01"]
    )
    day_to: IsoDate | None = Field(
        default=None, alias="to", description="Only of this day and earlier.", examples=["2026-03-31"]
    )
    timezone: Annotated[str, AfterValidator(known_zone)] = Field(
        default="UTC", max_length=60, description="Whose days these are."
    )
    text: str | None = Field(
        default=None, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$",
        description="Words of the schedule's name and key, the account, who asked, and the reason; all must "
        "be there, and the last one may be the beginning of one.",
        examples=["wrong credentials"],
    )  # fmt: skip


class LogQuery(LogFilters):
    """Which logs, and which part of the list."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many entries at most.")] = 50
    cursor: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="The next of the part before; nothing at first.",
    )


class ExportQuery(LogFilters):
    """Which logs, and as what."""

    format: ExportFormat = Field(default=ExportFormat.CSV, description="The kind of file.")


class LogItem(Answer):
    """A log: one account in one run."""

    id: int
    account: str
    network: str
    schedule_key: str | None = Field(description="None for quick syncs and checks.")
    schedule_name: str
    trigger: RunKind = Field(description="How its run came about.")
    sync_type: SyncType
    requested_by: str | None = Field(description="Who started it; nobody where its schedule did.")
    status: LogStatus
    reason: str | None = Field(description="Why it ended like this or what it waits for, and what to do.")
    rows_read: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_vanished: int
    rows_rejected: int
    requests: int
    waited_seconds: float = Field(description="How long it waited for the network's limits.")
    tries: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class LogCollection(Answer):
    """A part of the list, newest first."""

    items: list[LogItem] = Field(
        description="May be fewer than asked for, even none, while there is a next: rare logs among many."
    )
    total_entries: int = Field(description="How many there are with these filters.")
    is_estimate: bool = Field(description="Whether that is about right only: counting would read them all.")
    next: str | None = Field(description="The cursor of the part that follows; none at the end.")


class LogCounts(Answer):
    """The rows of one kind."""

    kind: str
    read: int
    inserted: int
    updated: int
    unchanged: int
    outdated: int = Field(description="Left as they were, because a newer answer had been stored.")
    rejected: int
    vanished: int


class LogStep(Answer):
    """A unit of its work."""

    unit_index: int
    kind: str
    label: str
    first_day: date | None
    last_day: date | None
    status: str
    reason: str | None
    waiting_until: datetime | None
    tries: int
    is_resumed: bool = Field(description="Whether a later try went on where an earlier one had stopped.")
    is_complete: bool = Field(description="Whether it has read all that there was.")
    superseded_by: int | None = Field(description="The log that had stored newer answers.")
    is_sweep: bool = Field(description="Whether it looked after unsettled purchases of earlier days.")
    pages: int
    items_expected: int | None = Field(description="How many rows the network says that there are.")
    requests: int
    waited_seconds: float
    rows_read: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_outdated: int
    rows_rejected: int
    rows_vanished: int
    warnings: list[str]
    started_at: datetime | None
    finished_at: datetime | None
    airflow_url: str = Field(description="Its task in Airflow, with the log: a path on this server.")


class LogEvent(Answer):
    """A moment of it."""

    at: datetime
    event: LogMoment
    unit: str | None = Field(description="Which unit, by its label.")
    status: str | None = Field(description="How it ended.")


class LogError(Answer):
    """Why it failed."""

    verdict: str | None = Field(description="The kind of error, such as wrong credentials.")
    message: str = Field(description="What happened and what to do.")


class RejectedRow(Answer):
    """A row that could not be stored truthfully."""

    kind: str
    key: str | None
    field: str | None
    reason: str
    times: int = Field(description="How often the network has sent it.")
    first_log_id: int
    last_log_id: int
    last_seen_at: datetime


class LogNeighbour(Answer):
    """A log of the same account and schedule."""

    id: int
    trigger: RunKind
    status: LogStatus
    created_at: datetime
    finished_at: datetime | None


class AirflowRun(Answer):
    """The run in Airflow."""

    dag_id: str
    run_id: str
    url: str = Field(description="Its page: a path on this server.")


class LogDetail(LogItem):
    """A log with all that is known about it."""

    range_name: str
    first_day: date | None
    last_day: date | None
    timezone: str
    retry_of: int | None = Field(description="The log that it reads again.")
    can_be_retried: bool
    retry_refusal: str | None = Field(description="Why it cannot be read again.")
    can_be_cancelled: bool = Field(description="Whether it is not over, and nobody has cancelled it yet.")
    cancel_requested_by: str | None = Field(description="Who has cancelled it.")
    cancel_requested_at: datetime | None
    error: LogError | None
    warnings: list[str]
    counts: list[LogCounts]
    steps: list[LogStep]
    timeline: list[LogEvent]
    rejected: list[RejectedRow] = Field(description="The first of the rows that it has set aside.")
    airflow: AirflowRun
    around: list[LogNeighbour] = Field(description="The five runs around it, itself included; newest first.")


class CancelledLog(Answer):
    """A log that was told to end: it does so behind the batch of rows that is stored now."""

    log: int
    cancel_requested_by: str = Field(description="Who was the first to ask.")
    cancel_requested_at: datetime
