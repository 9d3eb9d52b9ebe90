"""The list of logs as a file, with the filters of the list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse

from data_sync.looking import exporting
from data_sync.looking import logs as looking
from data_sync.looking.log_filters import LogFilter
from data_sync.looking.viewer import Viewer
from data_sync.looking.workbook import xlsx_parts
from sync_api.access import Caller, May, allow
from sync_api.breaker import in_thread
from sync_api.logs import filter_of
from sync_api.problems import Problem
from sync_api.room import Tables, room, viewer_of
from sync_api.shapes.logs import ExportQuery
from sync_api.shapes.problem import FieldError

router = room("/logs", "Logs")

Exporter = Annotated[Caller, Depends(allow(May.READ, cost=10))]

_CSV = "text/csv; charset=utf-8"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: Logs that are read with one statement: each has its own short transaction, however slow the caller reads.
_PAGE = 2_000

_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "id,created_at,account,status\r\n1204,2026-03-02T01:00:02+00:00,"
                "admitad_default,completed\r\n",
            },
            _XLSX: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.get("/export", response_class=StreamingResponse, responses=_FILE)
async def export_logs(
    caller: Exporter, db: Tables, query: Annotated[ExportQuery, Query()]
) -> StreamingResponse:
    """Download the logs that you see as CSV or XLSX, newest first.

    Both come as they are read. CSV has no end; a sheet takes 1,000,000 logs.
    """
    viewer, wanted = viewer_of(caller), filter_of(query)
    pages = _pages(db, viewer, wanted)
    body: AsyncIterator[bytes | str]
    # What is wrong shows with the first page, while an answer can still say so.
    if query.format == "xlsx":
        await in_thread(_require_few, db, viewer, wanted, of="export")
        parts = xlsx_parts(exporting.COLUMNS, pages)
        body = _parts(await in_thread(next, parts, of="export"), parts)
    else:
        body = _lines(await in_thread(next, pages, of="export"), pages)
    return StreamingResponse(
        body,
        media_type=_XLSX if query.format == "xlsx" else _CSV,
        headers={
            "Content-Disposition": f'attachment; filename="sync-logs.{query.format}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def _pages(db: Tables, viewer: Viewer, wanted: LogFilter) -> Iterator[Sequence[dict[str, Any]]]:
    """Read the list from its beginning to its end; there is a first page also where there is no log."""
    mark = None
    while True:
        with db.transaction() as cursor:
            page = looking.walk_page(cursor, viewer, wanted, mark, _PAGE)
        yield page.rows
        mark = page.next
        if mark is None:
            return


def _require_few(db: Tables, viewer: Viewer, wanted: LogFilter) -> None:
    most = exporting.MOST_IN_XLSX
    with db.transaction() as cursor:
        found = looking.count_up_to(cursor, viewer, wanted, most + 1)
    if found > most:
        message = f"an XLSX file takes {most:,} logs, and there are more"
        fix = "ask for format=csv, which has no end, or for fewer days"
        raise Problem(
            422, "too-many", f"format: {message}; {fix}.",
            errors=[FieldError(field="format", message=message, fix=fix)],
        )  # fmt: skip


async def _parts(first: bytes, parts: Iterator[bytes]) -> AsyncIterator[bytes | str]:
    yield first
    while (part := await in_thread(next, parts, None, of="export")) is not None:
        if part:
            yield part


async def _lines(
    first: Sequence[dict[str, Any]], pages: Iterator[Sequence[dict[str, Any]]]
) -> AsyncIterator[bytes | str]:
    yield exporting.csv_text(first, with_header=True)
    while (page := await in_thread(next, pages, None, of="export")) is not None:
        if page:
            yield exporting.csv_text(page, with_header=False)
