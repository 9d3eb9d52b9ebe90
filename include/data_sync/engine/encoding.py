"""A row's columns as Postgres reads them: a line of COPY for a new row, a JSON object for a changed one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any

import msgspec

from data_sync.engine.tables import KindTable, UnstorableRowError

_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_RAW_ESCAPES = tuple((old.encode(), new.encode()) for old, new in _ESCAPES.items())


def json_of(table: KindTable, row: Sequence[Any]) -> bytes:
    """Encode a row that :func:`line_of` has encoded as a JSON object."""
    fields = dict(zip(table.columns, row, strict=True))
    fields["raw"] = msgspec.Raw(fields["raw"])
    return msgspec.json.encode(fields)


def line_of(row: Sequence[Any]) -> bytes:
    """Encode a row, see :func:`data_sync.engine.tables.row_of`, as the beginning of a line of COPY.

    :raises UnstorableRowError: for text that is none, and for a value that no column holds.
    """
    raw = row[-1]
    # Times, dates, amounts and words become text at once; what is left is none, a number, a truth or a list.
    try:
        cells = [
            value if type(value) is str else _WRITERS[type(value)](value)
            for value in msgspec.to_builtins(row[:-1])
        ]
    except (KeyError, TypeError) as error:
        raise UnstorableRowError(f"A value is of a kind that no column holds ({error}).") from None
    line = "\t".join(cells)
    # Seldom is there anything to be escaped, which the whole line tells faster than each of its cells.
    if line.count("\\") != row.count(None) or line.count("\t") >= len(cells) or "\n" in line or "\r" in line:
        pairs = zip(row, cells, strict=False)
        line = "\t".join([cell if value is None else _escaped(cell) for value, cell in pairs])
    for special, escaped in _RAW_ESCAPES:
        if special in raw:
            raw = raw.replace(special, escaped)
    try:
        return b"%b\t%b" % (line.encode(), raw)
    except UnicodeEncodeError:
        raise UnstorableRowError("A text holds half a character (a lone surrogate), which is none.") from None


def _escaped(cell: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], cell)


def _array(items: tuple[str, ...]) -> str:
    if not items:
        return "{}"
    whole = '","'.join(items)
    if "\\" in whole or whole.count('"') != 2 * (len(items) - 1):
        whole = '","'.join([item.replace("\\", "\\\\").replace('"', '\\"') for item in items])
    return f'{{"{whole}"}}'


_WRITERS: dict[type, Callable[[Any], str]] = {
    NoneType: lambda _: "\\N",
    bool: lambda value: "t" if value else "f",
    int: str,
    tuple: _array,
}
