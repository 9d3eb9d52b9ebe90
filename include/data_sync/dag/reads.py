"""When the dag-processor last began to read each file of schedules, and which of them are behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath

from data_sync.database import Cursor


def note(cursor: Cursor, dag_file: str, moment: datetime, holds: str | None) -> None:
    """Note that a full parse of a DAG file knows everything that was committed before a moment.

    :param moment: when the transaction began that has asked what there is.
    :param holds: a digest of what the parse builds its DAGs of; none for a file that holds no DAG.
    """
    cursor.execute(
        "INSERT INTO data_sync.dag_file_reads AS r (file, read_at, holds) VALUES (%s, %s, %s) "
        "ON CONFLICT (file) DO UPDATE SET read_at = excluded.read_at, holds = excluded.holds "
        "WHERE r.read_at IS NULL OR r.read_at <= excluded.read_at",
        [PurePath(dag_file).name, moment, holds],
    )


def expect(cursor: Cursor, due: Mapping[str, str]) -> None:
    """Note what the files are due to hold.

    :param due: a digest by the name of a DAG file.
    """
    cursor.execute(
        "INSERT INTO data_sync.dag_file_reads AS r (file, due) "
        "SELECT key, value FROM jsonb_each_text(%s::jsonb) ORDER BY key "
        "ON CONFLICT (file) DO UPDATE SET due = excluded.due WHERE r.due IS DISTINCT FROM excluded.due",
        [json.dumps(dict(due))],
    )


def behind(cursor: Cursor) -> list[str]:
    """Return the names of the DAG files that were last read before something of theirs changed."""
    cursor.execute("SELECT file FROM data_sync.dag_file_reads WHERE holds IS DISTINCT FROM due ORDER BY file")
    return [row["file"] for row in cursor]


def read_since(cursor: Cursor, wanted: Mapping[str, datetime]) -> set[str]:
    """Return which of these files have been read since their moment.

    :param wanted: a moment of the database's clock by file, with or without folders before its name.
    """
    cursor.execute("SELECT file, read_at FROM data_sync.dag_file_reads WHERE read_at IS NOT NULL")
    found = {row["file"]: row["read_at"] for row in cursor}
    return {file for file, since in wanted.items() if found.get(PurePath(file).name, since) > since}
