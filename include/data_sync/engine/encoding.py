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
    cells = [
        "\\N" if value is None else value if type(value) is str and value.isalnum() else _cell(value)
        for value in columns
    ]
    for special, escaped in _RAW_ESCAPES:
        if special in raw:
            raw = raw.replace(special, escaped)
    try:
        return b"%b\t%b" % ("\t".join(cells).encode(), raw)
    except UnicodeEncodeError:
        raise UnstorableRowError("A text holds half a character (a lone surrogate), which is none.") from None


def _cell(value: Any) -> str:
    writer = _WRITERS.get(type(value))
    return _text(str(value)) if writer is None else writer(value)


def _text(value: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], value) if _SPECIAL.search(value) else value


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
