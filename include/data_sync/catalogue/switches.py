"""The pause switches of schedules that have been made again after a deletion (law 2).

Airflow keeps the switch of a DAG that is gone, and who takes the file over cannot reach it. So a key that is
made again is marked: whoever can reach Airflow's switch (the REST API when it shows or turns one,
``data-sync import`` and ``reparse``) sets it and takes the mark away; who can only look (upkeep) takes it
away where nothing is paused, and has it shown otherwise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from data_sync.database import Cursor, Database

log = logging.getLogger(__name__)


def marked(cursor: Cursor) -> dict[str, bool]:
    """Return the keys whose switch is still to be set, each with whether it is to be paused."""
    cursor.execute(
        "SELECT key, starts_paused FROM data_sync.sync_schedules "
        "WHERE pause_switch IS NOT NULL AND deleted_at IS NULL ORDER BY key"
    )
    return {row["key"]: row["starts_paused"] for row in cursor}


def settle(cursor: Cursor, keys: Iterable[str]) -> None:
    """Note that the switches of these schedules are as they should be."""
    _mark(cursor, keys, None)


def look(db: Database, is_paused: Callable[[str], bool]) -> None:
    """See whether marked schedules are paused as their predecessors were, and have that shown.

    :param is_paused: asks Airflow about the DAG of a key; raises where it cannot be told yet.
    """
    with db.transaction() as cursor:
        keys = marked(cursor)
    found = {}
    for key in keys:
        try:
            found[key] = is_paused(key)
        except Exception:
            log.info("Whether %s is paused cannot be told now.", key, exc_info=True)
    with db.transaction() as cursor:
        held = [key for key, paused in found.items() if paused and not keys[key]]
        settle(cursor, set(found).difference(held))
        _mark(cursor, held, "held")


def _mark(cursor: Cursor, keys: Iterable[str], mark: str | None) -> None:
    if wanted := list(keys):
        cursor.execute(
            "UPDATE data_sync.sync_schedules SET pause_switch = %(mark)s WHERE key = ANY(%(keys)s) "
            "AND pause_switch IS DISTINCT FROM %(mark)s AND pause_switch IS NOT NULL",
            {"mark": mark, "keys": wanted},
        )
