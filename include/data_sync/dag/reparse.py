"""Asking the dag-processor to read files of schedules now instead of at their next turn (law 3).

Works where Airflow's metadata database can be reached: in the api-server, and in a shell of the machine that
runs the scheduler; never in a task. A file in a git bundle is fetched before it is read.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from data_sync.dag import reads
from data_sync.dag.names import (
    PROBLEMS_FILE,
    QUICK_SYNC,
    QUICK_SYNC_FILE,
    SHARDS,
    UPKEEP,
    shard_file,
    shard_of,
)
from data_sync.database import Database, now
from data_sync.errors import AirflowUnreachableError, ConfigError

log = logging.getLogger(__name__)

#: How long to wait before a file is looked at, and asked for, again; and for how long at all (seconds).
_PAUSE, _PATIENCE = 1.0, 180.0


def request(keys: Collection[str] | None = None) -> list[str]:
    """Ask for the files of these schedules, or for all of ours; asking twice is asking once.

    :param keys: of schedules, also of some that are new or deleted.
    :return: the files, relative to their bundle.
    :raises AirflowUnreachableError: where the metadata database cannot be reached.
    :raises ConfigError: when Airflow has not read any of our files yet.
    """
    return _request(_names(keys))


def _request(names: Collection[str]) -> list[str]:
    with metadata() as session:
        bundle, folder = _place(session)
        files = sorted(str(folder / name) for name in names)
        _store(session, bundle, files)
    return files


def request_until_read(db: Database, keys: Collection[str] | None = None) -> list[str]:
    """Ask now, and again while this process goes on, until the files are read as they are from now on.

    Airflow (3.3.2, ``DagFileProcessorManager._start_new_processes``) drops a request for a file that is being
    read at that moment, with what was stored before. With thousands of schedules that moment is long.

    :raises AirflowUnreachableError: where the metadata database cannot be reached.
    :raises ConfigError: when Airflow has not read any of our files yet.
    :raises DatabaseError: when our database does not answer; the files have been asked for once.
    """
    return _follow(db, _names(keys))


def _follow(db: Database, names: Collection[str]) -> list[str]:
    files = _request(names)
    _asker.follow(files, db.clock())
    return files


def find_anew(db: Database, seconds: float) -> bool:
    """Have schedules.yaml looked at as it is from now on, that of a git bundle fetched before.

    The file without DAGs is read for it: whichever file is read first takes schedules.yaml over. It is read
    twice, because a read may have begun when Airflow had not fetched the bundle yet; between two reads of
    one file it has.

    :param seconds: how long to wait for that.
    :return: whether it was done in time.
    :raises AirflowUnreachableError: where the metadata database cannot be reached.
    :raises ConfigError: when Airflow has not read any of our files yet.
    :raises DatabaseError: when our database does not answer.
    """
    deadline = time.monotonic() + seconds
    for _ in range(2):
        _follow(db, [PROBLEMS_FILE])
        if wait_until_read(max(0.0, deadline - time.monotonic())):
            return False
    return True


def request_behind_until_read(db: Database) -> list[str]:
    """Ask for the files that were last read before something of theirs changed, and for no other.

    :return: the files that are asked for.
    :raises DatabaseError, AirflowUnreachableError, ConfigError: as :func:`find_anew` does.
    """
    with db.transaction() as cursor:
        behind = set(reads.behind(cursor))
    return _follow(db, [name for name in _names(None) if PurePosixPath(name).name in behind])


def banner() -> str:
    """Return what the dag-processor last found wrong with the schedules; empty when all is well.

    :raises AirflowUnreachableError: where the metadata database cannot be reached.
    """
    from airflow.models.errors import ParseImportError
    from sqlalchemy import select

    with metadata() as session:
        bundle, folder = _place(session)
        found: str | None = session.scalar(
            select(ParseImportError.stacktrace).where(
                ParseImportError.bundle_name == bundle,
                ParseImportError.filename == str(folder / PROBLEMS_FILE),
            )
        )
    # What stands before it says in which line of ours it was raised.
    return (found or "").partition("Error: ")[2].strip()


def request_once_gone(files: Collection[str]) -> None:
    """Ask for files once more, when Airflow takes the DAGs for gone that are in them no more.

    Airflow (3.3.2, ``DagFileProcessorManager.deactivate_stale_dags``) does that only where a file was read
    ``stale_dag_threshold`` later than the DAG was last in it; the next turn may be long after.
    """
    from airflow.configuration import conf

    _asker.follow_later(files, conf.getint("dag_processor", "stale_dag_threshold", fallback=50))


def wait_until_read(seconds: float) -> list[str]:
    """Wait until all files that this process has asked for are read; return those that are not in time."""
    return _asker.wait(seconds)


class _Asker:
    """Asks for files until they have been read; one thread, and only while there is something to ask."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._wanted: dict[str, datetime] = {}
        self._later: dict[str, float] = {}
        self._given_up: set[str] = set()
        self._works = False
        self._followed_at = 0.0

    def follow(self, files: Collection[str], since: datetime) -> None:
        """See to it that the files are read after a moment of the database's clock."""
        with self._lock:
            self._given_up.difference_update(files)
            self._wanted.update(dict.fromkeys(files, since))
            self._followed_at = time.monotonic()
            self._start()

    def follow_later(self, files: Collection[str], seconds: float) -> None:
        """See to it that the files are asked for, and read, after so many seconds; nobody waits for that."""
        with self._lock:
            self._later.update(dict.fromkeys(files, time.monotonic() + seconds))
            self._start()

    def wait(self, seconds: float) -> list[str]:
        """Wait until nothing is asked for; return what has not been read after so many seconds."""
        with self._lock:
            self._lock.wait_for(lambda: not self._wanted, seconds)
            return sorted({*self._wanted, *self._given_up})

    def forget(self) -> None:
        """Ask for nothing any more."""
        with self._lock:
            self._wanted.clear()
            self._later.clear()
            self._given_up.clear()
            self._lock.notify_all()
            self._lock.wait_for(lambda: not self._works)

    def _start(self) -> None:
        if not self._works:
            self._works = True
            threading.Thread(target=self._work, name="asks for DAG files", daemon=True).start()
        self._lock.notify_all()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._wanted:
                    self._lock.wait_for(lambda: self._wanted or not self._later, self._until_later())
                elif self._lock.wait_for(lambda: not self._wanted, self._pause()):
                    continue
                if not (self._wanted or self._later):
                    self._works = False
                    self._lock.notify_all()
                    return
                due = [file for file, at in self._later.items() if at <= time.monotonic()]
                for file in due:
                    del self._later[file]
                wanted = dict(self._wanted)
            try:
                if due:
                    self.follow(due, _clock())
                read, given_up = _read_or_asked_again(wanted) if wanted else (set(), set())
            except Exception as error:
                files = ", ".join(sorted({*wanted, *due}))
                log.warning("The dag-processor was not asked again for %s: %s", files, error)
                waited = time.monotonic() - self._followed_at
                read, given_up = set(), set(wanted) if waited > _PATIENCE else set()
            with self._lock:
                # What was asked for anew meanwhile stays.
                for file in read | given_up:
                    if self._wanted.get(file) == wanted[file]:
                        del self._wanted[file]
                        self._given_up |= {file} & given_up
                self._lock.notify_all()

    def _pause(self) -> float:
        # Ever more rarely: where nobody notes what is read, each request is one more read.
        return max(_PAUSE, (time.monotonic() - self._followed_at) / 4)

    def _until_later(self) -> float:
        return max(0.0, min(self._later.values(), default=0.0) - time.monotonic())


