"""What is wrong with a schedule, in words that say what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from data_sync.errors import ConfigError
from data_sync.schedules.words import RefusedValueError, choice, shown

#: Where something stands inside a schedule: field names and list positions, outermost first.
Path = tuple[str | int, ...]

_EXAMPLES = {
    "key": "daily",
    "networks": "[admitad]",
    "date_range": "last_7_days",
    "from": "2026-03-01",
    "to": "2026-03-31",
    "notifications": "[{on: [failure], to: [ops@example.com]}]",
    "notifications.on": "[failure]",
    "notifications.to": "[ops@example.com]",
    "times": '["06:00", "18:00"]',
    "weekdays": "[mon, tue, wed, thu, fri]",
    "visible_to": "[anna, omar]",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a definition, wherever it came from.

    :param path: where; empty when it is about the whole definition.
    :param what: what is wrong, without a full stop.
    :param instead: what to write instead, as an order.
    """

    path: Path
    what: str
    instead: str

    @property
    def field(self) -> str:
        """The outermost field at fault; empty when it is about the whole definition."""
        return str(self.path[0]) if self.path else ""

    def __str__(self) -> str:
        """Return what is wrong and what to write instead."""
        return f"{self.what}; {self.instead}"


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a file, and where.

    :param line: 1-based.
    :param column: 1-based.
    :param key: the schedule's key; ``None`` for the file as a whole and for ``defaults``.
    :param field: the outermost field at fault; empty when it is about the whole entry.
    """

    file: str
    line: int
    column: int
    what: str
    instead: str
    key: str | None = None
    field: str = ""

    def __str__(self) -> str:
        """Return ``file:line: what, and what to write instead``."""
        about = f"schedule {self.key}: " if self.key else ""
        return f"{self.file}:{self.line}: {about}{self.what}; {self.instead}"


class ScheduleRefusedError(ConfigError):
    """Raised when a definition is not a schedule.

    :param findings: everything that is wrong with it, at least one.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Keep the findings and join them into one message."""
        self.findings = tuple(findings)
        super().__init__(". ".join(str(finding) for finding in findings))


def findings_of(
    error: ValidationError, words: Mapping[str, Sequence[str]], owner: str = "a schedule"
) -> list[Finding]:
    """Translate what pydantic found into plain words.

    :param words: the known field names by the name of the field that holds them; ``""`` for the
        definition itself.
    :param owner: what the definition itself is called.
    """
    details = error.errors(include_url=False)
    return [_finding(detail, words, owner) for detail in details if not _is_echo(detail, details)]


def _is_echo(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """Tell whether a list counts as too short only because its items were refused one by one."""
    depth = len(detail["loc"])
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > depth and other["loc"][:depth] == detail["loc"] for other in details
    )


def _finding(detail: ErrorDetails, words: Mapping[str, Sequence[str]], owner: str) -> Finding:
    path: Path = detail["loc"]
    context: dict[str, Any] = detail.get("ctx") or {}
    refused = context.get("error")
    if isinstance(refused, RefusedValueError):
        place = path or ((refused.field,) if refused.field else ())
        name = _name(place)
        what = refused.what if not path else f"{name}: {refused.what}"
        return Finding(place, what, refused.instead)
    if detail["type"] == "extra_forbidden":
        holder = str(path[0]) if len(path) > 1 else ""
        instead = choice(path[-1], words[holder])
        return Finding(path, f"{shown(path[-1])} is not a word of {holder or owner}", instead)
    if detail["type"] == "missing":
        return Finding(path, f"{_name(path)} is missing", f"add {path[-1]}: {_EXAMPLES[_name(path)]}")
    return Finding(path, *_plain(detail["type"], _name(path), detail["input"], context, detail["msg"]))


def _name(path: Path) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _plain(kind: str, name: str, value: object, context: Mapping[str, Any], message: str) -> tuple[str, str]:
    """Say what is wrong with a value that pydantic itself refused, and what to write instead."""
    if value is None:
        return f"{name} is empty", f"write a value such as {_example(name)}, or remove the line"
    for pattern, sentence in _SENTENCES.items():
        if re.fullmatch(pattern, kind):
            return f"{name}: {shown(value)} {sentence[0]}", sentence[1](name, value, context)
    return f"{name}: {shown(value)} cannot be used ({message})", "look the field up in schedules.schema.json"


def _example(name: str) -> str:
    return _EXAMPLES.get(name, "the ones in schedules.schema.json")


_DURATION = re.compile(r"(\d{1,5}) ?(m|h|d)[a-z]*", re.IGNORECASE)
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}


def _instead_of_word(name: str, value: object, context: Mapping[str, Any]) -> str:
    known = [word.strip("'") for word in re.split(r", | or ", context["expected"])]
    if name != "interval":
        return choice(value, known)
    wanted = _minutes(str(value))
    same = [word for word in known if wanted and _minutes(word) == wanted]
    return f"write {same[0]}" if same else f"write one of {', '.join(known)}; for others there is cron"


def _minutes(word: str) -> int | None:
    match = _DURATION.fullmatch(word.strip())
    return int(match[1]) * _MINUTES[match[2].lower()] if match else None


_Instead = Callable[[str, object, Mapping[str, Any]], str]

_SENTENCES: dict[str, tuple[str, _Instead]] = {
    r"enum": (
        "is not known",
        _instead_of_word,
    ),
    r"(list|tuple)_type": (
        "is not a list",
        lambda name, value, context: f"write a list such as {_example(name)}",
    ),
    r"too_short": (
        "is empty",
        lambda name, value, context: f"write at least one, such as {_example(name)}",
    ),
    r"too_long": (
        "is too long",
        lambda name, value, context: f"write at most {context['max_length']} items",
    ),
    r"string_type": (
        "is not text",
        lambda name, value, context: "write one text",
    ),
    r"string_too_(short|long)|string_pattern_mismatch": (
        "is empty, too long or not on one line",
        lambda name, value, context: "write 1 to 200 characters on one line",
    ),
    r"int_.*|greater_than_equal|less_than_equal": (
        "is not a number in range",
        lambda name, value, context: "write a whole number from 1 to 1440",
    ),
    r"bool_.*": (
        "is neither true nor false",
        lambda name, value, context: "write true or false",
    ),
    r"model_.*|dict_type": (
        "is not a mapping",
        lambda name, value, context: f"write it as {_example(name)}",
    ),
}
