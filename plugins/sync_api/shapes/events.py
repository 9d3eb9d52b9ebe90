"""Events: what running syncs do at this moment."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from sync_api.shapes.base import Answer
from sync_api.shapes.logs import LogItem
from sync_api.shapes.networks import AccountBudget


class LogProgress(LogItem):
    """The event `log`: a log as it is now. It takes the place of what came before with the same id."""

    cancel_requested_by: str | None = Field(description="Who has cancelled it.")
    cancel_requested_at: datetime | None
    units: int = Field(description="Of how many units of work it is made.")
    units_ended: int
    pages: int
    limits: list[AccountBudget] = Field(
        description="What the network's limits still bear: calls left, or until when it wants none."
    )


class StepProgress(Answer):
    """The event `step`: a unit of a log's work as it is now, by the log and its index."""

    log_id: int
    unit_index: int
    kind: str
    label: str
    status: str
    reason: str | None = Field(description="What it waits for, or why it ended like this.")
    waiting_until: datetime | None = Field(description="Until when it waits without a process.")
    tries: int
    pages: int
    items_expected: int | None = Field(description="How many rows there are, where the network says so.")
    requests: int
    waited_seconds: float = Field(description="How long it has waited for the network's limits.")
    rows_read: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_outdated: int
    rows_rejected: int
    rows_vanished: int
    is_complete: bool
    started_at: datetime | None
    finished_at: datetime | None


class NoticedBy(StrEnum):
    """How a stream notices changes: by messages of Postgres, or by asking twice a second."""

    LISTENING = "listening"
    ASKING = "asking"


class StreamReady(Answer):
    """The event `ready`: all that is running has been told, and what changes from now on follows."""

    is_whole: bool = Field(
        description="Whether all was told that has changed since Last-Event-ID. It was not when that is "
        "older than a day or of another database, or when more than 500 logs have ended since: read "
        "GET /sync/logs."
    )
    by: NoticedBy


class StreamEndCode(StrEnum):
    """Why a stream ends."""

    TIME_OVER = "time-over"
    DATABASE_AWAY = "database-away"
    SHUTDOWN = "shutdown"
    TOO_SLOW = "too-slow"


class StreamEnd(Answer):
    """The event `end`: the stream ends here. Connect again with the last id, and nothing is missed."""

    code: StreamEndCode
    detail: str
