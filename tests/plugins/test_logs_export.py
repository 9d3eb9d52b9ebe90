"""Logs as files for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
import zipfile

import pytest

from data_sync.database import Database
from data_sync.looking import exporting
from data_sync.looking import logs as looking
from data_sync.schedules.model import Schedule
from tests.plugins.airflow_app import App
from tests.plugins.log_stock import COMPLETE, FAILED, QUICK, make_log
from tests.plugins.routes import DEFINITION

MINE = Schedule.from_dict(DEFINITION)
PATH = "/sync/logs/export"


def table(app: App, who: str, query: str = "") -> list[dict[str, str]]:
    answer = app.call(who, "GET", f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="sync-logs.csv"'
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_what_the_list_has(stocked: App) -> None:
    rows = table(stocked, "ada")
    assert [int(row["id"]) for row in rows] == [QUICK, COMPLETE, FAILED]
    assert list(rows[0]) == list(exporting.COLUMNS)
    assert (rows[1]["rows_read"], rows[1]["created_at"]) == ("12", "2026-03-02T01:00:00+00:00")
    assert "Write the right one" in rows[2]["reason"]
    assert [int(row["id"]) for row in table(stocked, "anna", "status=failed")] == [FAILED]
    assert [int(row["id"]) for row in table(stocked, "ben")] == [QUICK]
    assert table(stocked, "vera") == []


def test_all_pages_come_once(stocked: App, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from sync_api import logs_export

    monkeypatch.setattr(logs_export, "_PAGE", 3)
    monkeypatch.setattr(looking, "STRETCH", 5)
    with db.transaction() as cursor:
        made = [
            make_log(cursor, MINE, key="nightly", status=("failed", "completed")[n % 2]) for n in range(12)
        ]
    found = [int(row["id"]) for row in table(stocked, "anna", "trigger=scheduled")]
    assert found == [COMPLETE, *reversed(made), FAILED]


HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1+1", "a;=1+1", 'a",=1+1', "a\n=1+1"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_a_formula(stocked: App, db: Database, text: str) -> None:
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_logs SET schedule_name = %s WHERE id = %s", [text, COMPLETE])
    cell = next(row for row in table(stocked, "anna") if row["id"] == str(COMPLETE))["schedule_name"]
    assert cell.replace("'", "") == text
    for part in re.split(r'[;,|"\t\r\n]', cell):
        assert not re.match(r"[=+\-@\uff1d\uff0b\uff0d\uff20]", part), cell
    answer = stocked.call("anna", "GET", f"{PATH}?format=xlsx")
    sheet = zipfile.ZipFile(io.BytesIO(answer.content)).read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert 't="inlineStr"' in sheet


def test_harmless_text_stays_as_it_is() -> None:
    text = 'It took 3-4 tries, a "b" (c+d); see x@example.com'
    row = {**dict.fromkeys(exporting.COLUMNS), "reason": text}
    (line,) = csv.reader(io.StringIO(exporting.csv_text([row], with_header=False), newline=""))
    assert line[-1] == text


def test_xlsx_has_numbers_times_and_texts(stocked: App) -> None:
    answer = stocked.call("anna", "GET", f"{PATH}?format=xlsx&status=completed")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="sync-logs.xlsx"'
    book = zipfile.ZipFile(io.BytesIO(answer.content))
    assert book.testzip() is None
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == 2
    assert f'<c r="A2"><v>{COMPLETE}</v></c>' in sheet
    # 2 March 2026, one o'clock, as Excel counts days.
    assert re.search(r'<c r="B2" s="\d+"><v>46083\.041666', sheet)
    assert "admitad_default" in sheet


def test_more_than_a_sheet_takes_is_refused_and_csv_named(
    stocked: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MOST_IN_XLSX", 1)
    answer = stocked.call("anna", "GET", f"{PATH}?format=xlsx")
    assert (answer.status_code, answer.json()["code"]) == (422, "too-many")
    assert "format=csv" in answer.json()["detail"]
    assert len(table(stocked, "anna")) == 2
    assert stocked.call("anna", "GET", f"{PATH}?format=xlsx&status=failed").status_code == 200
