"""Workbooks that are made while they are read."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_sync.looking.workbook import Row, xlsx_parts

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read(parts: Iterator[bytes]) -> dict[str, Any]:
    """Read a workbook as Excel does: cell to what is in it."""
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as book:
        assert book.testzip() is None
        for name in book.namelist():
            ElementTree.fromstring(book.read(name))
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        shared = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
    names = [entry.findtext(f"{MAIN}t") for entry in shared]
    found: dict[str, Any] = {}
    for cell in sheet.iter(f"{MAIN}c"):
        if cell.get("t") == "inlineStr":
            text = cell.findtext(f"{MAIN}is/{MAIN}t") or ""
            value: Any = re.sub("_x([0-9A-F]{4})_", lambda sign: chr(int(sign[1], 16)), text)
        else:
            number = float(cell.findtext(f"{MAIN}v") or "nan")
            value = names[int(number)] if cell.get("t") == "s" else number
        found[cell.get("r", "")] = value
    return found


def of_one(**row: Any) -> dict[str, Any]:
    return read(xlsx_parts(list(row), [[row]]))


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\x00\x07\r\n\t_x0D<&\ufffe"), max_size=60))
def test_every_text_is_what_it_was(text: str) -> None:
    assert of_one(reason=text) == {"A1": "reason", "A2": text}


@pytest.mark.parametrize(
    "text", ["_x0041_", "a_x000D_b", " before and after ", "=1+1", "<f>1</f>", "x" * 40_000]
)
def test_texts_that_a_reader_might_change(text: str) -> None:
    assert of_one(reason=text)["A2"] == text[:32_767]


def test_numbers_times_and_nothing() -> None:
    at = datetime(2026, 3, 2, 18, tzinfo=UTC)
    found = of_one(id=7, created_at=at, waited=1.25, reason=None)
    assert found == {
        "A1": "id",
        "B1": "created_at (UTC)",
        "C1": "waited",
        "D1": "reason",
        "A2": 7.0,
        "B2": 46083.75,
        "C2": 1.25,
    }


def test_columns_go_on_after_z() -> None:
    found = of_one(**{f"c{number}": number for number in range(60)})
    assert (found["Z2"], found["AA2"], found["AZ2"], found["BH2"]) == (25.0, 26.0, 51.0, 59.0)


def test_a_workbook_without_a_line_has_its_names() -> None:
    assert read(xlsx_parts(["id"], [[]])) == {"A1": "id"}


def test_it_comes_while_its_lines_are_read() -> None:
    asked = []

    def pages() -> Iterator[Sequence[Row]]:
        for number in range(20):
            asked.append(number)
            yield [{"id": number * 1000 + line, "text": f"log {number} {line}"} for line in range(1000)]

    parts = xlsx_parts(["id", "text"], pages())
    first = next(parts)
    assert first.startswith(b"PK")
    assert asked == [0]
    rest = list(parts)
    assert max(map(len, rest)) < sum(map(len, rest)) / 5
    found = read(iter([first, *rest]))
    assert len(found) == 2 + 2 * 20_000
    assert (found["A20001"], found["B20001"]) == (19_999.0, "log 19 999")
