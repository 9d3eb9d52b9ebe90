"""The fixed words of a schedule, and the error that says which of them to write instead."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from enum import StrEnum

from data_sync.errors import ConfigError


class SyncType(StrEnum):
    """What a schedule syncs."""

    ALL = "all"
    """Campaigns, coupons and purchases."""
    CAMPAIGNS = "campaigns"
    """The catalogue of programmes."""
    COUPONS = "coupons"
    """Codes and deals."""
    PURCHASES = "purchases"
    """Orders and commissions of the days of the date range."""


class Interval(StrEnum):
    """How often a schedule runs, counted from midnight by the clock on the wall of its zone."""

    EVERY_10_MINUTES = "10m"
    """At :00, :10, :20, :30, :40 and :50."""
    EVERY_30_MINUTES = "30m"
    """At :00 and :30."""
    HOURLY = "1h"
    """At :00 of every hour."""
    EVERY_2_HOURS = "2h"
    """At 00:00, 02:00, 04:00 ..."""
    EVERY_6_HOURS = "6h"
    """At 00:00, 06:00, 12:00 and 18:00."""
    EVERY_12_HOURS = "12h"
    """At 00:00 and 12:00."""
    DAILY = "1d"
    """At 00:00."""


class Weekday(StrEnum):
    """A day of the week."""

    MON = "mon"
    """Monday."""
    TUE = "tue"
    """Tuesday."""
    WED = "wed"
    """Wednesday."""
    THU = "thu"
    """Thursday."""
    FRI = "fri"
    """Friday."""
    SAT = "sat"
    """Saturday."""
    SUN = "sun"
    """Sunday."""

    @property
    def cron_number(self) -> int:
        """The number of the day in a cron expression: Sunday is 0, Saturday is 6."""
        return (list(Weekday).index(self) + 1) % 7


class DateRange(StrEnum):
    """Which days a run reads, seen from the moment that it stands for, in the schedule's zone."""

    TODAY = "today"
    """The day of the run."""
    YESTERDAY = "yesterday"
    """The day before."""
    LAST_7_DAYS = "last_7_days"
    """Seven calendar days that end today."""
    LAST_30_DAYS = "last_30_days"
    """Thirty calendar days that end today."""
    CURRENT_MONTH = "current_month"
    """From the first of this month to today."""
    PREVIOUS_MONTH = "previous_month"
    """The whole calendar month before this one."""
    CUSTOM = "custom"
    """The days named by ``from`` and ``to``, both inclusive."""


class NotifyOn(StrEnum):
    """What a notification tells about."""

    FAILURE = "failure"
    """A run that ended with at least one failed account."""
    SUCCESS = "success"
    """A run in which every account was read completely."""
    SKIPPED = "skipped"
    """A run that did not do its work: one beyond ``max_runs_per_day``, or one that somebody cancelled."""


class RefusedValueError(ConfigError, ValueError):
    """Say that a value cannot be used, and what to write instead.

    :param what: what is wrong, in plain words and without a full stop.
    :param instead: what to write instead, as an order: "write ...".
    :param field: the field at fault where the error is found by looking at several.
    """

    def __init__(self, what: str, instead: str, *, field: str = "") -> None:
        """Keep both halves of the sentence."""
        self.what = what
        self.instead = instead
        self.field = field
        super().__init__(f"{what}; {instead}")


def shown(value: object) -> str:
    """Quote a value for a message, cut to 60 characters."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = json.dumps(text if len(text) <= 60 else f"{text[:57]}...", ensure_ascii=False)
    return text if isinstance(value, str) else text[1:-1].replace('\\"', '"')


def choice(word: object, known: Iterable[str]) -> str:
    """Say which known word (there is at least one) was probably meant, else list them all."""
    words = list(known)
    near = difflib.get_close_matches(str(word).lower(), words, n=1)
    if near:
        return f"write {near[0]}"
    return f"write one of {', '.join(words)}" if len(words) > 1 else f"the only one known is {words[0]}"
