"""Everything that is wrong with a file of schedules, as ``data-sync validate`` shows it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from data_sync.schedules.problems import Problem
from data_sync.schedules.yaml_source import ScheduleFile, read_file


def validate_file(
    path: Path | str,
    networks: Collection[str],
    account_exists: Callable[[str], bool | None] | None = None,
) -> list[Problem]:
    """Return what is wrong with a file, in the order of its lines; nothing means that all of it is right.

    :param networks: slugs of the known networks.
    :param account_exists: tells of a connection id whether it exists, ``None`` when it cannot know.
        Only a clear ``False`` is a problem. Without it accounts are not checked.
    """
    file = read_file(path, networks)
    found = list(file.problems)
    if account_exists is not None:
        found += missing_accounts(file, account_exists)
    return sorted(found, key=lambda problem: (problem.line, problem.column, problem.key or ""))


def missing_accounts(file: ScheduleFile, account_exists: Callable[[str], bool | None]) -> list[Problem]:
    """Return one problem for each place that names an account which certainly does not exist."""
    conn_ids = {ref.conn_id for item in file.schedules.values() for ref in item.schedule.networks}
    missing = {conn_id for conn_id in sorted(conn_ids) if account_exists(conn_id) is False}
    return [
        Problem(
            file.file,
            mark.line,
            mark.column,
            f"networks: there is no account {ref} (no Airflow connection {ref.conn_id})",
            f"add the connection {ref.conn_id} under Admin, Connections, or remove {ref}",
            key,
            "networks",
        )
        for key, item in file.schedules.items()
        for ref, mark in zip(item.schedule.networks, item.account_marks, strict=True)
        if ref.conn_id in missing
    ]
