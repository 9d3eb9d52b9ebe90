"""Schedules as screens and API change them: stored, shown by Airflow within seconds, paused and unpaused.

Works where Airflow's metadata database can be reached. Airflow's pause switch is the on/off switch (law 2):
a schedule that is only changed keeps it, one that is made again after a deletion gets its own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from data_sync import catalogue
from data_sync.catalogue import StoredSchedule, editing, exchange, switches
from data_sync.dag import people, reparse
from data_sync.dag.names import dag_id_of
from data_sync.database import Database
from data_sync.errors import (
    AirflowUnreachableError,
    ConfigError,
    DataSyncError,
    ScheduleChangedError,
    ScheduleMissingError,
)
from data_sync.schedules.model import Schedule

log = logging.getLogger(__name__)


def create(
    db: Database, schedule: Schedule, *, owner: str, trusted: bool, paused: bool = False
) -> StoredSchedule:
    """Make a schedule and have its DAG built; nothing is stored when Airflow cannot be reached.

    :param paused: whether it begins paused.
    :raises DataSyncError: as :func:`data_sync.catalogue.editing.create` and :func:`reparse.metadata` do.
    """
    # Airflow's part is committed first: a schedule that is stored must not stay paused by its predecessor.
    with db.transaction() as cursor, reparse.metadata() as session:
        made = editing.create(cursor, schedule, owner=owner, trusted=trusted, paused=paused)
        _turn(session, schedule.key, paused, by=owner)
        switches.settle(cursor, [schedule.key])
    _show(db, [schedule.key])
    return made


def change(db: Database, schedule: Schedule, *, revision: int, trusted: bool) -> StoredSchedule:
    """Give a schedule another definition and have its DAG built; paused or not, it stays as it is.

    :raises DataSyncError: as :func:`data_sync.catalogue.editing.change` does.
    """
    with db.transaction() as cursor:
        made = editing.change(cursor, schedule, revision=revision, trusted=trusted)
    _show(db, [schedule.key])
    return made


def delete(db: Database, key: str, *, revision: int | None = None) -> None:
    """Delete a schedule: its DAG goes within some two minutes, or after the run in flight; rows, logs stay.

    The dag-processor is asked for its file now, and by this process once more when Airflow takes the DAG for
    gone; where this process has ended by then, at the file's next turn.

    :raises DataSyncError: as :func:`data_sync.catalogue.editing.delete` does.
    """
    with db.transaction() as cursor:
        editing.delete(cursor, key, revision=revision)
    _show(db, [key], are_gone=True)


def pause(db: Database, key: str, *, by: str, was_paused: bool | None = None) -> None:
    """Let a schedule, of whichever source, start no more runs by itself.

    :param by: who did it, for Airflow's audit log.
    :param was_paused: how it was when they looked; ``None``: however it is.
    :raises ScheduleChangedError: when somebody else has turned the switch since.
    :raises ScheduleMissingError: when there is no such schedule.
    :raises ConfigError: when its DAG has not been built yet.
    :raises AirflowUnreachableError: where the metadata database cannot be reached.
    """
    _switch(db, key, True, by=by, was_paused=was_paused)


def unpause(db: Database, key: str, *, by: str, was_paused: bool | None = None) -> None:
    """Let a schedule run again; see :func:`pause`."""
    _switch(db, key, False, by=by, was_paused=was_paused)


def settle_switches(db: Database, *, by: str = "data-sync") -> list[str]:
    """Set the switches of schedules that have been made again, where nobody who made them could reach them.

    :param by: for Airflow's audit log.
    :return: the keys of those that were paused, as their predecessors were, and are not any more.
    :raises AirflowUnreachableError: where the metadata database cannot be reached.
    """
    with db.transaction() as cursor:
        keys = switches.marked(cursor)
    if not keys:
        return []
    # Airflow's part is committed first: a mark that is left is looked at again.
    with db.transaction() as cursor, reparse.metadata() as session:
        turned = [key for key, paused in keys.items() if _turn(session, key, paused, by=by)]
        switches.settle(cursor, keys)
    return [key for key in turned if not keys[key]]


@dataclass(frozen=True)
class TakenOver:
    """What has become of schedules that were taken over.

    :param done: ``created``, ``changed`` or ``unchanged`` by key.
    :param note: a sentence for people when Airflow could not be told.
    """

    done: Mapping[str, str]
    note: str | None


def take_over(db: Database, schedules: Iterable[Schedule], *, owner: str) -> TakenOver:
    """Make schedules of the screens of these: all or none; nothing is deleted.

    :raises ConfigError: naming every schedule that cannot be taken over.
    """
    note = None
    with db.transaction() as cursor:
        done = exchange.take_over(cursor, schedules, owner=owner, is_trusted=people.is_trusted)
        try:
            with reparse.metadata() as session:
                created = [key for key, what in done.items() if what == exchange.CREATED]
                for key in created:
                    _turn(session, key, False, by=owner)
                switches.settle(cursor, created)
        except AirflowUnreachableError as error:
            note = str(error)
    edited = [key for key, what in done.items() if what != exchange.UNCHANGED]
    if edited and note is None:
        note = _show(db, edited)
    return TakenOver(done, note if edited else None)


def _switch(db: Database, key: str, paused: bool, *, by: str, was_paused: bool | None) -> None:
    with db.transaction() as cursor:
        if catalogue.find(cursor, key) is None:
            raise ScheduleMissingError(f"There is no schedule {key!r}. `data-sync schedules` lists the keys.")
    with reparse.metadata() as session:
        if _turn(session, key, paused, by=by, was_paused=was_paused) is None:
            raise ConfigError(f"Airflow has not built the DAG of {key} yet: try again in a few seconds.")
    with db.transaction() as cursor:
        # Somebody has said what it should be.
        switches.settle(cursor, [key])


def _turn(session: Any, key: str, paused: bool, *, by: str, was_paused: bool | None = None) -> bool | None:
    """Turn Airflow's switch, with a line in its audit log; tell whether it had to be turned.

    :param was_paused: how it must be found; ``None``: however it is.
    :return: ``None`` where Airflow knows no such DAG.
    :raises ScheduleChangedError: when it is found otherwise.
    """
    from airflow.models.dag import DagModel
    from airflow.models.log import Log
    from sqlalchemy import select

    found = session.scalar(select(DagModel).where(DagModel.dag_id == dag_id_of(key)).with_for_update())
    if found is None:
        return None
    if was_paused is not None and bool(found.is_paused) != was_paused:
        raise ScheduleChangedError(
            f"The switch of the schedule {key} has been turned meanwhile. Look at it again, then decide once "
            "more."
        )
    if found.is_paused == paused:
        return False
    found.is_paused = paused
    # As Airflow's own route does it.
    session.add(Log("patch_dag", owner=by, dag_id=found.dag_id, extra=json.dumps({"is_paused": paused})))
    return True


def _show(db: Database, keys: Collection[str], *, are_gone: bool = False) -> str | None:
    """Have the DAGs built now. What is stored is stored: a failure is a sentence, and no more."""
    try:
        files = reparse.request_until_read(db, keys)
        if are_gone:
            reparse.request_once_gone(files)
    except DataSyncError as error:
        log.warning("%s", error)
        return str(error)
    return None
