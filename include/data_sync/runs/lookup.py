"""Reading what a run has stored about itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data_sync.database import Cursor, one
from data_sync.schedules.model import Schedule


@dataclass(frozen=True)
class StoredRun:
    """A run as ``open_run`` stored it: its definition and range are those it started with."""

    id: int
    dag_id: str
    run_id: str
    kind: str
    schedule_key: str | None
    schedule_name: str
    requested_by: str | None
    anchor: datetime
    timezone: str
    definition: dict[str, Any]
    units: list[dict[str, Any]]
    state: str
    refusal: str | None
    retry_of: int | None
    guard: str

    @property
    def schedule(self) -> Schedule:
        """The definition in force."""
        return Schedule.from_dict(self.definition, timed=False)


_SELECT = """
SELECT id, dag_id, run_id, kind, schedule_key, schedule_name, requested_by, anchor, timezone, definition,
       units, state, refusal, retry_of, guard
FROM data_sync.sync_runs
"""


def find_run(cursor: Cursor, dag_id: str, run_id: str, *, lock: bool = False) -> StoredRun | None:
    """Return the stored run of an Airflow run, or ``None`` before its first ``open_run``.

    :param lock: keep others from changing it until the transaction ends.
    """
    statement = _SELECT + "WHERE dag_id = %s AND run_id = %s" + (" FOR UPDATE" if lock else "")
    row = cursor.execute(statement, [dag_id, run_id]).fetchone()
    return StoredRun(**row) if row else None


def find_run_by_id(cursor: Cursor, run: int) -> StoredRun:
    """Return a stored run that a log or a lease names."""
    return StoredRun(**one(cursor.execute(_SELECT + "WHERE id = %s", [run]).fetchone()))


def rename_run(cursor: Cursor, run: StoredRun) -> None:
    """Free the id of a run that was deleted in Airflow; it keeps its logs under another id."""
    cursor.execute(
        "UPDATE data_sync.sync_runs SET run_id = run_id || ' (deleted, ' || id || ')' WHERE id = %s", [run.id]
    )


def definitions_in_flight(cursor: Cursor) -> dict[str, list[dict[str, Any]]]:
    """Return what the open runs of each schedule's DAG started with, by key, oldest first."""
    cursor.execute(
        "SELECT schedule_key, jsonb_agg(definition ORDER BY id) AS definitions FROM data_sync.sync_runs "
        "WHERE state = 'open' AND dag_id = 'sync__' || schedule_key GROUP BY schedule_key"
    )
    return {row["schedule_key"]: row["definitions"] for row in cursor}


def open_runs(cursor: Cursor) -> list[StoredRun]:
    """Return every run that is not settled yet, oldest first."""
    cursor.execute(_SELECT + "WHERE state = 'open' ORDER BY id")
    return [StoredRun(**row) for row in cursor]
