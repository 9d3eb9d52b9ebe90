"""A row's columns as Postgres reads them: a line of COPY for a new row, a JSON object for a changed one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any

import msgspec
from msgspec.structs import astuple

from data_sync.engine.tables import LONGEST_KEY, KindTable, UnstorableRowError
from network_clients.records import PlainPurchase

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
    try:
        return b"%b\t%b" % (line.encode(), _raw_cell(raw))
    except UnicodeEncodeError:
        raise UnstorableRowError("A text holds half a character (a lone surrogate), which is none.") from None


def plain_line(row: PlainPurchase) -> bytes | None:
    """Encode a row that was read at once as :func:`line_of` does; ``None`` where that takes a closer look."""
    *values, raw = astuple(row)
    line = "\t".join(
        [
            value if type(value) is str else _NONE if value is None else _WRITERS[type(value)](value)
            for value in values
        ]
    )
    if line.count("\\") != values.count(None) or line.count("\t") >= len(values):
        return None
    if "\n" in line or "\r" in line or 4 * len(row.key) > LONGEST_KEY:
        return None
    try:
        return b"%b\t%b" % (line.encode(), _raw_cell(raw))
    except UnicodeEncodeError:
        return None


def _raw_cell(raw: bytes) -> bytes:
    if b"\\" in raw or b"\n" in raw or b"\t" in raw or b"\r" in raw:
        for special, escaped in _RAW_ESCAPES:
            raw = raw.replace(special, escaped)
    return raw


def _escaped(cell: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], cell)


def _array(items: tuple[str, ...]) -> str:
    if not items:
        return "{}"
    whole = '","'.join(items)
    if "\\" in whole or whole.count('"') != 2 * (len(items) - 1):
        whole = '","'.join([item.replace("\\", "\\\\").replace('"', '\\"') for item in items])
    return f'{{"{whole}"}}'


_NONE = "\\N"
_WRITERS: dict[type, Callable[[Any], str]] = {
    NoneType: lambda _: _NONE,
    bool: lambda value: "t" if value else "f",
    int: str,
    tuple: _array,
}
