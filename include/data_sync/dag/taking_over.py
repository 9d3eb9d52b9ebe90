"""Taking the file of schedules over into the catalogue, and reading the catalogue as it is then.

The dag-processor alone does it, when the file or the catalogue has changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from data_sync import catalogue
from data_sync.accounts import list_accounts, mirror_unknown
from data_sync.catalogue import StoredSchedule
from data_sync.catalogue.permissions import note_refused_accounts
from data_sync.catalogue.stored import YAML, revision
from data_sync.dag.files import FILE_NAME, digest_of
from data_sync.dag.known import Known, entries_of, entry_of, missing, places_of
from data_sync.dag.people import is_trusted
from data_sync.dag.snapshot import Entry
from data_sync.database import Database
from data_sync.runs.lookup import definitions_in_flight
from data_sync.schedules.model import Schedule
from data_sync.schedules.problems import Problem
from data_sync.schedules.yaml_source import ScheduleFile
from data_sync.schedules.yaml_text import Content, UnreadableFileError


@dataclass(frozen=True)
class Taken:
    """What the file and the catalogue say together.

    :param revision: of the catalogue.
    :param told: problems of the file, for people.
    :param missing: accounts of which Airflow has no connection.
    """

    known: Known
    revision: int
    told: tuple[str, ...]
    missing: tuple[str, ...]


def take_over(content: Content | UnreadableFileError, file: ScheduleFile) -> Taken:
    """Mirror the file, and return the catalogue as it is then."""
    db = Database()
    try:
        with db.transaction() as cursor:
            absent = missing(cursor)
        places = places_of(absent, file)
        older = []
        if isinstance(content, Content) and file.is_readable:
            older = _mirror(db, content, file, places)
        return _together(db, [*older, *map(str, (*file.problems, *places))], absent)
    finally:
        db.close()


def catch_up(
    content: Content | UnreadableFileError, told: Sequence[str], absent: Sequence[str]
) -> Taken | None:
    """Return the catalogue after a change that is none of the file's, without reading that.

    :param told: problems of the file, from when it was read.
    :param absent: accounts that Airflow had no connection of at that time.
    :return: ``None`` where the file must be read again.
    """
    db = Database()
    try:
        with db.transaction() as cursor:
            cursor.execute("SELECT content_hash FROM data_sync.yaml_mirror")
            row = cursor.fetchone()
            is_as_it_was = missing(cursor) == [*absent]
        # A backup of the database that was put back holds another file.
        if row is None or row["content_hash"] != digest_of(content) or not is_as_it_was:
            return None
        return _together(db, told, absent)
    finally:
        db.close()


def _together(db: Database, told: Sequence[str], absent: Sequence[str]) -> Taken:
    with db.transaction() as cursor:
        note_refused_accounts(cursor, is_trusted=is_trusted)
    with db.transaction() as cursor:
        # First the number: what is committed in between is read again by the next parse.
        number = revision(cursor)
        stored = catalogue.list_schedules(cursor)
        flying = definitions_in_flight(cursor)
        accounts = [row["account"] for row in list_accounts(cursor) if row["state"] != "missing"]
    entries = _with_flights(entries_of(stored), flying)
    known = Known(tuple(entries), tuple(accounts), (*told, *_problems_of_screens(stored)))
    return Taken(known, number, tuple(told), tuple(absent))


def _with_flights(entries: list[Entry], flying: Mapping[str, list[dict[str, Any]]]) -> list[Entry]:
    """Keep what runs in flight need: the groups of accounts taken out, and DAGs of deleted schedules."""
    known = {entry.key: entry for entry in entries}
    for key, definitions in flying.items():
        also = sorted({word for definition in definitions for word in definition["networks"]})
        if key not in known:
            last = Schedule.from_dict(definitions[-1]).model_copy(update={"active": False})
            known[key] = entry_of(key, YAML, last)
        if also := [word for word in also if word not in known[key].definition["networks"]]:
            known[key] = msgspec.structs.replace(known[key], also=tuple(also))
    return list(known.values())


def _problems_of_screens(stored: Iterable[StoredSchedule]) -> list[str]:
    """Return the problems that the file itself does not show: clashes, and schedules of the screens."""
    return [
        f"schedule {entry.key}: {problem}"
        for entry in stored
        for problem in entry.problems
        if entry.source != YAML or not problem.startswith(f"{FILE_NAME}:")
    ]


def _mirror(db: Database, content: Content, file: ScheduleFile, missing: Sequence[Problem]) -> list[str]:
    """Take the file over; return a sentence when a newer one was taken over from another machine."""
    broken: defaultdict[str, list[str]] = defaultdict(list)
    for problem in file.problems:
        if problem.key in file.refused_keys:
            broken[str(problem.key)].append(str(problem))
    for key in file.refused_keys:
        broken.setdefault(key, ["See the problems of defaults."])
    flaws: defaultdict[str, list[str]] = defaultdict(list)
    for problem in missing:
        flaws[str(problem.key)].append(str(problem))
    known = {ref.conn_id for entry in file.schedules.values() for ref in entry.schedule.networks}
    with db.transaction() as cursor:
        # Upkeep looks only for accounts that the table names.
        mirror_unknown(cursor, sorted(known))
    digest = digest_of(content)
    catalogue.mirror_yaml(
        db,
        {key: (entry.schedule, entry.line) for key, entry in file.schedules.items()},
        broken,
        flaws=flaws,
        content_hash=digest,
        revision=content.revision,
        problems=[str(problem) for problem in (*file.problems, *missing)],
    )
    with db.transaction() as cursor:
        cursor.execute("SELECT content_hash, mirrored_at FROM data_sync.yaml_mirror")
        row = cursor.fetchone()
    if row is None or row["content_hash"] == digest:
        return []
    return [
        f"{FILE_NAME} of this machine is older than the one that was taken over at "
        f"{row['mirrored_at']:%Y-%m-%d %H:%M} UTC, and is not used. If it is the right one, save it again."
    ]
