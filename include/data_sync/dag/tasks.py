"""The functions behind the tasks of every sync DAG, as thin as can be.

A full parse needs them by name only; what they do, and all that it imports, is loaded when a task runs.
"""

from __future__ import annotations

from typing import Any

from data_sync.schedules.accounts import AccountRef


def open_run() -> list[dict[str, Any]]:
    """Open this run: return its units of work, an empty list when it is refused."""
    from data_sync.dag import work

    return work.open_run()


def sync(account: str, unit: dict[str, Any]) -> None:
    """Read one unit of one account. Raises so that Airflow fails, retries or reschedules the task."""
    from data_sync.dag import work

    work.sync(account, unit)


def close_run() -> None:
    """Settle the run, tell who wants to know, and announce what was read completely."""
    from data_sync.dag import work

    work.close_run()


def choose_accounts() -> None:
    """Let the scheduler skip the accounts that a quick sync does not ask for."""
    from data_sync.dag import work

    work.choose_accounts()


def upkeep() -> None:
    """Settle what was left open, and note which accounts exist."""
    from data_sync.dag import work

    work.upkeep()


def account_of(group_id: str) -> str:
    """Return the account's key of a task group's id."""
    return AccountRef.from_group_id(group_id).conn_id
