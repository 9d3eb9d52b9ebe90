"""How our tables stand: their server, what they hold of schedules and accounts, and how new that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from data_sync.database import Cursor, one


@dataclass(frozen=True)
class Tables:
    """The database ``data_sync``.

    :param clock: its time, the only one that counts.
    :param mirrored_at: when ``schedules.yaml`` was last taken over; ``None`` before the first time.
    :param file_revision: of the file that was taken over: milliseconds since 1970.
    :param file_hash: of what it held.
    :param missing_accounts: that are named by a schedule, and of which Airflow has no connection.
    :param unseen_accounts: that are named by a schedule, and that nobody has looked for within five minutes.
    """

    revision: str
    server_version: str
    clock: datetime
    schedules: int
    schedules_with_problems: int
    open_runs: int
    mirrored_at: datetime | None
    file_revision: int | None
    file_hash: str | None
    missing_accounts: tuple[str, ...]
    unseen_accounts: tuple[str, ...]


def read_tables(cursor: Cursor) -> Tables:
    """Look at our tables as a whole."""
    row = one(
        cursor.execute(
            """
            SELECT (SELECT version_num FROM data_sync.schema_version) AS revision,
                current_setting('server_version') AS server_version, clock_timestamp() AS clock,
                count(DISTINCT s.key) AS schedules,
                count(DISTINCT s.key) FILTER (
                    WHERE s.problems <> '[]' OR s.build_problem IS NOT NULL) AS schedules_with_problems,
                (SELECT count(*) FROM data_sync.sync_runs WHERE state = 'open') AS open_runs,
                max(m.mirrored_at) AS mirrored_at, max(m.revision) AS file_revision,
                max(m.content_hash) AS file_hash
            FROM (SELECT 1) AS always LEFT JOIN data_sync.yaml_mirror m ON true
            LEFT JOIN data_sync.sync_schedules s ON s.deleted_at IS NULL
            """
        ).fetchone()
    )
    cursor.execute(
        """
        SELECT a.state, array_agg(a.account ORDER BY a.account) AS accounts FROM data_sync.accounts a
        WHERE (a.state = 'missing' OR a.state = 'unknown' AND a.created_at < now() - interval '5 minutes')
          AND a.account IN (
            SELECT split_part(n, ':', 1) || '_' || COALESCE(NULLIF(split_part(n, ':', 2), ''), 'default')
            FROM data_sync.sync_schedules s, jsonb_array_elements_text(s.definition -> 'networks') n
            WHERE s.deleted_at IS NULL)
        GROUP BY a.state
        """
    )
    absent = {found["state"]: tuple(found["accounts"]) for found in cursor}
    return Tables(
        **row,
        missing_accounts=absent.get("missing", ()),
        unseen_accounts=absent.get("unknown", ()),
    )
