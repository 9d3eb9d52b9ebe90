"""When the dag-processor last began to read each file of schedules, by the database's clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath

from data_sync.database import Cursor


def note(cursor: Cursor, dag_file: str, moment: datetime) -> None:
    """Note that a full parse of a DAG file knows everything that was committed before a moment.

    :param moment: when the transaction began that has asked what there is.
    """
    cursor.execute(
        "INSERT INTO data_sync.dag_file_reads (file, read_at) VALUES (%s, %s) "
        "ON CONFLICT (file) DO UPDATE SET read_at = greatest(dag_file_reads.read_at, excluded.read_at)",
        [PurePath(dag_file).name, moment],
    )


def read_since(cursor: Cursor, wanted: Mapping[str, datetime]) -> set[str]:
    """Return which of these files have been read since their moment.

    :param wanted: a moment of the database's clock by file, with or without folders before its name.
    """
    cursor.execute("SELECT file, read_at FROM data_sync.dag_file_reads")
    found = {row["file"]: row["read_at"] for row in cursor}
    return {file for file, since in wanted.items() if found.get(PurePath(file).name, since) > since}
