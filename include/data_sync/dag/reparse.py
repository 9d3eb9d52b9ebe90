"""Asking the dag-processor to read files of schedules now instead of at their next turn (law 3).

Works where Airflow's metadata database can be reached: in the api-server, and in a shell of the machine that
runs the scheduler; never in a task. A file in a git bundle is fetched before it is read.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

from data_sync.dag.names import QUICK_SYNC, SHARDS, UPKEEP, shard_of
from data_sync.errors import AirflowUnreachableError, ConfigError

log = logging.getLogger(__name__)

#: Airflow (3.3.2, ``DagFileProcessorManager._start_new_processes``) drops a request for a file that is being
#: read at that moment, with what was stored before. A second request, so much later in seconds, is not lost.
_AGAIN_SECONDS = 2.5

_PROBLEMS = "data_sync_problems.py"


def request(keys: Collection[str] | None = None) -> list[str]:
    """Ask for the files of these schedules, or for all of ours; asking twice is asking once.

    :param keys: of schedules, also of some that are new or deleted.
    :return: the files, relative to their bundle.
    :raises AirflowUnreachableError: where the metadata database cannot be reached.
    :raises ConfigError: when Airflow has not read any of our files yet.
    """
    from airflow.models.dagbag import DagPriorityParsingRequest
    from sqlalchemy.exc import IntegrityError

    with metadata() as session:
        bundle, folder = _place(session)
        files = sorted(str(folder / name) for name in _names(keys))
        for file in files:
            try:
                with session.begin_nested():
                    session.add(DagPriorityParsingRequest(bundle, file))
            except IntegrityError:
                # It has been asked for, and the dag-processor has not come to it yet.
                continue
    return files


def request_twice(keys: Collection[str] | None = None) -> list[str]:
    """Ask now, and once more a little later, while this process goes on or waits for it to end.

    :raises AirflowUnreachableError: where the metadata database cannot be reached.
    :raises ConfigError: when Airflow has not read any of our files yet.
    """
    files = request(keys)
    threading.Timer(_AGAIN_SECONDS, _request_quietly, [keys]).start()
    return files


def _request_quietly(keys: Collection[str] | None) -> None:
    try:
        request(keys)
    except Exception as error:
        log.warning("The dag-processor was not asked a second time: %s", error)


def _names(keys: Collection[str] | None) -> set[str]:
    shards = range(SHARDS) if keys is None else {shard_of(key) for key in keys}
    others = (f"{QUICK_SYNC}.py", _PROBLEMS) if keys is None else ()
    return {*(f"shards/shard_{number:02}.py" for number in shards), *others}


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
