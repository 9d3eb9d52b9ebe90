"""A row's columns as Postgres reads them: a line of COPY for a new row, a JSON object for a changed one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
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

    :raises UnstorableRowError: for text that is none.
    """
    *columns, raw = row
    cells = ["\\N" if value is None else _WRITERS.get(type(value), _other)(value) for value in columns]
    for special, escaped in _RAW_ESCAPES:
        if special in raw:
            raw = raw.replace(special, escaped)
    try:
        return b"%b\t%b" % ("\t".join(cells).encode(), raw)
    except UnicodeEncodeError:
        raise UnstorableRowError("A text holds half a character (a lone surrogate), which is none.") from None


def _other(value: Any) -> str:
    # A member of an enumeration of texts is written as what it stands for.
    return _text(str.__str__(value) if isinstance(value, str) else str(value))


def _text(value: str) -> str:
    # What is to be escaped is not printable, the backslash left out.
    if value.isprintable() and "\\" not in value:
        return value
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], value)


def _array(items: tuple[str, ...]) -> str:
    quoted = (item.replace("\\", "\\\\").replace('"', '\\"') for item in items)
    return _text('{"' + '","'.join(quoted) + '"}') if items else "{}"


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: _text,
    bool: lambda value: "t" if value else "f",
    int: str,
    Decimal: str,
    date: date.isoformat,
    datetime: datetime.isoformat,
    tuple: _array,
}
