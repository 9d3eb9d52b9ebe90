"""The model of a schedule: what ``schedules.yaml``, the screens and the API all define.

A definition holds no owner, status, count or clock. Values may come as text (from YAML, where every
value is kept as written) or as JSON types.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from data_sync.schedules.accounts import AccountRef
from data_sync.schedules.date_ranges import DayRange, resolve
from data_sync.schedules.fields import (
    EVERYONE,
    Account,
    ClockTime,
    Cron,
    Day,
    IsoDate,
    Key,
    Line,
    Target,
    Viewers,
    Zone,
)
from data_sync.schedules.problems import ScheduleRefusedError, findings_of
from data_sync.schedules.timing import When, clock_crons, cron_crons, interval_crons
from data_sync.schedules.words import (
    DateRange,
    Interval,
    NotifyOn,
    RefusedValueError,
    SyncType,
    Weekday,
    shown,
)


class Notification(BaseModel):
    """Whom to tell about which ends of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: tuple[NotifyOn, ...] = Field(min_length=1, description="Which ends of a run to tell about.")
    to: tuple[Target, ...] = Field(
        min_length=1, max_length=50, description="E-mail addresses, or ids of Airflow connections."
    )


_PLACES = {day: place for place, day in enumerate(Weekday)}


class Defaults(BaseModel):
    """The fields that ``defaults:`` may set for all schedules of a file; every field may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    networks: tuple[Account, ...] = Field(
        default=(),
        min_length=1,
        max_length=50,
        description="Accounts to read: admitad means the Airflow connection admitad_default, "
        "admitad:shop2 means admitad_shop2.",
    )
    sync_type: SyncType = Field(default=SyncType.ALL, description="What to read.")
    interval: Interval | None = Field(
        default=None, description="Ticks of the wall clock, counted from midnight in the schedule's zone."
    )
    cron: Cron | None = Field(
        default=None,
        description='Five fields: minute, hour, day of month, month, weekday. Quote it: "30 6 * * *". '
        "With both a day of month and a weekday, either one is enough.",
    )
    times: tuple[ClockTime, ...] = Field(
        default=(), max_length=144, description='Clock times such as ["06:00", "18:30"].'
    )
    weekdays: tuple[Day, ...] = Field(
        default=(), max_length=7, description="Days for times; every day when left out."
    )
    timezone: Zone = Field(
        default="UTC", description="IANA zone of all clock times, days and ranges of the schedule."
    )
    date_range: DateRange | None = Field(
        default=None,
        description="Which days to read, seen from the moment of the run. Must be given where purchases "
        "are read; today otherwise.",
    )
    range_from: IsoDate | None = Field(
        default=None, alias="from", description="First day of the custom range, inclusive."
    )
    range_to: IsoDate | None = Field(
        default=None, alias="to", description="Last day of the custom range, inclusive."
    )
    maturity_sweep: bool = Field(
        default=False,
        description="Whether runs also read again the older days that still hold unsettled purchases "
        "(pending, not paid yet, or with an unknown status): every day up to an age of 7 days, every 7 days "
        "up to 90, then every 30 days as far back as the network's rows change. Backfills do not.",
    )
    max_runs_per_day: int | None = Field(
        default=None,
        ge=1,
        le=1440,
        description="How many runs may start per calendar day of the schedule's zone, scheduled and started "
        "by hand together. Without it the timing alone decides.",
    )
    backfills_count: bool = Field(
        default=False, description="Whether backfills count against max_runs_per_day."
    )
    active: bool = Field(default=True, description="false: the schedule stays, and runs only by hand.")
    start_date: IsoDate | None = Field(default=None, description="First day on which it runs by itself.")
    end_date: IsoDate | None = Field(default=None, description="Last day on which it runs by itself.")
    catchup: bool = Field(
        default=False, description="Whether ticks since start_date that were missed are made up for."
    )
    visible_to: Viewers = Field(
        default=EVERYONE,
        description="Users who see the schedule and its logs besides admins, or everyone: all who may "
        "read DAGs.",
    )
    notifications: tuple[Notification, ...] = Field(
        default=(), max_length=20, description="Whom to tell about which ends of a run."
    )

    @field_validator("networks")
    @classmethod
    def _each_once(cls, accounts: tuple[AccountRef, ...]) -> tuple[AccountRef, ...]:
        for position, account in enumerate(accounts):
            if account in accounts[:position]:
                raise RefusedValueError(f"{shown(str(account))} is named twice", "remove one")
        return accounts

    @field_validator("times", "weekdays")
    @classmethod
    def _in_order(cls, values: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        return tuple(sorted(set(values), key=_PLACES.__getitem__ if info.field_name == "weekdays" else None))


def _without_default(schema: dict[str, Any]) -> None:
    """Keep programs that fill in defaults from sending one that is only a sign."""
    del schema["default"]


class Schedule(Defaults):
    """One schedule: what to read, when, which days, how often at most, and who is told."""

    key: Key
    name: Line = Field(
        default="",
        description="What people call it; made from the key when left out.",
        json_schema_extra=_without_default,
    )
    networks: tuple[Account, ...] = Field(
        min_length=1, max_length=50, description=str(Defaults.model_fields["networks"].description)
    )
    date_range: DateRange = Field(description=str(Defaults.model_fields["date_range"].description))

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        filled = {"name": str(data.get("key", "")).replace("-", " ").replace("_", " ").capitalize(), **data}
        if filled.get("sync_type") in (SyncType.CAMPAIGNS, SyncType.COUPONS):
            filled.setdefault("date_range", DateRange.TODAY)
        return filled

    @model_validator(mode="after")
    def _check_whole(self, info: ValidationInfo) -> Self:
        if (info.context or {}).get("timed", True):
            self._check_timing()
        self._check_days()
        return self

    def _check_timing(self) -> None:
        chosen = [word for word in ("interval", "cron", "times") if getattr(self, word)]
        if not chosen and self.weekdays:
            raise RefusedValueError("weekdays needs times", 'add times: ["06:00"]', field="weekdays")
        if not chosen:
            raise RefusedValueError(
                "nothing says when it runs", 'add interval: 1h, cron: "30 6 * * *" or times: ["06:00"]'
            )
        if len(chosen) > 1:
            raise RefusedValueError(
                f"{' and '.join(chosen)} are both given", "keep one of them", field=chosen[1]
            )
        if self.weekdays and not self.times:
            raise RefusedValueError(
                f"weekdays goes with times, not with {chosen[0]}",
                "remove weekdays, or write the days into a cron expression",
                field="weekdays",
            )

    def _check_days(self) -> None:
        custom = self.date_range is DateRange.CUSTOM
        for word, day in (("from", self.range_from), ("to", self.range_to)):
            if custom and day is None:
                raise RefusedValueError(
                    f"the custom range has no {word}", f"add {word}: 2026-03-31", field="date_range"
                )
            if not custom and day is not None:
                raise RefusedValueError(
                    f"{word} goes with date_range: custom only",
                    f"remove {word}, or write date_range: custom",
                    field=word,
                )
        _check_order("from", self.range_from, "to", self.range_to)
        _check_order("start_date", self.start_date, "end_date", self.end_date)
        if self.catchup and self.start_date is None:
            raise RefusedValueError(
                "catchup needs a day to start from", "add start_date: 2026-03-01", field="catchup"
            )

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, networks: Collection[str] | None = None, timed: bool = True
    ) -> Schedule:
        """Read a definition: the fields of an entry and its ``key``; what :meth:`to_dict` wrote fits.

        :param networks: slugs of the known networks; without it they are not checked, which is right
            for a definition that has been accepted before.
        :param timed: ``False`` for a run that somebody asked for once: it needs no timing.
        :raises ScheduleRefusedError: with everything that is wrong.
        """
        try:
            return cls.model_validate(dict(data), context={"networks": networks, "timed": timed})
        except ValidationError as error:
            raise ScheduleRefusedError(findings_of(error, FIELD_WORDS)) from None

    def to_dict(self) -> dict[str, Any]:
        """Return the canonical definition as JSON values: every field that has a value, by its YAML name."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @property
    def definition_hash(self) -> str:
        """SHA-256 of the canonical definition, equal in every process for equal definitions."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def when(self) -> When:
        """When it runs, whether it is active or not; never, if it was read without a timing."""
        if self.cron:
            return When(cron_crons(self.cron), self.timezone)
        crons = interval_crons(self.interval) if self.interval else clock_crons(self.times, self.weekdays)
        return When(crons, self.timezone)

    def days(self, anchor: datetime) -> DayRange:
        """Return the days that the run which stands for ``anchor`` (aware) reads.

        :raises ValueError: when ``anchor`` has no zone.
        """
        return resolve(self.date_range, anchor, self.timezone, self.range_from, self.range_to)


def _check_order(first_word: str, first: date | None, last_word: str, last: date | None) -> None:
    if first is not None and last is not None and first > last:
        raise RefusedValueError(
            f"{first_word} ({first}) is after {last_word} ({last})", "swap them or mend one", field=first_word
        )


def _words_of(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items() if name != "key"]


#: The field names of an entry (under ""), of ``defaults`` and of a notification, as YAML writes them.
FIELD_WORDS = {
    "": _words_of(Schedule),
    "defaults": _words_of(Defaults),
    "notifications": _words_of(Notification),
}
