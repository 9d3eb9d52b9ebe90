"""Reads ``config/schedules.yaml``: the schedules that are right, and what is wrong with the others.

One bad entry never hurts another. A file that cannot be read as a whole says nothing about any
schedule (``is_readable`` is false): whoever uses it keeps the last good form of all of them, and of each
key in ``refused_keys`` where only some entries are wrong.

An entry takes over the fields of ``defaults:`` that it does not name itself. Naming one way of timing
(``interval``, ``cron``, or ``times`` with ``weekdays``) drops the defaults of the other ways; naming
``date_range`` drops the defaults of ``from`` and ``to``. A field set to ``null`` drops its default.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from data_sync.schedules.model import FIELD_WORDS, Defaults, Schedule
from data_sync.schedules.problems import Finding, Path, Problem, ScheduleRefusedError, findings_of
from data_sync.schedules.words import choice, shown
from data_sync.schedules.yaml_text import UnreadableFileError, read_content, text_of
from data_sync.schedules.yaml_tree import Mark, YamlTree, load

#: Fields of ``defaults:``, and of a rule of its notifications.
_DEFAULTS_WORDS = {**FIELD_WORDS, "": FIELD_WORDS["defaults"]}
_TOP = ("defaults", "schedules")
_DROPS = {
    "interval": {"cron", "times", "weekdays"},
    "cron": {"interval", "times", "weekdays"},
    "times": {"interval", "cron"},
    "weekdays": {"interval", "cron"},
    "date_range": {"from", "to"},
}


@dataclass(frozen=True)
class SourcedSchedule:
    """A schedule, the line of its key, and the place of each of its accounts."""

    schedule: Schedule
    line: int
    account_marks: tuple[Mark, ...]


@dataclass(frozen=True)
class ScheduleFile:
    """What a file says.

    :param schedules: the valid ones by key, in the order of the file.
    :param refused_keys: keys that the file names and that have problems.
    :param is_readable: ``False`` when the file as a whole must not be acted upon; there are no
        schedules then.
    """

    file: str
    schedules: Mapping[str, SourcedSchedule] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    refused_keys: frozenset[str] = frozenset()
    is_readable: bool = True


def read_file(
    path: FilePath | str, networks: Collection[str], *, shown_as: str | None = None
) -> ScheduleFile:
    """Read a file of schedules; whatever is in it, this does not raise.

    :param networks: slugs of the known networks.
    :param shown_as: the file's name in problems; its path when left out.
    """
    name = shown_as or str(path)
    try:
        return read_bytes(read_content(FilePath(path)).data, networks, file=name)
    except UnreadableFileError as error:
        return unreadable(name, error)


def read_bytes(data: bytes, networks: Collection[str], *, file: str) -> ScheduleFile:
    """Read the bytes of a file of schedules; see :func:`read_file`."""
    try:
        return parse(text_of(data), networks, file=file)
    except UnreadableFileError as error:
        return unreadable(file, error)


def parse(text: str, networks: Collection[str], *, file: str = "schedules.yaml") -> ScheduleFile:
    """Read the text of a file of schedules; see :func:`read_file`."""
    try:
        return _FileReader(load(text), networks, file).read()
    except UnreadableFileError as error:
        return unreadable(file, error)


def unreadable(file: str, error: UnreadableFileError) -> ScheduleFile:
    """Return what a file says that cannot be read as a whole: nothing but why."""
    problem = Problem(file, error.line, error.column, error.what, error.instead)
    return ScheduleFile(file, problems=(problem,), is_readable=False)


class _FileReader:
    def __init__(self, tree: YamlTree, networks: Collection[str], file: str) -> None:
        self.tree = tree
        self.networks = networks
        self.file = file
        self.problems: set[Problem] = set()
        self.schedules: dict[str, SourcedSchedule] = {}
        self.refused: set[str] = set()
        self.is_readable = True
        self.defaults: dict[str, Any] = {}
        self.broken_defaults: set[str] = set()
        self.flawed_fields: defaultdict[str, set[str]] = defaultdict(set)

    def read(self) -> ScheduleFile:
        top = self.tree.value
        if not isinstance(top, dict):
            raise UnreadableFileError(
                "the file is not a mapping", "write schedules: and below it, indented, one key per schedule"
            )
        self._take_flaws()
        self._check_top(top)
        self._read_defaults(top.get("defaults"))
        entries = top.get("schedules")
        for key, entry in (entries if isinstance(entries, dict) else {}).items():
            self._read_entry(key, entry)
        return ScheduleFile(
            self.file,
            self.schedules if self.is_readable else {},
            tuple(sorted(self.problems, key=lambda problem: (problem.line, problem.column, problem.what))),
            frozenset(self.refused),
            self.is_readable,
        )

    def _take_flaws(self) -> None:
        for flaw in self.tree.flaws:
            if len(flaw.path) < 2:
                self.is_readable = False
            elif flaw.path[0] == "defaults":
                self.broken_defaults.add(str(flaw.path[1]))
            else:
                self.refused.add(str(flaw.path[1]))
                self.flawed_fields[str(flaw.path[1])] |= {str(word) for word in flaw.path[2:3]}
            self._add(flaw.path, flaw.mark, flaw.what, flaw.instead)

    def _check_top(self, top: Mapping[str, Any]) -> None:
        for word in top:
            if word not in _TOP:
                self._refuse_file((word,), f"{shown(word)} is not a word of this file", choice(word, _TOP))
        flawed = {flaw.path for flaw in self.tree.flaws}
        if "schedules" not in top:
            self._refuse_file((), "schedules is missing", "add schedules: and below it one key per schedule")
        elif not isinstance(top["schedules"], dict) and ("schedules",) not in flawed:
            self._refuse_file(
                ("schedules",),
                "schedules is not a mapping",
                "write one key per schedule below it, or {} for none",
            )

    def _read_defaults(self, value: Any) -> None:
        if value is None:
            return
        if not isinstance(value, dict):
            self._refuse_file(
                ("defaults",), "defaults is not a mapping", "write fields below it, such as timezone: UTC"
            )
            return
        self.defaults = {word: given for word, given in value.items() if given is not None}
        try:
            Defaults.model_validate(self.defaults, context={"networks": self.networks})
        except ValidationError as error:
            findings = findings_of(error, _DEFAULTS_WORDS, owner="defaults")
            for finding in findings:
                if finding.field not in self.broken_defaults:
                    self._report(finding, ("defaults",))
            self.broken_defaults |= {finding.field for finding in findings}

    def _read_entry(self, key: str, entry: Any) -> None:
        here: Path = ("schedules", key)
        if not isinstance(entry, dict):
            if key not in self.refused:
                self._report(
                    Finding((), "the entry is not a mapping", "write its fields below it, indented"), here
                )
            self.refused.add(key)
            return
        dropped = _dropped(entry)
        inherited = {word: value for word, value in self.defaults.items() if word not in dropped}
        unusable = (self.broken_defaults - dropped) | self.flawed_fields[key]
        if "key" in entry:
            self._report(Finding(("key",), '"key" is not a word of a schedule', "remove it"), here)
            unusable.add("key")
        own = {word: value for word, value in entry.items() if value is not None}
        try:
            schedule = Schedule.from_dict({**inherited, **own, "key": key}, networks=self.networks)
        except ScheduleRefusedError as error:
            self.refused.add(key)
            for finding in error.findings:
                if not unusable or finding.field not in {*unusable, ""}:
                    self._report(finding, ("defaults",) if finding.field in inherited else here)
            return
        if unusable or key in self.refused:
            self.refused.add(key)
            return
        accounts: Path = ("defaults",) if "networks" in inherited else here
        marks = (self.tree.mark((*accounts, "networks", place)) for place in range(len(schedule.networks)))
        self.schedules[key] = SourcedSchedule(schedule, self.tree.mark(here).line, tuple(marks))

    def _refuse_file(self, path: Path, what: str, instead: str) -> None:
        self.is_readable = False
        mark = self.tree.mark(path)
        self.problems.add(Problem(self.file, mark.line, mark.column, what, instead))

    def _report(self, finding: Finding, base: Path) -> None:
        self._add(
            (*base, *finding.path), self.tree.mark((*base, *finding.path)), finding.what, finding.instead
        )

    def _add(self, path: Path, mark: Mark, what: str, instead: str) -> None:
        key = str(path[1]) if path[0:1] == ("schedules",) and len(path) > 1 else None
        place = path[2:] if key is not None else path[1:]
        about = "defaults: " if path[0:1] == ("defaults",) and len(path) > 1 else ""
        self.problems.add(
            Problem(
                self.file, mark.line, mark.column, about + what, instead, key, str(place[0]) if place else ""
            )
        )


def _dropped(entry: Mapping[str, Any]) -> set[str]:
    """Return the fields whose defaults an entry does not take over."""
    given = [word for word, value in entry.items() if value is not None]
    return set(entry).union(*(_DROPS.get(word, ()) for word in given))
