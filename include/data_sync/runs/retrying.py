"""Reading again what failed of a log: which of its units, with which definition and days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from data_sync.accounts import refused_accounts
from data_sync.catalogue import StoredSchedule, find
from data_sync.catalogue.belonging import find_own
from data_sync.catalogue.stored import YAML
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


def lender(cursor: Cursor, key: str | None, first: int | None, account: str) -> StoredSchedule | None:
    """Return the schedule whose permission counts when a log of it is read again, as when it is run now.

    ``None`` where that of who asks counts: for a quick sync, for what was another schedule's under the same
    key, and for an account that the schedule does not name.

    :param key: of the schedule that the log's run had.
    :param first: the first log of the chain of retries; ``None`` when it is gone.
    """
    entry = find_own(cursor, key, first) if key and first else None
    if entry is None or account not in {ref.conn_id for ref in entry.schedule.networks}:
        return None
    return entry


def key_of_retry(cursor: Cursor, failed: FailedLog) -> str | None:
    """Return the key under which a log is read again: none where the key is another schedule's by now."""
    key = failed.run.schedule_key
    if key is None or find(cursor, key) is None or find_own(cursor, key, failed.first) is not None:
        return key
    return None


def why_not_retried(
    cursor: Cursor, log: int, *, user: str, is_trusted: Callable[[str | None], bool]
) -> str | None:
    """Return why a log cannot be read again, or ``None`` where it can.

    :param user: who asks.
    :param is_trusted: tells whether a person may use every account without a grant.
    """
    try:
        failed = find_failed_log(cursor, log)
    except ConfigError as error:
        return str(error)
    entry = lender(cursor, failed.run.schedule_key, failed.first, failed.account)
    author = entry.owner if entry else user
    trusted = (entry is not None and entry.source == YAML) or is_trusted(author)
    refused = refused_accounts(cursor, [failed.account], user=author, trusted=trusted)
    return refused.get(failed.account)


def failed_logs(cursor: Cursor) -> list[int]:
    """Return the failed logs that nobody has read again yet, oldest first."""
    cursor.execute(
        "SELECT l.id FROM data_sync.sync_logs l JOIN data_sync.sync_runs mine ON mine.id = l.sync_run "  # noqa: S608
        f"WHERE l.status = 'failed' AND mine.kind NOT IN ('check', 'retry') AND {_WITHOUT_RETRY} "
        "ORDER BY l.id"
    )
    return [row["id"] for row in cursor]
