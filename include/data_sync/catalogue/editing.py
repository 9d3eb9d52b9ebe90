"""Making, changing and deleting the schedules that Postgres owns: what screens and API call (law 1).

Each function works in the caller's transaction, and waits for whoever changes the catalogue at the same
time. A change and a deletion name the revision that they were made from; one that is older than the stored
one is refused, so that nobody's work is overwritten unseen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from data_sync.accounts import mirror_unknown, refused_accounts
from data_sync.catalogue.stored import POSTGRES, YAML, StoredSchedule, find_of_source
from data_sync.database import Cursor
from data_sync.errors import (
    AccountRefusedError,
    ScheduleChangedError,
    ScheduleExistsError,
    ScheduleMissingError,
    ScheduleReadOnlyError,
)
from data_sync.schedules.model import Schedule

_INSERT = """
INSERT INTO data_sync.sync_schedules AS s
    (key, source, owner, name, definition, definition_hash, starts_paused, pause_switch)
VALUES (%(key)s, 'postgres', %(owner)s, %(name)s, %(definition)s, %(hash)s, %(paused)s,
    (SELECT 'due' FROM data_sync.sync_schedules o WHERE o.key = %(key)s
     HAVING bool_and(o.deleted_at IS NOT NULL)))
ON CONFLICT (key, source) DO UPDATE SET owner = excluded.owner, name = excluded.name,
    definition = excluded.definition, definition_hash = excluded.definition_hash, problems = '[]',
    build_problem = NULL, last_good = NULL, deleted_at = NULL, revision = s.revision + 1,
    starts_paused = excluded.starts_paused, pause_switch = excluded.pause_switch,
    created_at = clock_timestamp(), updated_at = clock_timestamp()
"""

_UPDATE = """
UPDATE data_sync.sync_schedules SET name = %(name)s, definition = %(definition)s, definition_hash = %(hash)s,
    problems = '[]', revision = revision + 1, updated_at = clock_timestamp()
WHERE key = %(key)s AND source = 'postgres'
"""


def take_turn(cursor: Cursor, accounts: Iterable[str]) -> None:
    """Wait until nobody else changes the catalogue, and be the only one until the transaction ends.

    :param accounts: connection ids of all accounts that are about to be named.
    """
    # In this order, the triggers' own: a new account counts as a change of the catalogue too.
    mirror_unknown(cursor, sorted(accounts))
    cursor.execute("SELECT revision FROM data_sync.catalogue_state FOR UPDATE")


def create(
    cursor: Cursor, schedule: Schedule, *, owner: str, trusted: bool, paused: bool = False
) -> StoredSchedule:
    """Make a schedule; its key may be one that has been deleted, and is marked for its switch then.

    :param owner: the author, whose accounts it reads.
    :param trusted: whether the owner may use every account without a grant.
    :param paused: whether its DAG begins paused; later Airflow's switch alone says whether it is.
    :raises ScheduleReadOnlyError: when ``schedules.yaml`` has the key.
    :raises ScheduleExistsError: when another schedule of the screens has the key.
    :raises AccountRefusedError: for accounts that do not exist, or that the owner may not use.
    """
    take_turn(cursor, _accounts_of(schedule))
    if _is_in_yaml(cursor, schedule.key):
        raise ScheduleReadOnlyError(
            f"config/schedules.yaml has a schedule of the key {schedule.key}: choose another key, or change "
            "the schedule in that file."
        )
    if find_own(cursor, schedule.key) is not None:
        raise ScheduleExistsError(
            f"There is a schedule of the key {schedule.key} already: choose another key, or change that one."
        )
    _require_accounts(cursor, schedule, owner, trusted=trusted)
    cursor.execute(_INSERT, {**_values(schedule), "owner": owner, "paused": paused})
    return _require_own(cursor, schedule.key)


def change(cursor: Cursor, schedule: Schedule, *, revision: int, trusted: bool) -> StoredSchedule:
    """Give a schedule another definition; one that is equal writes nothing.

    :param schedule: the new definition; its key says of which schedule.
    :param revision: of the schedule that the change was made from.
    :param trusted: whether the schedule's owner may use every account without a grant.
    :raises ScheduleReadOnlyError: when ``schedules.yaml`` has the key.
    :raises ScheduleMissingError: when there is no such schedule.
    :raises ScheduleChangedError: when somebody else has changed it since.
    :raises AccountRefusedError: for accounts that do not exist, or that the owner may not use.
    """
    take_turn(cursor, _accounts_of(schedule))
    if _is_in_yaml(cursor, schedule.key):
        raise _read_only(schedule.key)
    known = _require_own(cursor, schedule.key)
    _require_revision(known, revision)
    _require_accounts(cursor, schedule, known.owner, trusted=trusted)
    if known.definition == schedule.to_dict():
        return known
    cursor.execute(_UPDATE, _values(schedule))
    return _require_own(cursor, schedule.key)


def delete(cursor: Cursor, key: str, *, revision: int | None = None) -> None:
    """Delete a schedule; its row stays, with its name, and the key can be made again.

    One that ``schedules.yaml`` overrules can be deleted too.

    :param revision: of the schedule that was looked at; without it, whatever it says now goes.
    :raises ScheduleReadOnlyError: when ``schedules.yaml`` alone has the key.
    :raises ScheduleMissingError: when there is no such schedule.
    :raises ScheduleChangedError: when somebody else has changed it since.
    """
    take_turn(cursor, ())
    if find_own(cursor, key) is None and _is_in_yaml(cursor, key):
        raise _read_only(key)
    known = _require_own(cursor, key)
    if revision is not None:
        _require_revision(known, revision)
    cursor.execute(
        "UPDATE data_sync.sync_schedules SET deleted_at = clock_timestamp(), updated_at = clock_timestamp(), "
        "revision = revision + 1 WHERE key = %s AND source = %s",
        [key, POSTGRES],
    )


def find_own(cursor: Cursor, key: str) -> StoredSchedule | None:
    """Return the schedule of the screens of a key, also one that ``schedules.yaml`` overrules."""
    return find_of_source(cursor, key, POSTGRES)


def _require_own(cursor: Cursor, key: str) -> StoredSchedule:
    found = find_own(cursor, key)
    if found is None:
        raise ScheduleMissingError(f"There is no schedule {key!r}. `data-sync schedules` lists the keys.")
    return found


def _require_revision(known: StoredSchedule, revision: int) -> None:
    if known.revision != revision:
        raise ScheduleChangedError(
            f"The schedule {known.key} has been changed meanwhile (it is at revision {known.revision}, you "
            f"looked at {revision}). Look at it again, then make your change once more."
        )


def _require_accounts(cursor: Cursor, schedule: Schedule, owner: str | None, *, trusted: bool) -> None:
    refused = refused_accounts(cursor, _accounts_of(schedule), user=owner, trusted=trusted)
    if refused:
        raise AccountRefusedError(" ".join(refused.values()))


def _is_in_yaml(cursor: Cursor, key: str) -> bool:
    return find_of_source(cursor, key, YAML) is not None


def _read_only(key: str) -> ScheduleReadOnlyError:
    return ScheduleReadOnlyError(
        f"The schedule {key} is kept in config/schedules.yaml: change it there. Elsewhere it can be run and "
        "paused only."
    )


def _accounts_of(schedule: Schedule) -> list[str]:
    return [ref.conn_id for ref in schedule.networks]


def _values(schedule: Schedule) -> dict[str, str]:
    return {
        "key": schedule.key,
        "name": schedule.name,
        "definition": json.dumps(schedule.to_dict()),
        "hash": schedule.definition_hash,
    }
