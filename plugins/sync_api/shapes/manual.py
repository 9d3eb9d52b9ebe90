"""Quick syncs, backfills and their plans."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from data_sync.schedules.fields import IsoDate, Key
from data_sync.schedules.words import DateRange, SyncType
from sync_api.shapes.base import Answer, Body
from sync_api.shapes.schedules import Days

_Word = Annotated[str, Field(min_length=1, max_length=100)]


class ManualBody(Body):
    """What is to be read once."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"networks": ["admitad"], "sync_type": "purchases", "date_range": "yesterday"},
                {"schedule": "nightly", "from": "2026-03-01", "to": "2026-03-31"},
            ]
        },
    )

    networks: list[_Word] | None = Field(
        default=None, min_length=1, max_length=50,
        description="Accounts to read, such as admitad or admitad:shop2; with a schedule, its own.",
    )  # fmt: skip
    sync_type: SyncType | None = Field(default=None, description="What to read; everything when left out.")
    date_range: DateRange | None = Field(
        default=None, description="Which days; custom where days are given, else today."
    )
    range_from: IsoDate | None = Field(default=None, alias="from", description="First day, inclusive.")
    range_to: IsoDate | None = Field(default=None, alias="to", description="Last day, inclusive.")
    schedule: Key | None = Field(
        default=None,
        description="A schedule to be run once, also while it is paused. With days it is a backfill: past "
        "days are read again, purchases only.",
    )

    def words(self) -> dict[str, Any]:
        """Return what was given, by the words of a definition and of the run's conf."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ManualRun(Answer):
    """A run that was started by hand."""

    id: int
    dag_id: str
    run_id: str
    kind: str
    schedule_key: str | None
    requested_by: str | None
    sync_type: str
    range_name: str
    first_day: date | None
    last_day: date | None
    refusal: str | None = Field(description="Why it did no work, if it did none.")
    state: str = Field(description="open, or closed when all its work has ended.")
    opened_at: datetime
    closed_at: datetime | None
    logs: list[ManualLog]


class ManualLog(Answer):
    """One account of it."""

    id: int
    account: str
    status: str
    rows_read: int
    reason: str | None


class ManualCollection(Answer):
    """The newest ones."""

    items: list[ManualRun]
    total_entries: int = Field(description="How many are shown.")


class PlannedWindow(Answer):
    """A piece of work of each account."""

    kind: str
    label: str
    first_day: date | None
    last_day: date | None


class PlannedPace(Answer):
    """One of an account's limits."""

    limit: str
    seconds_between_calls: float
    calls_per_day: float
    left_now: int | None = Field(description="Calls left of its window now, where any was made.")
    closed_until: datetime | None = Field(description="Until when the network wants no calls.")


class PlannedAccount(Answer):
    """What one account would be asked."""

    account: str
    network: str
    windows: int
    requests: int
    requests_basis: str = Field(
        description='"last reads" where measured, "at least" where only rules are known.'
    )
    minutes: float = Field(description="At its pace, if nobody else uses it.")
    share_of_day: float = Field(description="Of the calls that its limits allow in a day; 1 is all of them.")
    pace: list[PlannedPace]
    left_out: list[str] = Field(description="Kinds that the network does not offer.")


class WaitsFor(Answer):
    """An open run of the same schedule."""

    id: int
    dag_id: str
    run_id: str
    kind: str
    opened_at: datetime


class Plan(Answer):
    """What a sync would cost; an estimate."""

    is_estimate: bool = True
    days: Days
    timezone: str
    windows: list[PlannedWindow]
    accounts: list[PlannedAccount]
    requests: int
    minutes: float = Field(description="Until the slowest account is through; they are read side by side.")
    waits_for: list[WaitsFor] = Field(description="Runs of the same schedule that must end first.")
    runs_beside: int = Field(description="Other open runs that read one of the accounts, and share its pace.")


ManualRun.model_rebuild()
