"""Turning Airflow's word for a run (type, dates, conf) into what ``open_run`` takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from data_sync.catalogue import StoredSchedule, find
from data_sync.dag.names import QUICK_SYNC, key_of
from data_sync.database import Database
from data_sync.errors import ConfigError
from data_sync.runs.lookup import StoredRun, find_run
from data_sync.runs.request import RunKind, RunRequest
from data_sync.schedules.model import Schedule
from data_sync.schedules.problems import ScheduleRefusedError
from data_sync.schedules.timing import next_runs
from network_clients import registry

if TYPE_CHECKING:
    from airflow.sdk import Context

_KINDS = {"scheduled": RunKind.SCHEDULED, "backfill": RunKind.BACKFILL}

#: What a quick sync's conf may say besides ``schedule`` and ``check``.
_CONF_WORDS = ("networks", "sync_type", "date_range", "from", "to")


def request_of(context: Context, db: Database) -> RunRequest:
    """Read what this DAG run asks for.

    :raises ConfigError: for a schedule that does not exist, or a conf that cannot be understood.
    """
    dag_run: Any = context["dag_run"]
    with db.transaction() as cursor:
        stored = find_run(cursor, dag_run.dag_id, dag_run.run_id)
        key = key_of(dag_run.dag_id) or _conf(dag_run).get("schedule")
        entry = find(cursor, key) if key else None
    if stored is not None:
        return _again(dag_run, stored, entry)
    if dag_run.dag_id == QUICK_SYNC:
        return _quick(dag_run, key, entry)
    if entry is None:
        raise ConfigError(
            f"The schedule {key!r} is not in the catalogue. If it is new, wait until the dag-processor has "
            "read it; if it was deleted, its DAG goes away by itself."
        )
    kind = _KINDS.get(dag_run.run_type.value, RunKind.RUN_NOW)
    return _request(dag_run, kind, entry.schedule, entry)


def _conf(dag_run: Any) -> dict[str, Any]:
    return {word: value for word, value in (dag_run.conf or {}).items() if value not in (None, "", [])}


def _request(
    dag_run: Any,
    kind: RunKind,
    schedule: Schedule,
    entry: StoredSchedule | None,
) -> RunRequest:
    anchor = dag_run.logical_date or dag_run.run_after
    scheduled = kind is RunKind.SCHEDULED
    return RunRequest(
        dag_id=dag_run.dag_id,
        run_id=dag_run.run_id,
        kind=kind,
        anchor=anchor,
        requested_by=dag_run.triggering_user_name,
        schedule=schedule,
        schedule_key=entry.key if entry else None,
        owner=entry.owner if entry else None,
        trusted=entry is None or entry.source == "yaml",
        next_tick=next_runs(schedule.when, anchor, 1)[0] if scheduled else None,
    )


def _again(dag_run: Any, stored: StoredRun, entry: StoredSchedule | None) -> RunRequest:
    """Ask again for a run that was opened before: it keeps the definition that it started with."""
    schedule = stored.schedule
    request = _request(dag_run, RunKind(stored.kind), schedule, entry)
    return RunRequest(
        **{**vars(request), "anchor": stored.anchor, "schedule_key": stored.schedule_key},
    )


def _quick(dag_run: Any, key: str | None, entry: StoredSchedule | None) -> RunRequest:
    conf = _conf(dag_run)
    words = {word: conf[word] for word in _CONF_WORDS if word in conf}
    if key is None:
        return _request(dag_run, RunKind.QUICK_SYNC, one_off(words), None)
    if entry is None:
        raise ConfigError(f"There is no schedule {key!r}. `data-sync schedules` lists the keys.")
    kind = RunKind.BACKFILL if "date_range" in words else RunKind.RUN_NOW
    return _request(dag_run, kind, _changed(entry.definition, words), entry)


def one_off(words: Mapping[str, Any]) -> Schedule:
    """Return the definition of a quick sync, without any timing.

    :raises ConfigError: with everything that is wrong, and what to write instead.
    """
    words = {"date_range": "custom" if "from" in words else "today", **words}
    return _accepted({"key": "quick_sync", "name": "Quick sync", **words})


def _changed(definition: Mapping[str, Any], words: Mapping[str, Any]) -> Schedule:
    """Return a schedule's definition with other networks or another range, for one run."""
    kept = {word: value for word, value in definition.items() if word not in ("from", "to")}
    base = kept if "date_range" in words else definition
    return _accepted({**base, **words})


def _accepted(data: Mapping[str, Any]) -> Schedule:
    try:
        return Schedule.from_dict(data, networks=registry.all_networks(), timed=False)
    except ScheduleRefusedError as error:
        raise ConfigError(f"This sync cannot run: {error}") from None
