"""Where a full parse finds its schedules: in the catalogue, as this machine's snapshot has it.

The dag-processor takes ``schedules.yaml`` over into the catalogue when the file changed, and makes a new
snapshot when the catalogue changed. Every other process that parses all DAGs (the ``airflow`` command, a
test) reads file and catalogue without writing anything.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from data_sync import catalogue
from data_sync.accounts import list_accounts, mirror_unknown
from data_sync.catalogue import StoredSchedule
from data_sync.catalogue.stored import YAML, revision
from data_sync.dag import names
from data_sync.dag.patience import within
from data_sync.dag.snapshot import Entry, Head, SnapshotFolder, new_generation
from data_sync.database import Database
from data_sync.runs.lookup import definitions_in_flight
from data_sync.schedules.yaml_text import Content, UnreadableFileError, read_content
from network_clients import registry

if TYPE_CHECKING:
    from data_sync.schedules.model import Schedule
    from data_sync.schedules.problems import Problem
    from data_sync.schedules.yaml_source import ScheduleFile

log = logging.getLogger(__name__)

#: Set by the demo and by docker-compose for the dag-processor alone: only it mirrors the YAML file.
PROCESSOR_MARK = "DATA_SYNC_DAG_PROCESSOR"
FILE_NAME = Path("config", "schedules.yaml")

#: How long Postgres may take to say whether something has changed, and for all of the catalogue, in seconds.
_ASK_SECONDS, _READ_SECONDS = 3.0, 10.0
#: How long a parse waits for another one of this machine that makes a new snapshot, in seconds.
_LOCK_SECONDS = 10.0

_SILENT = (
    "The database data_sync does not answer, so all schedules stay as they were; edits take effect when it "
    "is back. Start it, or mend the Airflow connection."
)


def is_dag_processor() -> bool:
    """Tell whether this process may take the YAML file over."""
    return os.environ.get(PROCESSOR_MARK) == "1"


def schedules_file(dag_file: str) -> Path:
    """Return the path of schedules.yaml: the configured one, else the nearest above the DAG file."""
    from airflow.sdk.configuration import conf

    configured = conf.get("data_sync", "schedules_file", fallback="")
    if configured:
        return Path(configured)
    parents = Path(dag_file).resolve().parents
    return next((p / FILE_NAME for p in parents if (p / FILE_NAME).exists()), parents[1] / FILE_NAME)


@dataclass(frozen=True)
class Known:
    """What a full parse knows: schedules by shard, accounts, and problems for people."""

    entries: tuple[Entry, ...]
    accounts: tuple[str, ...]
    problems: tuple[str, ...]

    def shard(self, number: int) -> list[Entry]:
        """Return the schedules of one shard."""
        return [entry for entry in self.entries if names.shard_of(entry.key) == number]


class Source:
    """The schedules that belong to one DAG file.

    :param dag_file: any file of the DAG folder.
    """

    def __init__(self, dag_file: str) -> None:
        self.path = schedules_file(dag_file)

    @cached_property
    def folder(self) -> SnapshotFolder:
        """Where this machine's snapshots are."""
        return SnapshotFolder.of(self.path)

    def shard(self, number: int) -> list[Entry]:
        """Return the schedules of one shard, as they should be DAGs now."""
        if is_dag_processor() and (head := self._current_head()) is not None:
            found = self.folder.shard(head, number)
            if found is not None:
                return found
        return self._read_directly().shard(number)

    def accounts(self) -> list[str]:
        """Return the accounts that quick sync offers."""
        head = self._current_head() if is_dag_processor() else None
        return list(head.accounts if head is not None else self._read_directly().accounts)

    def problems(self) -> list[str]:
        """Return everything that is wrong, for people."""
        head = self._current_head() if is_dag_processor() else None
        if head is None:
            return list(self._read_directly().problems)
        silent = [_SILENT] if _catalogue_revision() is None else []
        return [*silent, *head.problems, *self.folder.failures()]

    def _current_head(self) -> Head | None:
        """Return the snapshot in force, a new one where something has changed."""
        head, now = self.folder.head(), _catalogue_revision()
        version = _version_of(self._content())
        if head is not None and (now is None or (head.file, head.revision) == (version, now)):
            return head
        if now is None:
            return None
        with self.folder.lock(_LOCK_SECONDS) as ours:
            if not ours:
                return self.folder.head()
            head = self.folder.head()
            if head is not None and (head.file, head.revision) == (version, now):
                return head
            try:
                return self._renew(head)
            except Exception:
                log.exception("No new snapshot could be made; the schedules stay as they were.")
                return head

    def _renew(self, head: Head | None) -> Head:
        content = self._content()
        file = _parsed(content)
        known, number = within(_READ_SECONDS, lambda: _take_over(content, file))
        made = Head(
            new_generation(), _version_of(content), number, list(known.accounts), list(known.problems)
        )
        self.folder.write(made, {shard: known.shard(shard) for shard in range(names.SHARDS)})
        return made

    def _read_directly(self) -> Known:
        """Read file and catalogue without a snapshot; without Postgres the file alone."""
        file = _parsed(self._content())
        try:
            return within(_READ_SECONDS, lambda: _read_both(file))
        except Exception as error:
            log.warning("The catalogue does not answer; schedules.yaml is used alone: %s", error)
        entries = [_entry(key, YAML, entry.schedule) for key, entry in file.schedules.items()]
        accounts = {ref.conn_id for entry in file.schedules.values() for ref in entry.schedule.networks}
        return Known(tuple(entries), tuple(sorted(accounts)), tuple(map(str, file.problems)))

    def _content(self) -> Content | UnreadableFileError:
        try:
            return read_content(self.path)
        except UnreadableFileError as error:
            return error


