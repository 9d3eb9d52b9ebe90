"""Networks, their accounts, and what a check of one finds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import Field

from data_sync.schedules.accounts import NAME_PATTERN, SLUG_PATTERN
from sync_api.shapes.base import Answer

AccountId = Annotated[
    str,
    Path(
        pattern=f"^{SLUG_PATTERN}_{NAME_PATTERN}$",
        max_length=120,
        description="The account: the id of its Airflow connection.",
        examples=["admitad_default"],
    ),
]


class NetworkKind(Answer):
    """What can be read of a network."""

    kind: str
    has_days: bool = Field(description="Whether days can be asked for; else all of it is read each time.")
    longest_window_days: int | None = Field(description="The most days of one request, where that is stated.")
    grade: str = Field(description="How sure this is: documented, seen or inferred.")


class NetworkLimit(Answer):
    """A limit of a network, as it declares it or as others have found it."""

    name: str
    calls: int
    per_seconds: float
    used_calls: int = Field(description="Of these, how many we use at most: the rest is a margin.")
    at_once: int | None = Field(description="Calls that it bears at once, where that is bounded.")
    grade: str
    source: str
    last_verified: str


class AccountBudget(Answer):
    """One limit as it stands for an account now."""

    limit: str
    allowed: int | None
    per_seconds: float | None
    used: int
    left: int | None
    closed_until: datetime | None
    reason: str | None
    refusals: int = Field(description='How often the network has said "too many", ever.')


class LastLog(Answer):
    """The newest log of an account."""

    id: int
    status: str
    kind: str
    created_at: datetime
    finished_at: datetime | None


class NetworkAccount(Answer):
    """An account that you may use."""

    account: str = Field(description="Its Airflow connection.")
    value: str = Field(description="How a definition names it.")
    connection: str = Field(description="Whether the connection exists: present, missing or unknown.")
    everyone: bool = Field(description="Whether everybody may use it.")
    verdict: str | None = Field(description="What the last check found; nothing before the first one.")
    message: str | None
    checked_at: datetime | None
    budgets: list[AccountBudget]
    last_log: LastLog | None
    health: str = Field(description="good, bad or unknown, from the last check and the last log.")


class PoolSlots(Answer):
    """How many tasks read the network at once."""

    name: str
    slots: int = Field(description="-1: any number.")
    running: int
    queued: int = Field(description="Tasks that have a slot and wait for a worker.")
    scheduled: int = Field(description="Tasks that wait for a slot.")


class Network(Answer):
    """A network that can be read."""

    slug: str
    title: str
    timezone: str
    timezone_grade: str
    connection_type: str = Field(description="The type of an Airflow connection that is an account of it.")
    docs_url: str
    has_statuses: bool
    kinds: list[NetworkKind]
    limits: list[NetworkLimit]
    notes: list[str] = Field(description="What is not certain about it.")
    pool: PoolSlots | None = Field(description="None while the pool is missing: run data-sync migrate.")
    accounts: list[NetworkAccount]


class NetworkCollection(Answer):
    """All networks, with the accounts that you may use."""

    items: list[Network]
    total_entries: int


class AccountCheck(Answer):
    """What the credentials of an account can read."""

    account: str
    verdict: str = Field(
        description="fine, wrong credentials, missing scope, rate limited, unreachable or not configured."
    )
    message: str = Field(description="What to do, unless all is fine.")
    readable: list[str] = Field(description="The kinds that it can read.")
    notes: list[str]
