"""Where a full parse finds its schedules: in the catalogue, as this machine's snapshot has it.

The dag-processor takes ``schedules.yaml`` over into the catalogue when the file changed, and makes a new
snapshot when the catalogue changed. Every other process that parses all DAGs (the ``airflow`` command, a
test) reads file and catalogue without writing anything.
"""

from __future__ import annotations

import logging
import os
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from data_sync.catalogue.stored import revision
from data_sync.dag import names, reads
from data_sync.dag.files import content_of, parsed, schedules_file, version_of
from data_sync.dag.patience import TookTooLongError, within
from data_sync.dag.snapshot import Entry, Head, SnapshotFolder, digest_of, new_generation
from data_sync.database import Database, one

if TYPE_CHECKING:
    from data_sync.dag.known import Known
    from data_sync.dag.taking_over import Taken
    from data_sync.schedules.yaml_text import Content, UnreadableFileError

log = logging.getLogger(__name__)

#: Set by the demo and by docker-compose for the dag-processor alone: only it mirrors the YAML file.
PROCESSOR_MARK = "DATA_SYNC_DAG_PROCESSOR"

#: How long Postgres may take to say whether something has changed, and for all of the catalogue, in seconds.
_ASK_SECONDS, _READ_SECONDS = 3.0, 10.0
#: How long a parse waits for another one of this machine that makes a new snapshot, in seconds.
_LOCK_SECONDS = 10.0

_SILENT = (
    "The database data_sync does not answer, so all schedules stay as they were; edits take effect when it "
    "is back. Start it, or mend the Airflow connection."
)

_UNWRITABLE = (
    "The dag-processor cannot write its folder {folder} ({reason}), so edits of schedules do not take "
    "effect. Let its user write there, or name another folder in [data_sync] state_folder."
)


def is_dag_processor() -> bool:
    """Tell whether this process may take the YAML file over."""
    return os.environ.get(PROCESSOR_MARK) == "1"


class Source:
    """The schedules that belong to one DAG file.

    :param dag_file: any file of the DAG folder.
    """

    def __init__(self, dag_file: str) -> None:
        self._dag_file = dag_file
        self._troubles: list[str] = []
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
            return [*self._troubles, *self._read_directly().problems]
        return [*self._troubles, *head.problems, *self.folder.failures()]

    def _current_head(self) -> Head | None:
        """Return the snapshot in force, a new one where something has changed.

        Where it is as new as the catalogue, those who wait for this file to be read are told.
        """
        db = Database()
        now = _asked(db)
        self._troubles = [_SILENT] if now is None else []
        if now is None:
            # The connection belongs to the thread that still asks: who would close it would wait for that.
            return self.folder.head()
        head, is_current = self._head_at(now.revision)
        if not is_current or self._note(db, now.at, head):
            db.close()
        return head

    def _head_at(self, now: int) -> tuple[Head | None, bool]:
        """Return the snapshot in force, and whether it holds a revision of the catalogue."""
        head, version = self.folder.head(), version_of(content_of(self.path))
        if head is not None and (head.file, head.revision) == (version, now):
            return head, True
        try:
            with self.folder.lock(_LOCK_SECONDS) as ours:
                head = self.folder.head()
                if not ours:
                    return head, False
                if head is not None and (head.file, head.revision) == (version, now):
                    return head, True
                return self._renew(head), True
        except Exception as error:
            log.exception("No new snapshot could be made; the schedules stay as they were.")
            if isinstance(error, OSError):
                self._troubles.append(_UNWRITABLE.format(folder=self.folder.root, reason=error.strerror))
            return head, False

    def _note(self, db: Database, moment: datetime, head: Head | None) -> bool:
        """Note that this file is read as it was at a moment; without that note it is only asked for again.

        :return: whether the connection is free again.
        """
        holds = head.contents.get(Path(self._dag_file).name) if head is not None else None

        def write() -> None:
            with db.transaction() as cursor:
                reads.note(cursor, self._dag_file, moment, holds)

        try:
            within(_ASK_SECONDS, write)
        except Exception as error:
            log.warning("That %s is read cannot be noted: %s", self._dag_file, error)
            return not isinstance(error, TookTooLongError)
        return True

    def _renew(self, before: Head | None) -> Head:
        content = content_of(self.path)
        version = version_of(content)
        taken = self._taken(content, before if before is not None and before.file == version else None)
        known, shards = taken.known, taken.known.shards()
        contents = {
            names.QUICK_SYNC_FILE: digest_of(known.accounts),
            **{names.shard_file(shard): digest_of(entries) for shard, entries in shards.items()},
        }
        made = Head(
            generation=new_generation(),
            file=version,
            revision=taken.revision,
            accounts=list(known.accounts),
            problems=list(known.problems),
            told=list(taken.told),
            missing=list(taken.missing),
            contents=contents,
        )
        within(_ASK_SECONDS, lambda: _expect(contents))
        self.folder.write(made, shards)
        return made

    def _taken(self, content: Content | UnreadableFileError, before: Head | None) -> Taken:
        """Read what has changed: an edit on the screens does not have the file read as well.

        :param before: the last snapshot, where it was made of the same file.
        """
        from data_sync.dag.taking_over import catch_up, take_over

        if before is not None:
            told, missing = before.told, before.missing
            taken = within(_READ_SECONDS, lambda: catch_up(content, told, missing))
            if taken is not None:
                return taken
        file = parsed(content)
        return within(_READ_SECONDS, lambda: take_over(content, file))

    def _read_directly(self) -> Known:
        """Read file and catalogue without a snapshot; without Postgres the file alone."""
        from data_sync.dag import known

        file = parsed(content_of(self.path))
        try:
            return within(_READ_SECONDS, lambda: known.of_both(file))
        except Exception as error:
            log.warning("The catalogue does not answer; schedules.yaml is used alone: %s", error)
        return known.of_file(file)


@dataclass(frozen=True)
class _Now:
    """The catalogue's revision, and the moment of the database's clock before which all is in it."""

    revision: int
    at: datetime


def _expect(contents: dict[str, str]) -> None:
    with closing(Database()) as db, db.transaction() as cursor:
        reads.expect(cursor, contents)


def _asked(db: Database) -> _Now | None:
    """Ask which revision the catalogue is at; ``None`` when Postgres does not say in time."""

    def ask() -> _Now:
        with db.transaction() as cursor:
            began = one(cursor.execute("SELECT now() AS began").fetchone())["began"]
            return _Now(revision(cursor), began)

    try:
        return within(_ASK_SECONDS, ask)
    except Exception as error:
        log.warning("The catalogue does not answer: %s", error)
        return None
