"""What logs add up to."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field

from data_sync.looking.stats import By
from data_sync.schedules.fields import KEY_PATTERN, IsoDate
from sync_api.shapes.base import NETWORK_PATTERN, Answer, Body
from sync_api.shapes.logs import known_zone

#: How many days one answer adds up, at most.
MOST_DAYS = 31


class StatsQuery(Body):
    """Which logs, and what an entry stands for."""

    by: By = Field(
        default=By.DAY,
        description="day: one entry per day. network: per day and network. schedule: per schedule, all days "
        "together; quick syncs are one entry without a key.",
    )
    day_from: IsoDate | None = Field(
        default=None, alias="from", description="First day; left out: the last one and 6 before.",
        examples=["2026-03-01"],
    )  # fmt: skip
    day_to: IsoDate | None = Field(
        default=None, alias="to", description=f"Last day; left out: today. At most {MOST_DAYS}.",
        examples=["2026-03-07"],
    )  # fmt: skip
    timezone: Annotated[str, AfterValidator(known_zone)] = Field(
        default="UTC", max_length=60, description="Whose days these are."
    )
    network: str | None = Field(
        default=None, pattern=NETWORK_PATTERN, description="Only of this network.", examples=["admitad"]
    )
    schedule: str | None = Field(
        default=None, pattern=f"^{KEY_PATTERN}$",
        description='Only of the schedule of this key; "manual": only of no schedule.',
        examples=["nightly"],
    )  # fmt: skip


class StatsItem(Answer):
    """What the logs of one entry add up to; a log is one account in one run."""

    day: date | None
    network: str | None
    schedule_key: str | None
    runs: int
    completed: int
    failed: int = Field(description="Failed, or cancelled.")
    skipped: int
    open: int = Field(description="Not over yet; their rows are not counted yet.")
    success_rate: float | None = Field(description="Completed of completed and failed; none without either.")
    rows_read: int
    rows_inserted: int
    rows_updated: int
    requests: int
    waited_seconds: float = Field(description="Waited for the network's limits, in all.")
    median_seconds: float | None = Field(description="How long half of them took at most.")
    p95_seconds: float | None = Field(description="How long 95 of 100 took at most.")


class Stats(Answer):
    """The entries; days without any run are left out."""

    items: list[StatsItem]
    total_entries: int = Field(description="How many are shown: those of most runs, a thousand at most.")
    first_day: date
    last_day: date
