"""Schedules on their way between the two sources, and what an edit of ``schedules.yaml`` would change.

``compare`` and ``render`` are pure; ``take_over`` writes into the catalogue, in the caller's transaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from data_sync.catalogue import editing
from data_sync.database import Cursor
from data_sync.errors import AccountRefusedError, ConfigError
from data_sync.schedules.model import FIELD_WORDS, Schedule
from data_sync.schedules.problems import ScheduleRefusedError
from data_sync.schedules.yaml_text import LONGEST_FILE

#: No value is longer: each stays on one line.
_ONE_LINE = 1_000_000

CREATED, CHANGED, UNCHANGED = "created", "changed", "unchanged"

_HEADING = "# Schedules in the form of config/schedules.yaml; `data-sync validate` checks the file.\n"


@dataclass(frozen=True)
class FieldChange:
    """A field whose value becomes another one; ``None`` stands for a field without a value."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Difference:
    """What would change, each part in the order of keys.

    :param changed: the fields of each schedule that stays.
    """

    added: Mapping[str, Schedule]
    removed: Mapping[str, Schedule]
    changed: Mapping[str, tuple[FieldChange, ...]]


def compare(
    old: Mapping[str, Schedule], new: Mapping[str, Schedule], *, refused: Collection[str] = ()
) -> Difference:
    """Compare two sets of schedules.

    :param refused: keys that the new file has and that have problems: they keep what they are.
    """
    both = sorted(set(old) & set(new))
    changes = {key: _fields(old[key].to_dict(), new[key].to_dict()) for key in both}
    return Difference(
        added={key: new[key] for key in sorted(set(new) - set(old))},
        removed={key: old[key] for key in sorted(set(old) - set(new) - set(refused))},
        changed={key: fields for key, fields in changes.items() if fields},
    )


def _fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    pairs = ((word, old.get(word), new.get(word)) for word in FIELD_WORDS[""])
    return tuple(FieldChange(*pair) for pair in pairs if pair[1] != pair[2])


def render(schedules: Iterable[Schedule]) -> str:
    """Write schedules as a file that our own reader takes for the same schedules, in the order of keys.

    Fields that say what the model takes for granted are left out.

    :raises ConfigError: when the file would be longer than one that is read.
    """
    entries = {schedule.key: entry_of(schedule) for schedule in sorted(schedules, key=lambda s: s.key)}
    body = yaml.dump(
        {"schedules": entries}, Dumper=_Dumper, sort_keys=False, allow_unicode=True,
        default_flow_style=False, width=_ONE_LINE,
    )  # fmt: skip
    text = _HEADING + str(body)
    if len(text.encode()) > LONGEST_FILE:
        raise ConfigError(
            f"The file of these {len(entries)} schedules would be larger than 2 MiB, the most that is read."
        )
    return text


class _Dumper(yaml.SafeDumper):
    """Writes as our pages do: lists on one line, and clock times, dates and cron expressions in quotes."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if re.search(r"[:*]|^\d{4}-", text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
    is_plain = not any(isinstance(item, dict) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=is_plain)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def entry_of(schedule: Schedule) -> dict[str, Any]:
    """Return the shortest entry of ``schedules.yaml`` that means this schedule."""
    full = schedule.to_dict()
    words = ("name", *(word for word in FIELD_WORDS[""] if word != "name"))
    entry = {
        word: full[word]
        for word in words
        if word in full and (word not in _DEFAULTS or full[word] != _DEFAULTS[word])
    }
    for word in ("name", "date_range"):
        shorter = {name: value for name, value in entry.items() if name != word}
        if reads_as(shorter, schedule):
            entry = shorter
    return entry


def reads_as(entry: Mapping[str, Any], schedule: Schedule) -> bool:
    """Tell whether an entry of ``schedules.yaml`` means this schedule, without any defaults of a file."""
    try:
        return Schedule.from_dict({**entry, "key": schedule.key}) == schedule
    except ScheduleRefusedError:
        return False


#: What each field says that may be left out; the values without which a definition is no schedule are not
#: among them.
_REQUIRED = {"key": "a", "networks": ["admitad"], "interval": "1d", "date_range": "today"}
_DEFAULTS = {
    word: value
    for word, value in Schedule.from_dict(_REQUIRED).to_dict().items()
    if word not in _REQUIRED and word != "name"
}


def take_over(
    cursor: Cursor,
    schedules: Iterable[Schedule],
    *,
    owner: str,
    is_trusted: Callable[[str | None], bool],
) -> dict[str, str]:
    """Make schedules of the screens of these: create what is missing, change what differs, delete nothing.

    :param owner: who owns the new ones; the others keep their owner.
    :param is_trusted: tells whether an owner may use every account without a grant.
    :return: ``created``, ``changed`` or ``unchanged`` by key.
    :raises ConfigError: naming every schedule that cannot be taken over; none is, then.
    """
    wanted = sorted(schedules, key=lambda schedule: schedule.key)
    editing.take_turn(cursor, {ref.conn_id for schedule in wanted for ref in schedule.networks})
    done, refused = {}, []
    for schedule in wanted:
        try:
            done[schedule.key] = _take_one(cursor, schedule, owner, is_trusted)
        except (ConfigError, AccountRefusedError) as error:
            refused.append(f"- {schedule.key}: {error}")
    if refused:
        raise ConfigError("Nothing was taken over.\n" + "\n".join(refused))
    return done


def _take_one(
    cursor: Cursor, schedule: Schedule, owner: str, is_trusted: Callable[[str | None], bool]
) -> str:
    known = editing.find_own(cursor, schedule.key)
    if known is None:
        editing.create(cursor, schedule, owner=owner, trusted=is_trusted(owner))
        return CREATED
    trusted = is_trusted(known.owner)
    now = editing.change(cursor, schedule, revision=known.revision, trusted=trusted)
    return UNCHANGED if now.revision == known.revision else CHANGED
