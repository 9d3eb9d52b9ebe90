"""Airflow's metadata database, as tests look at it and fill it."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

from data_sync.dag.names import dag_id_of

BUNDLE = "publisher"


class Metadata:
    """Airflow's database, looked at from outside."""

    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def know(self, dag_id: str, file: str, *, is_paused: bool = False, is_stale: bool = False) -> None:
        """Let Airflow know a DAG, as after a parse."""
        from airflow.models.dag import DagModel
        from airflow.models.dagbundle import DagBundleModel
        from airflow.utils.session import create_session

        with create_session(scoped=False) as session:
            session.merge(DagBundleModel(name=BUNDLE))
            session.flush()
            place = {"bundle_name": BUNDLE, "relative_fileloc": file}
            session.add(DagModel(dag_id=dag_id, **place, is_paused=is_paused, is_stale=is_stale))

    def requests(self) -> list[str]:
        """The files that the dag-processor is asked for."""
        found = self.rows("SELECT bundle_name, relative_fileloc AS file FROM dag_priority_parsing_request")
        assert {row["bundle_name"] for row in found} <= {BUNDLE}
        return sorted(row["file"] for row in found)

    def is_paused(self, key: str) -> bool:
        found = self.rows("SELECT is_paused FROM dag WHERE dag_id = %s", dag_id_of(key))
        return bool(found[0]["is_paused"])

    def audit(self) -> list[tuple[str, str, str]]:
        found = self.rows("SELECT dag_id, owner, extra FROM log WHERE event = 'patch_dag' ORDER BY id")
        return [(row["dag_id"], row["owner"], row["extra"]) for row in found]
