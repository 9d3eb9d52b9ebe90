"""Logs as a workbook (XLSX) that is made while it is read: nothing of it waits in memory or on a disk. Pure.

XlsxWriter makes an empty workbook; only the lines of its sheet are written here, in between.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

Row = Mapping[str, Any]

#: The longest text of a cell in Excel.
_LONGEST = 32_767
_SHEET = "xl/worksheets/sheet1.xml"
#: Where Excel's days are counted from.
_DAY_ZERO, _DAY = datetime(1899, 12, 30, tzinfo=UTC), timedelta(days=1)
#: What XML has no place for, what its readers change, and what would be taken for Excel's way to write those.
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def xlsx_parts(columns: Sequence[str], pages: Iterable[Sequence[Row]]) -> Iterator[bytes]:
    """Return a workbook with one sheet, piece by piece as its lines come; times are UTC.

    Text stays text, whatever it begins with.
    """
    frame, out = _frame(columns), _Out()
    with ZipFile(out, "w", ZIP_DEFLATED, compresslevel=4) as book:
        for name, content in frame.others.items():
            book.writestr(name, content)
        with book.open(_SHEET, "w") as sheet:
            sheet.write(frame.begin)
            line = 2
            for page in pages:
                sheet.write("".join(_lines(columns, page, line, frame.moment)).encode())
                line += len(page)
                yield out.take()
            sheet.write(frame.end)
    yield out.take()


@dataclass(frozen=True)
class _Frame:
    """A workbook with the names of its columns and no line.

    :param others: its other files.
    :param begin, end: what stands before and after the lines of the sheet.
    :param moment: the number of the format of times.
    """

    others: Mapping[str, bytes]
    begin: bytes
    end: bytes
    moment: str


class _Out(io.RawIOBase):
    """Takes what is written, for somebody who reads on; it cannot go back."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes."""
        self._held += data
        return len(data)

    def take(self) -> bytes:
        """Hand out what has come since the last time."""
        found = bytes(self._held)
        self._held.clear()
        return found


def _frame(columns: Sequence[str]) -> _Frame:
    # Loaded when it is needed: the api-server starts without it.
    from xlsxwriter import Workbook

    made = io.BytesIO()
    with Workbook(made, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Logs")
        bold = book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(columns) - 1, 20)
        for column, name in enumerate(columns):
            sheet.write_string(0, column, f"{name} (UTC)" if name.endswith("_at") else name, bold)
        # A line as an example, for the number that the format of times gets.
        sheet.write_number(1, 0, 1, book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}))
    with ZipFile(made) as book:
        files = {name: book.read(name) for name in book.namelist()}
    # How large the sheet is need not stand in it, and is not known yet.
    whole = re.sub(rb"<dimension [^>]*/>", b"", files.pop(_SHEET))
    begin, example, end = re.split(rb'(<row r="2".*?</row>)', whole)
    (moment,) = re.findall(rb's="(\d+)"', example)
    return _Frame(files, begin, end, moment.decode())


def _lines(columns: Sequence[str], page: Iterable[Row], first: int, moment: str) -> Iterator[str]:
    places = [(name, _letters(number)) for number, name in enumerate(columns)]
    for line, row in enumerate(page, start=first):
        cells = [
            f'<c r="{letters}{line}"{_CELLS[type(value)](value, moment)}</c>'
            for name, letters in places
            if (value := row[name]) is not None
        ]
        yield f'<row r="{line}">{"".join(cells)}</row>'


def _letters(number: int) -> str:
    """Return the name of a column: A to Z, then AA."""
    found = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        found = chr(ord("A") + rest) + found
    return found


def _number(value: object, moment: str) -> str:
    return f"><v>{value}</v>"


def _moment(value: datetime, moment: str) -> str:
    return f' s="{moment}"><v>{(value - _DAY_ZERO) / _DAY:.9f}</v>'


@functools.lru_cache(4096)
def _text(value: str, moment: str) -> str:
    safe = escape(_UNWRITABLE.sub(lambda sign: f"_x{ord(sign[0]):04X}_", value[:_LONGEST]))
    return f' t="inlineStr"><is><t xml:space="preserve">{safe}</t></is>'


_CELLS: Mapping[type, Callable[[Any, str], str]] = {
    int: _number,
    float: _number,
    Decimal: _number,
    datetime: _moment,
    str: _text,
}
