"""Logs as tables for people's spreadsheets: CSV and XLSX. Pure.

What networks and people wrote is never a formula there, whatever it begins with.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

#: How many logs a sheet takes; Excel's own end is at 1,048,576 lines.
MOST_IN_XLSX = 1_000_000

#: In this order, in the words of the API.
COLUMNS = (
    *("id", "created_at", "started_at", "finished_at", "account", "network", "schedule_key"),
    *("schedule_name", "trigger", "sync_type", "requested_by", "status", "rows_read", "rows_inserted"),
    *("rows_updated", "rows_unchanged", "rows_vanished", "rows_rejected", "requests", "waited_seconds"),
    *("tries", "reason"),
)

# Spreadsheets take these for the beginning of a formula, the wide ones of East Asia too; and some cut a line
# at other signs than the comma, wherever it is quoted.
_FORMULA = re.compile(r"""(^|[;,|"\t\r\n])(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])""")
Row = Mapping[str, Any]


def csv_text(rows: Iterable[Row], *, with_header: bool) -> str:
    """Return logs as lines of CSV (RFC 4180); times are UTC, in ISO 8601.

    :param with_header: whether the first line names the columns; a byte order mark stands before it, without
        which Excel does not know that the file is UTF-8.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    if with_header:
        text.write("\ufeff")
        writer.writerow(COLUMNS)
    writer.writerows([_csv_cell(row[name]) for name in COLUMNS] for row in rows)
    return text.getvalue()


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int | float):
        return str(value)
    return _FORMULA.sub(r"\1'", str(value))
