"""What a full parse knows, and how it becomes that: from the catalogue, from a file, from both."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_sync import catalogue
from data_sync.accounts import list_accounts
from data_sync.catalogue.stored import YAML, StoredSchedule
from data_sync.dag import names
from data_sync.dag.snapshot import Entry
from data_sync.database import Cursor, Database

if TYPE_CHECKING:
    from data_sync.schedules.model import Schedule
    from data_sync.schedules.problems import Problem
    from data_sync.schedules.yaml_source import ScheduleFile

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """What a full parse knows: schedules by shard, accounts, and problems for people."""

    entries: tuple[Entry, ...]
    accounts: tuple[str, ...]
    problems: tuple[str, ...]

    def shard(self, number: int) -> list[Entry]:
        """Return the schedules of one shard."""
        return self.shards()[number]

    def shards(self) -> dict[int, list[Entry]]:
        """Return the schedules of all shards, by their numbers."""
        found: dict[int, list[Entry]] = {number: [] for number in range(names.SHARDS)}
        for entry in self.entries:
            found[names.shard_of(entry.key)].append(entry)
        return found


def of_file(file: ScheduleFile) -> Known:
    """Return what a file alone says."""
    entries = [entry_of(key, YAML, entry.schedule) for key, entry in file.schedules.items()]
    accounts = {ref.conn_id for entry in file.schedules.values() for ref in entry.schedule.networks}
    return Known(tuple(entries), tuple(sorted(accounts)), tuple(map(str, file.problems)))


def of_both(file: ScheduleFile) -> Known:
    """Return the file's schedules, and the catalogue's where the file does not say; nothing is written."""
    db = Database()
    try:
        with db.transaction() as cursor:
            places = places_of(missing(cursor), file)
            stored = catalogue.list_schedules(cursor)
            accounts = {row["account"] for row in list_accounts(cursor) if row["state"] != "missing"}
    finally:
        db.close()
    ours = of_file(file)
    kept = {
        entry.key: entry
        for entry in entries_of(stored)
        if entry.source != YAML or not file.is_readable or entry.key in file.refused_keys
    }
    entries = {**kept, **{entry.key: entry for entry in ours.entries}}
    problems = (*ours.problems, *map(str, places))
    return Known(tuple(entries.values()), tuple(sorted(accounts.union(ours.accounts))), problems)


def missing(cursor: Cursor) -> list[str]:
    """Return the accounts of which Airflow has no connection, sorted.

    Upkeep notes each minute which accounts exist. One that it has not looked for yet is not missing.
    """
    return sorted(row["account"] for row in list_accounts(cursor) if row["state"] == "missing")


def places_of(missing: Collection[str], file: ScheduleFile) -> list[Problem]:
    """Return one problem per place in the file that names an account that is missing."""
    from data_sync.schedules.validate import missing_accounts

    return missing_accounts(file, lambda conn_id: conn_id not in missing)


def entries_of(stored: Iterable[StoredSchedule]) -> list[Entry]:
    """Return schedules of the catalogue as shards need them."""
    return [_stored_entry(entry) for entry in stored]


def _stored_entry(stored: StoredSchedule) -> Entry:
    try:
        schedule = stored.schedule
    except Exception:
        # A definition that an older version accepted: what it became then may still be built.
        log.exception("The stored definition of %s cannot be read any more.", stored.key)
        definition, digest = stored.definition, "unreadable"
    else:
        definition, digest = schedule.to_dict(), schedule.definition_hash
    return Entry(
        stored.key,
        stored.source,
        definition,
        digest,
        last_good=stored.last_good,
        starts_paused=stored.starts_paused,
    )


def entry_of(key: str, source: str, schedule: Schedule) -> Entry:
    """Return a schedule that has not been stored as a shard needs it."""
    return Entry(key, source, schedule.to_dict(), schedule.definition_hash)
