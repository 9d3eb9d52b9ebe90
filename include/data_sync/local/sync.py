"""One sync, started through Airflow's REST API as a person would, and followed in our tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from data_sync.airflow_api import AirflowApi
from data_sync.local.errors import LocalError

#: Seconds that a DAG gets to appear, and a run gets to end.
_DAG_SECONDS = 90.0
_RUN_SECONDS = 300.0


@dataclass(frozen=True)
class KindProgress:
    """How far one kind of one account is, or what came of it; counts are rows."""

    account: str
    network: str
    kind: str
    units: int
    units_ended: int
    pages: int
    read: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    requests: int
    seconds: float


@dataclass(frozen=True)
class SyncReport:
    """What came of a run.

    :param first: the first day of its range, in the zone of the run.
    :param last: the last day, inclusive.
    :param refusal: why it did no work, where it did none.
    :param tries: the most that one of its units took.
    :param seconds: from the request to the end of the run.
    :param failures: in plain words, per account that failed.
    """

    state: str
    first: date
    last: date
    refusal: str | None
    tries: int
    seconds: float
    kinds: tuple[KindProgress, ...]
    failures: tuple[str, ...]

    def total(self, count: str) -> int:
        """Sum up one count over all kinds, such as ``inserted``."""
        return sum(getattr(kind, count) for kind in self.kinds)


class SyncRunner:
    """Starts quick syncs and follows them.

    :param database: a connection to the database ``data_sync`` in autocommit mode.
    :param require_alive: raises when a part of the set-up has ended.
    """

    def __init__(
        self, api: AirflowApi, database: psycopg.Connection[Any], require_alive: Callable[[], None]
    ) -> None:
        self._api = api
        self._database = database
        self._require_alive = require_alive

    def wait_for(self, dag_id: str) -> None:
        """Wait until Airflow has read a DAG, and let its runs start.

        :raises LocalError: when it does not appear; the message has the reason if Airflow knows one.
        """
        deadline = time.monotonic() + _DAG_SECONDS
        while (dag := self._api.find_dag(dag_id)) is None:
            self._require_alive()
            if time.monotonic() > deadline:
                errors = self._api.import_errors()
                reason = errors[0] if errors else "read the files in the folder logs/dag_processor"
                raise LocalError(f"Airflow does not know the DAG {dag_id}: {reason}")
            time.sleep(0.25)
        if dag["is_paused"]:
            self._api.unpause(dag_id)

    def start(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run and return its id."""
        return self._api.trigger(dag_id, conf)

    def follow(
        self, dag_id: str, run_id: str, show: Callable[[tuple[KindProgress, ...]], None]
    ) -> SyncReport:
        """Wait for the end of a run.

        :param show: called again and again with the progress so far.
        :raises LocalError: when it does not end in time.
        """
        started = time.monotonic()

        def look() -> None:
            self._require_alive()
            show(self._progress(dag_id, run_id))

        state = self._api.wait_for_run(dag_id, run_id, seconds=_RUN_SECONDS, between=look)
        kinds = self._progress(dag_id, run_id)
        show(kinds)
        run = self._run(dag_id, run_id)
        return SyncReport(
            state=state,
            first=run["first_day"],
            last=run["last_day"],
            refusal=run["refusal"],
            tries=run["tries"],
            seconds=time.monotonic() - started,
            kinds=kinds,
            failures=self._failures(dag_id, run_id),
        )

    def is_reading(self, dag_id: str, run_id: str, account: str) -> bool:
        """Tell whether a task of a run is working on a unit of an account right now."""
        found = self._database.execute(
            """
            SELECT 1 FROM data_sync.sync_log_steps s JOIN data_sync.sync_logs l ON l.id = s.log_id
            JOIN data_sync.sync_runs r ON r.id = l.sync_run
            WHERE r.dag_id = %s AND r.run_id = %s AND l.account = %s AND s.status = 'processing'
            """,
            [dag_id, run_id, account],
        ).fetchone()
        return found is not None

    def _progress(self, dag_id: str, run_id: str) -> tuple[KindProgress, ...]:
        with self._database.cursor(row_factory=class_row(KindProgress)) as cursor:
            cursor.execute(
                """
                SELECT l.account, l.network, s.kind, count(*) AS units, count(s.finished_at) AS units_ended,
                       sum(s.pages)::bigint AS pages, sum(s.rows_read)::bigint AS read,
                       sum(s.rows_inserted)::bigint AS inserted, sum(s.rows_updated)::bigint AS updated,
                       sum(s.rows_unchanged)::bigint AS unchanged,
                       sum(s.rows_rejected)::bigint AS rejected, sum(s.requests)::bigint AS requests,
                       COALESCE(EXTRACT(EPOCH FROM max(s.finished_at) - min(s.started_at)), 0)::float8
                           AS seconds
                FROM data_sync.sync_runs r
                JOIN data_sync.sync_logs l ON l.sync_run = r.id
                JOIN data_sync.sync_log_steps s ON s.log_id = l.id
                WHERE r.dag_id = %s AND r.run_id = %s
                GROUP BY l.account, l.network, s.kind ORDER BY l.account, s.kind
                """,
                [dag_id, run_id],
            )
            return tuple(cursor.fetchall())

    def _run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        with self._database.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(
                """
                SELECT first_day, last_day, refusal, (
                    SELECT COALESCE(max(s.tries), 0) FROM data_sync.sync_log_steps s
                    JOIN data_sync.sync_logs l ON l.id = s.log_id WHERE l.sync_run = r.id) AS tries
                FROM data_sync.sync_runs r WHERE dag_id = %s AND run_id = %s
                """,
                [dag_id, run_id],
            ).fetchone()
        if row is None:
            raise LocalError(f"The run {run_id} of {dag_id} has not begun: look at open_run in Airflow.")
        return row

    def _failures(self, dag_id: str, run_id: str) -> tuple[str, ...]:
        with self._database.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                """
                SELECT l.account, l.status, l.reason FROM data_sync.sync_logs l
                JOIN data_sync.sync_runs r ON r.id = l.sync_run
                WHERE r.dag_id = %s AND r.run_id = %s AND l.status <> 'completed' ORDER BY l.account
                """,
                [dag_id, run_id],
            )
            return tuple(
                f"{row['account']} is {row['status']}: {row['reason'] or 'no reason was stored'}"
                for row in cursor
            )
