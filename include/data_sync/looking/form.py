"""The form for schedules, from the model itself: fields, choices, limits, defaults and help texts. Pure."""

from __future__ import annotations

import ast
import inspect
from enum import Enum, StrEnum
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from pydantic.fields import FieldInfo

from data_sync.schedules.model import Schedule
from data_sync.schedules.words import DateRange, Interval, NotifyOn, SyncType, Weekday

_CHOICES: dict[str, type[StrEnum]] = {
    "sync_type": SyncType,
    "interval": Interval,
    "weekdays": Weekday,
    "date_range": DateRange,
}
#: Named for people where the field's own word does not do.
_TITLES = {"key": "Key", "from": "First day", "to": "Last day", "cron": "Cron expression"}
_HELP = {
    "key": "Names the schedule for ever: its DAG, its logs, its address. Lower-case letters, digits, - and _."
}
#: Counts for schedules that are kept in git; one of the screens is seen by its owner and by admins.
_NOT_ON_SCREENS = ("visible_to",)


def form_fields() -> list[dict[str, Any]]:
    """Return the fields of the form in the model's order, the key and the name first."""
    infos = Schedule.model_fields
    names = ["key", "name", *(name for name in infos if name not in ("key", "name", *_NOT_ON_SCREENS))]
    return [_field(infos[name].alias or name, infos[name]) for name in names]


def choices_of(words: type[StrEnum]) -> list[dict[str, str]]:
    """Return the words of an enumeration, each with what it means."""
    told = _docstrings(words)
    return [{"value": word.value, "help": told.get(word.name, "")} for word in words]


def _field(word: str, info: FieldInfo) -> dict[str, Any]:
    limits = {
        key: getattr(part, key)
        for part in info.metadata
        for key in ("ge", "le", "max_length")
        if getattr(part, key, None) is not None
    }
    return {
        "name": word,
        "title": _TITLES.get(word, word.replace("_", " ").capitalize()),
        "help": _HELP.get(word, info.description or ""),
        "is_required": info.is_required(),
        "default": _plain(None if info.is_required() else info.get_default(call_default_factory=True)),
        "choices": choices_of(_CHOICES[word]) if word in _CHOICES else [],
        "minimum": limits.get("ge"),
        "maximum": limits.get("le"),
        "most": limits.get("max_length"),
    }


def notification_choices() -> list[dict[str, str]]:
    """Return what a notification can tell about."""
    return choices_of(NotifyOn)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


@cache
def timezones() -> tuple[str, ...]:
    """Return the names that a form offers for a schedule's zone."""
    return tuple(sorted(name for name in available_timezones() if "/" in name or name == "UTC"))


@cache
def _docstrings(words: type[StrEnum]) -> dict[str, str]:
    """Read the line below each member, which Python itself does not keep."""
    body = ast.parse(inspect.getsource(words)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for member, text in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(member, ast.Assign)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            target = member.targets[0]
            if isinstance(target, ast.Name):
                found[target.id] = str(text.value.value)
    return found
