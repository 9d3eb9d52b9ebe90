"""What can be wrong with a YAML file before it is a tree: its bytes, its marks and its grammar."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import yaml

from data_sync.errors import ConfigError
from data_sync.schedules.words import shown

#: Bytes; room for several thousand schedules.
LONGEST_FILE = 2 * 1024 * 1024
DEEPEST = 12
MOST_ALIASES = 100

_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONFLICT = re.compile(r"^(<{7}|>{7}|\|{7}|={7})(?= |$)", re.MULTILINE)
_TAB = re.compile(r"^ *\t[ \t]*(?=[^\s#])", re.MULTILINE)
#: Spaces of other kinds, which come from web pages and mails and look like those that indent.
_SPACE = re.compile(r"^ *[\u00a0\u2000-\u200b\u202f\u3000]", re.MULTILINE)
_LAYOUT = "check the indentation of this line and the line before, and that each key ends with a colon"
#: Part of what the parser says, and what to say to people. ``{char}`` is the character at fault.
_GRAMMAR = (
    ("scanning an alias", "a value starts with *", 'put it in quotes, such as cron: "*/10 * * * *"'),
    ("scanning an anchor", "a value starts with &", "put it in quotes"),
    ("undefined alias", "a value starts with *, but there is no anchor of that name", "put it in quotes"),
    ("duplicate anchor", "an anchor is defined twice", "rename one of them"),
    ("cannot start any token", "a value starts with {char}", "put it in quotes"),
    ("a quoted scalar found unexpected end", "a quote is opened here and never closed", "close the quote"),
    ("unknown escape", "a backslash in double quotes", "use single quotes, or write two backslashes"),
    ("parsing a flow node", "a value is missing here, or a bracket is never closed", "close it with ] or }"),
    ("flow sequence", "a [ is opened here and never closed", "close it with ]"),
    ("flow mapping", "a { is opened here and never closed", "close it with }"),
    ("expected a single document", "a second document starts here", "remove the line ---"),
    (
        "mapping values are not allowed",
        "a colon stands where no value can start",
        f"{_LAYOUT}; put a text with a colon in quotes",
    ),
    ("could not find expected ':'", "the line has no colon, or is cut off", "write it as word: value"),
    ("did not find expected", "the line does not fit what stands before it", _LAYOUT),
)


class UnreadableFileError(ConfigError):
    """Raised when a file cannot be read as a whole, so that it says nothing about any schedule.

    :param line: 1-based.
    :param column: 1-based.
    """

    def __init__(self, what: str, instead: str, line: int = 1, column: int = 1) -> None:
        """Keep the sentence and the place."""
        self.what = what
        self.instead = instead
        self.line = line
        self.column = column
        super().__init__(f"line {line}: {what}; {instead}")


@dataclass(frozen=True)
class Content:
    """What a file held at one moment.

    :param revision: when it was last written, in milliseconds since 1970.
    """

    data: bytes
    revision: int


def read_content(path: FilePath) -> Content:
    """Return a file's bytes and the time of its last change, both of the same version of it.

    :raises UnreadableFileError: when it cannot be opened or is larger than 2 MiB.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST_FILE + 1)
            revision = os.fstat(file.fileno()).st_mtime_ns // 1_000_000
    except FileNotFoundError:
        raise UnreadableFileError("the file does not exist", "create it, or name another one") from None
    except OSError as error:
        raise UnreadableFileError(
            f"the file cannot be read ({error.strerror})", "make it a file that this user may read"
        ) from None
    if len(data) > LONGEST_FILE:
        raise UnreadableFileError("the file is larger than 2 MiB", "remove what is not a schedule")
    return Content(data, revision)


def text_of(data: bytes) -> str:
    """Return a file's text; a byte order mark is accepted and dropped.

    :raises UnreadableFileError: when it is not UTF-8 text.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableFileError("the file is UTF-16", "save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise UnreadableFileError(
            "a character is not UTF-8", "save the file as UTF-8", line, column
        ) from None


def compose(text: str) -> tuple[yaml.Node, int]:
    """Return the root node of the file's one document, and how many nodes it has before aliases expand.

    :raises UnreadableFileError: for text that is no YAML, is empty, or nests or repeats too much.
    """
    _check_marks(text)
    try:
        nodes = _count_nodes(text)
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _in_plain_words(error, text) from None
    if root is None:
        raise UnreadableFileError("the file is empty", "write schedules: and at least one schedule below it")
    return root, nodes


def _check_marks(text: str) -> None:
    for pattern, what, instead in (
        (_CONTROL, "a character that is not text ({char})", "remove it, or save the file as UTF-8 text"),
        (_CONFLICT, "a merge conflict is not resolved", "keep one of the two sides and remove the markers"),
        (_TAB, "a tab is used to indent", "write spaces"),
        (_SPACE, "a space of another kind ({char}) is used to indent", "write plain spaces"),
    ):
        match = pattern.search(text)
        if match is not None:
            line = text.count("\n", 0, match.start()) + 1
            column = match.start() - text.rfind("\n", 0, match.start())
            char = f"U+{ord(match[0][-1]):04X}"
            raise UnreadableFileError(what.replace("{char}", char), instead, line, column)


def _count_nodes(text: str) -> int:
    """Walk the events, which takes flat memory whatever the file does, before a tree is built of them."""
    depth = nodes = aliases = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        nodes += 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > DEEPEST:
            raise UnreadableFileError(
                "values are nested too deeply", "close the brackets before", *_place(event.start_mark)
            )
        if aliases > MOST_ALIASES:
            raise UnreadableFileError(
                f"there are more than {MOST_ALIASES} aliases",
                "put what schedules share under defaults",
                *_place(event.start_mark),
            )
    return nodes


def _in_plain_words(error: yaml.MarkedYAMLError, text: str) -> UnreadableFileError:
    said = f"{error.context or ''} {error.problem or ''}".strip()
    for part, what, instead in _GRAMMAR:
        if part in said:
            line, column = _place(error.context_mark if "opened here" in what else error.problem_mark)
            char = shown(text.splitlines()[line - 1][column - 1 : column]) if "{char}" in what else ""
            return UnreadableFileError(what.replace("{char}", char), instead, line, column)
    return UnreadableFileError(f"this is no YAML ({said})", _LAYOUT, *_place(error.problem_mark))


def _place(mark: Any) -> tuple[int, int]:
    """Return line and column as people count; the parser's marks have two unrelated types, or are missing."""
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
