"""Which days are here."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from data_sync.looking.coverage import Covered
from data_sync.schedules.fields import IsoDate
from sync_api.shapes.base import NETWORK_PATTERN, Answer, Body

#: How many days one answer tells about, at most.
MOST_DAYS = 92


class CoverageQuery(Body):
    """Which days, of which network."""

    day_from: IsoDate | None = Field(
        default=None, alias="from", description="First day; left out: the last one and 30 before.",
        examples=["2026-03-01"],
    )  # fmt: skip
    day_to: IsoDate | None = Field(
        default=None, alias="to", description=f"Last day; left out: today. At most {MOST_DAYS}.",
        examples=["2026-03-31"],
    )  # fmt: skip
    network: str | None = Field(
        default=None, pattern=NETWORK_PATTERN, description="Only of this network.", examples=["admitad"]
    )


class CoverageDay(Answer):
    """One day of the network's zone."""

    day: date
    covered: Covered = Field(
        description="never: nothing of it is here. partial: something is, but no read since the day ended "
        "went through all of it. complete: one has. complete_with_unsettled: one has, and some of its "
        "purchases may still change."
    )
    read_at: datetime | None = Field(description="When the newest read of all of it began.")


class CoverageAccount(Answer):
    """The days of an account."""

    account: str
    network: str
    timezone: str = Field(description="The network's, by which a day is over.")
    days: list[CoverageDay]


class Coverage(Answer):
    """All accounts that you may use."""

    items: list[CoverageAccount]
    total_entries: int
    first_day: date
    last_day: date
