"""The types of a schedule's fields: what each accepts, as text or as JSON values, and its canonical form."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from data_sync.schedules.accounts import NAME_PATTERN, SLUG_PATTERN, AccountRef
from data_sync.schedules.timing import CLOCK_TIME_PATTERN, check_clock_time, check_cron, check_zone
from data_sync.schedules.words import RefusedValueError, Weekday, choice, shown

KEY_PATTERN = r"[a-z0-9][a-z0-9_-]{0,99}"
#: Words that stand where a key may stand: addresses below ``/sync/schedules``, and the logs of no schedule.
RESERVED_KEYS = ("create", "dry-run", "manual")
#: The word that makes a schedule visible to everybody who may read DAGs.
EVERYONE: Literal["everyone"] = "everyone"
_FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
#: Far from the ends of the calendar, where the day before or after does not exist.
_YEARS = range(1900, 3000)
_TARGET = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|[A-Za-z0-9_.-]+")


def check_key(value: object) -> str:
    """Return a schedule's key as given.

    :raises RefusedValueError: for anything but 1 to 100 of ``a-z 0-9 _ -`` that start with a letter or digit.
    """
    if isinstance(value, str) and re.fullmatch(KEY_PATTERN, value):
        return value
    usable = re.sub(r"[^a-z0-9_-]+", "-", str(value).lower()).strip("-_")[:100]
    raise RefusedValueError(
        f"{shown(value)} cannot be the key of a schedule",
        f"write {usable}" if usable else "write lower-case letters, digits, - and _",
    )


def _key(value: object, info: ValidationInfo) -> str:
    key = check_key(value)
    # A definition that was accepted before is read as it is: runs in flight need it.
    is_new = (info.context or {}).get("networks") is not None
    if is_new and key in RESERVED_KEYS:
        raise RefusedValueError(
            f"{shown(key)} is a word of the REST API and cannot be the key of a schedule",
            f"write another one such as {key}-sync",
        )
    return key


def _date(value: object) -> object:
    if isinstance(value, date) and not isinstance(value, datetime):
        return _near(value)
    if isinstance(value, str) and _ISO_DATE.fullmatch(value):
        try:
            day = date.fromisoformat(value)
        except ValueError as error:
            raise RefusedValueError(f"{shown(value)} does not exist ({error})", "write a real date") from None
        return _near(day)
    raise RefusedValueError(f"{shown(value)} is not a date", "write year-month-day, such as 2026-03-31")


def _near(day: date) -> date:
    if day.year not in _YEARS:
        raise RefusedValueError(
            f"{shown(str(day))} is too far away", f"write a year from {_YEARS[0]} to {_YEARS[-1]}"
        )
    return day


def _weekday(value: object) -> object:
    text = str(value).strip().lower()
    if text in _FULL_NAMES:
        return text[:3]
    if text in set(Weekday):
        return text
    raise RefusedValueError(f"{shown(value)} is not a weekday", choice(text, [*Weekday]))


def _viewers(value: object) -> object:
    users = value if isinstance(value, list | tuple) else None
    if value == EVERYONE or (users is not None and all(_is_line(user) for user in users)):
        return value
    usable = f"[{value}]" if _is_line(value) else "[anna, omar]"
    raise RefusedValueError(f"{shown(value)} is not a list of users", f"write {usable} or {EVERYONE}")


def _is_line(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()


def _target(value: object) -> object:
    if isinstance(value, str) and len(value) <= 200 and _TARGET.fullmatch(value):
        return value
    raise RefusedValueError(
        f"{shown(value)} is no target", "write an e-mail address, or the id of an Airflow connection"
    )


def _account(value: object, info: ValidationInfo) -> AccountRef:
    account = value if isinstance(value, AccountRef) else AccountRef.parse(value)
    known = (info.context or {}).get("networks")
    if known is not None and account.network not in known:
        raise RefusedValueError(
            f"there is no network {shown(account.network)}", choice(account.network, sorted(known))
        )
    return account


def _line(value: object) -> object:
    if _is_line(value):
        return value
    raise RefusedValueError(f"{shown(value)} is not a line of text", "write 1 to 200 characters on one line")


Key = Annotated[
    str,
    BeforeValidator(_key),
    WithJsonSchema({"type": "string", "pattern": f"^{KEY_PATTERN}$", "not": {"enum": [*RESERVED_KEYS]}}),
]
Line = Annotated[str, BeforeValidator(_line)]
IsoDate = Annotated[date, BeforeValidator(_date)]
ClockTime = Annotated[
    str,
    BeforeValidator(check_clock_time),
    WithJsonSchema({"type": "string", "pattern": f"^{CLOCK_TIME_PATTERN}$"}),
]
Day = Annotated[
    Weekday,
    BeforeValidator(_weekday),
    WithJsonSchema({"enum": [*(day.value for day in Weekday), *_FULL_NAMES]}),
]
Account = Annotated[
    AccountRef,
    BeforeValidator(_account),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": f"^{SLUG_PATTERN}(:{NAME_PATTERN})?$"}),
]
Cron = Annotated[str, AfterValidator(check_cron)]
Zone = Annotated[str, AfterValidator(check_zone)]
Target = Annotated[str, BeforeValidator(_target)]
Viewers = Annotated[Literal["everyone"] | tuple[Line, ...], BeforeValidator(_viewers)]
