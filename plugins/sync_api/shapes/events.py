"""Events: what running syncs do at this moment."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

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


class StreamReady(Answer):
    """The event `ready`: all that is running has been told, and what changes from now on follows."""

    model_config = ConfigDict(
        frozen=True, json_schema_extra={"example": {"is_whole": True, "by": "listening"}}
    )

    is_whole: bool = Field(
        description="Whether all was told that has changed since Last-Event-ID. It was not when that is "
        "older than a day or of another database, or when more than 500 logs have ended since: read "
        "GET /sync/logs."
    )
    by: Literal["listening", "asking"] = Field(
        description="How changes are noticed: by messages of Postgres, or by asking twice a second."
    )


class StreamEnd(Answer):
    """The event `end`: the stream ends here. Connect again with the last id, and nothing is missed."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {"code": "time-over", "detail": "This stream has had its time: connect again."}
        },
    )

    code: Literal["time-over", "database-away", "shutdown", "too-slow"]
    detail: str


EXAMPLE_STEP: JsonDict = {
    "log_id": 1204, "unit_index": 0, "kind": "purchases", "label": "1 to 7 Mar", "status": "processing",
    "reason": None, "waiting_until": None, "tries": 1, "pages": 3, "items_expected": 2140, "requests": 4,
    "waited_seconds": 0.6, "rows_read": 1500, "rows_inserted": 1500, "rows_updated": 0, "rows_unchanged": 0,
    "rows_outdated": 0, "rows_rejected": 0, "rows_vanished": 0, "is_complete": False,
    "started_at": "2026-03-08T01:00:04Z", "finished_at": None,
}  # fmt: skip