def _digest_of(content: Content | UnreadableFileError) -> str:
    return "" if isinstance(content, UnreadableFileError) else hashlib.sha256(content.data).hexdigest()


def _version_of(content: Content | UnreadableFileError) -> str:
    """Name a state of the file; saving it again without a change makes another one."""
    saved = "" if isinstance(content, UnreadableFileError) else f"@{content.revision}"
    return _digest_of(content) + saved


def _parsed(content: Content | UnreadableFileError) -> ScheduleFile:
    # Most parses find the file as it was, and never come here.
    from data_sync.schedules.yaml_source import read_bytes, unreadable

    if isinstance(content, UnreadableFileError):
        return unreadable(str(FILE_NAME), content)
    return read_bytes(content.data, registry.all_networks(), file=str(FILE_NAME))


def _catalogue_revision() -> int | None:
    """Ask which revision the catalogue is at; ``None`` when Postgres does not say in time."""

    def ask() -> int:
        db = Database()
        try:
            with db.transaction() as cursor:
                return revision(cursor)
        finally:
            db.close()

    try:
        return within(_ASK_SECONDS, ask)
    except Exception as error:
        log.warning("The catalogue does not answer: %s", error)
        return None


def _take_over(content: Content | UnreadableFileError, file: ScheduleFile) -> tuple[Known, int]:
    """Mirror the file, and return the catalogue as it is then, with its revision."""
    db = Database()
    try:
        missing = _missing_accounts(db, file)
        older = []
        if isinstance(content, Content) and file.is_readable:
            older = _mirror(db, content, file, missing)
        with db.transaction() as cursor:
            # First the number: what is committed in between is read again by the next parse.
            number = revision(cursor)
            stored = catalogue.list_schedules(cursor)
            flying = definitions_in_flight(cursor)
            accounts = [row["account"] for row in list_accounts(cursor) if row["state"] != "missing"]
    finally:
        db.close()
    problems = [*older, *map(str, (*file.problems, *missing)), *_problems_of_screens(stored)]
    entries = _with_flights(_entries(stored), flying)
    return Known(tuple(entries), tuple(accounts), tuple(problems)), number


def _with_flights(entries: list[Entry], flying: Mapping[str, list[dict[str, Any]]]) -> list[Entry]:
    """Keep what runs in flight need: the groups of accounts taken out, and DAGs of deleted schedules."""
    from data_sync.schedules.model import Schedule

    known = {entry.key: entry for entry in entries}
    for key, definitions in flying.items():
        also = sorted({word for definition in definitions for word in definition["networks"]})
        if key not in known:
            last = Schedule.from_dict(definitions[-1]).model_copy(update={"active": False})
            known[key] = _entry(key, YAML, last)
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


def _missing_accounts(db: Database, file: ScheduleFile) -> list[Problem]:
    """Return one problem per place that names an account of which Airflow has no connection.

    Upkeep notes each minute which accounts exist. One that it has not looked for yet is not missing.
    """
    from data_sync.schedules.validate import missing_accounts

    with db.transaction() as cursor:
        missing = {row["account"] for row in list_accounts(cursor) if row["state"] == "missing"}
    return missing_accounts(file, lambda conn_id: conn_id not in missing)


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
    digest = _digest_of(content)
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


def _read_both(file: ScheduleFile) -> Known:
    """Return the file's schedules, and the catalogue's where the file does not say."""
    db = Database()
    try:
        missing = _missing_accounts(db, file)
        with db.transaction() as cursor:
            stored = {entry.key: entry for entry in catalogue.list_schedules(cursor)}
            accounts = {row["account"] for row in list_accounts(cursor) if row["state"] != "missing"}
    finally:
        db.close()
    ours = {key: _entry(key, YAML, entry.schedule) for key, entry in file.schedules.items()}
    kept = [
        entry
        for entry in _entries(stored.values())
        if entry.source != YAML or not file.is_readable or entry.key in file.refused_keys
    ]
    entries = {**{entry.key: entry for entry in kept}, **ours}
    accounts |= {ref.conn_id for entry in file.schedules.values() for ref in entry.schedule.networks}
    problems = map(str, (*file.problems, *missing))
    return Known(tuple(entries.values()), tuple(sorted(accounts)), tuple(problems))


def _entries(stored: Iterable[StoredSchedule]) -> list[Entry]:
    found = []
    for entry in stored:
        try:
            made = _entry(entry.key, entry.source, entry.schedule)
        except Exception:
            # A definition that an older version accepted: what it became then may still be built.
            log.exception("The stored definition of %s cannot be read any more.", entry.key)
            made = Entry(entry.key, entry.source, entry.definition, "unreadable")
        found.append(made if entry.last_good is None else _with_last_good(made, entry))
    return found


def _with_last_good(entry: Entry, stored: StoredSchedule) -> Entry:
    return Entry(entry.key, entry.source, entry.definition, entry.digest, stored.last_good)


def _entry(key: str, source: str, schedule: Schedule) -> Entry:
    return Entry(key, source, schedule.to_dict(), schedule.definition_hash)