def _clock() -> datetime:
    with closing(Database()) as db:
        return db.clock()


def _read_or_asked_again(wanted: Mapping[str, datetime]) -> tuple[set[str], set[str]]:
    """Return which files have been read, and which are not waited for any longer; ask again for the rest."""
    with closing(Database()) as db, db.transaction() as cursor:
        read, moment = reads.read_since(cursor, wanted), now(cursor)
    left = set(wanted) - read
    patience = timedelta(seconds=_PATIENCE)
    given_up = {file for file in left if moment - wanted[file] > patience}
    if again := sorted(left - given_up):
        with metadata() as session:
            _store(session, _place(session)[0], again)
    if given_up:
        log.warning("The dag-processor has not read %s yet: does it run?", ", ".join(sorted(given_up)))
    return read, given_up


def _store(session: Any, bundle: str, files: Collection[str]) -> None:
    from airflow.models.dagbag import DagPriorityParsingRequest
    from sqlalchemy.exc import IntegrityError

    for file in files:
        try:
            with session.begin_nested():
                session.add(DagPriorityParsingRequest(bundle, file))
        except IntegrityError:
            # It has been asked for, and the dag-processor has not come to it yet.
            continue


def _names(keys: Collection[str] | None) -> set[str]:
    shards = range(SHARDS) if keys is None else {shard_of(key) for key in keys}
    others = (QUICK_SYNC_FILE, PROBLEMS_FILE) if keys is None else ()
    return {*(f"shards/{shard_file(number)}" for number in shards), *others}


def _place(session: Any) -> tuple[str, PurePosixPath]:
    """Return the bundle of our files, and the folder in it that holds ``quick_sync.py``."""
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    found = session.execute(
        select(DagModel.bundle_name, DagModel.relative_fileloc)
        .where(DagModel.dag_id.in_([QUICK_SYNC, UPKEEP]), DagModel.relative_fileloc.is_not(None))
        .order_by(DagModel.is_stale, DagModel.dag_id.desc())
    ).first()
    if found is None:
        raise ConfigError(
            f"Airflow knows neither {QUICK_SYNC} nor {UPKEEP} yet: wait until the dag-processor has read the "
            "folder of DAG files, or look at its log."
        )
    return found.bundle_name, PurePosixPath(found.relative_fileloc).parent


@contextmanager
def metadata() -> Iterator[Any]:
    """Open a session of Airflow's metadata database, which is committed at the end of the block.

    :raises AirflowUnreachableError: where that database cannot be reached.
    """
    from airflow.configuration import conf
    from sqlalchemy.exc import OperationalError, ProgrammingError

    address = conf.get("database", "sql_alchemy_conn", fallback="")
    # Where nothing is configured Airflow would make an empty SQLite file; in a task it names no database.
    if not address or address.startswith(("sqlite", "airflow-db-not-allowed")):
        raise _unreachable("[database] sql_alchemy_conn names none")
    from airflow.utils.session import create_session

    try:
        with create_session(scoped=False) as session:
            yield session
    except (OperationalError, ProgrammingError) as error:
        reason = str(error.orig).strip().splitlines()
        raise _unreachable(reason[-1] if reason else type(error.orig).__name__) from error


def _unreachable(reason: str) -> AirflowUnreachableError:
    return AirflowUnreachableError(
        f"Airflow's metadata database cannot be reached from here ({reason}). Do this where the scheduler or "
        "the api-server runs; until the dag-processor is asked, it finds changes at its next turn."
    )


_asker = _Asker()
