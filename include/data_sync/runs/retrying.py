"""Reading again what failed of a log: which of its units, with which definition and days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from data_sync.database import Cursor
from data_sync.errors import ConfigError
from data_sync.runs.lookup import StoredRun, find_run_by_id
from data_sync.schedules.model import Schedule

_ENDED_BADLY = ("failed", "cancelled")

# A log is as good as read again while a retry of it is under way, and once one has ended well. The retry of
# a retry names the first log of the chain.
_WITHOUT_RETRY = """
NOT EXISTS (SELECT 1 FROM data_sync.sync_runs r JOIN data_sync.sync_logs n ON n.sync_run = r.id
            WHERE r.retry_of = COALESCE(mine.retry_of, l.id)
              AND n.status IN ('pending', 'processing', 'held', 'completed', 'superseded'))
"""


@dataclass(frozen=True)
class FailedLog:
    """A log that can be read again.

    :param first: the log that it was a retry of in its turn, else itself.
    :param units: those of its units that did not end well, numbered from 0.
    """

    first: int
    account: str
    run: StoredRun
    units: tuple[dict[str, Any], ...]

    @property
    def schedule(self) -> Schedule:
        """The definition that its run started with, for this account alone."""
        network, _, name = self.account.partition("_")
        return Schedule.from_dict({**self.run.definition, "networks": [f"{network}:{name}"]}, timed=False)


def find_failed_log(cursor: Cursor, log: int) -> FailedLog:
    """Return a log with what is to be read again.

    :raises ConfigError: when there is no such log, or nothing of it is to be read again.
    """
    cursor.execute(
        f"SELECT l.sync_run, l.account, l.status, l.kind, {_WITHOUT_RETRY} AS is_open "  # noqa: S608
        "FROM data_sync.sync_logs l JOIN data_sync.sync_runs mine ON mine.id = l.sync_run WHERE l.id = %s",
        [log],
    )
    row = cursor.fetchone()
    if row is None:
        raise ConfigError(f"There is no log {log}. `data-sync logs` lists them.")
    if row["kind"] == "check":
        raise ConfigError(f"The log {log} is a check of an account. Check again: data-sync accounts check")
    if row["status"] not in _ENDED_BADLY:
        raise ConfigError(f"The log {log} is {row['status']}: only failed and cancelled logs are read again.")
    if not row["is_open"]:
        raise ConfigError(f"The log {log} is being read again already, or has been. See data-sync logs.")
    run = find_run_by_id(cursor, row["sync_run"])
    cursor.execute(
        "SELECT unit_index FROM data_sync.sync_log_steps WHERE log_id = %s AND status = ANY(%s)",
        [log, list(_ENDED_BADLY)],
    )
    failed = {step["unit_index"] for step in cursor}
    units = [unit for unit in run.units if unit["index"] in failed]
    first = run.retry_of or log
    return FailedLog(first, row["account"], run, tuple({**u, "index": n} for n, u in enumerate(units)))


def failed_logs(cursor: Cursor) -> list[int]:
    """Return the failed logs that nobody has read again yet, oldest first."""
    cursor.execute(
        "SELECT l.id FROM data_sync.sync_logs l JOIN data_sync.sync_runs mine ON mine.id = l.sync_run "  # noqa: S608
        f"WHERE l.status = 'failed' AND mine.kind NOT IN ('check', 'retry') AND {_WITHOUT_RETRY} "
        "ORDER BY l.id"
    )
    return [row["id"] for row in cursor]
