"""Turning Airflow's word for a run (type, dates, conf) into what ``open_run`` takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from data_sync.accounts import list_accounts
from data_sync.catalogue import StoredSchedule, find
from data_sync.checking import CHECK_UNIT
from data_sync.dag.names import QUICK_SYNC, key_of
from data_sync.dag.people import is_trusted
from data_sync.database import Database
from data_sync.errors import ConfigError
from data_sync.runs.lookup import StoredRun, find_run, rename_run
from data_sync.runs.request import RunKind, RunRequest
from data_sync.runs.retrying import find_failed_log, key_of_retry, lender
from data_sync.schedules.accounts import AccountRef
from data_sync.schedules.model import Schedule
from data_sync.schedules.problems import ScheduleRefusedError
from data_sync.schedules.timing import next_runs
from data_sync.schedules.words import choice
from network_clients import registry

if TYPE_CHECKING:
    from airflow.sdk import Context

_KINDS = {"scheduled": RunKind.SCHEDULED, "backfill": RunKind.BACKFILL}

#: Fields of a definition that the conf of a quick sync may set.
_FIELDS = ("networks", "sync_type", "date_range", "from", "to")
#: All words of that conf.
CONF_WORDS = (*_FIELDS, "schedule", "check", "log")


def request_of(context: Context, db: Database) -> RunRequest:
    """Read what this DAG run asks for.

    :raises ConfigError: for a schedule that does not exist, or a conf that cannot be understood.
    """
    dag_run: Any = context["dag_run"]
    with db.transaction() as cursor:
        stored = find_run(cursor, dag_run.dag_id, dag_run.run_id)
        if stored is not None and _is_another(dag_run, stored):
            # Airflow's run of that id was deleted, and its id is used again: this is another run.
            rename_run(cursor, stored)
            stored = None
        key = stored.schedule_key if stored else key_of(dag_run.dag_id) or _conf(dag_run).get("schedule")
        entry = find(cursor, key) if key else None
    if stored is not None:
        return _again(dag_run, db, stored, entry)
    if dag_run.dag_id == QUICK_SYNC:
        return _quick(dag_run, db, key, entry)
    if entry is None:
        raise ConfigError(
            f"The schedule {key!r} is not in the catalogue. If it is new, wait until the dag-processor has "
            "read it; if it was deleted, its DAG goes away by itself."
        )
    if dag_run.conf:
        words = ", ".join(sorted(dag_run.conf))
        raise ConfigError(
            f"The DAG of a schedule reads what its schedule says and takes no words ({words}). To read other "
            f"days or accounts for it once, start {QUICK_SYNC} with these words and with "
            f'"schedule": "{key}".'
        )
    kind = _KINDS.get(dag_run.run_type.value, RunKind.RUN_NOW)
    request = _request(dag_run, kind, entry.schedule, entry)
    if kind is not RunKind.SCHEDULED:
        return request
    return replace(request, gives_up_at=_end_of_patience(dag_run, entry.schedule, request.anchor))


def _end_of_patience(dag_run: Any, schedule: Schedule, anchor: datetime) -> datetime:
    """Return until when a tick waits for the run before it: until the next tick is due.

    A tick that is made up for (``catchup``) comes when the next one was due long ago: it waits as long as
    lies between the two.
    """
    next_tick = next_runs(schedule.when, anchor, 1)[0]
    started: datetime = dag_run.start_date or anchor
    return max(next_tick, started + (next_tick - anchor))


def _conf(dag_run: Any) -> dict[str, Any]:
    conf = {word: value for word, value in (dag_run.conf or {}).items() if value not in (None, "", [])}
    for word in conf:
        if word not in CONF_WORDS:
            raise ConfigError(f"A quick sync does not know the word {word!r}: {choice(word, CONF_WORDS)}.")
    return conf


def _anchor(dag_run: Any) -> datetime:
    moment: datetime = dag_run.logical_date or dag_run.run_after
    return moment


def _is_another(dag_run: Any, stored: StoredRun) -> bool:
    """Tell whether Airflow means another run by this id; that of a retry is told from its log's run."""
    return stored.kind != RunKind.RETRY and stored.anchor != _anchor(dag_run)


def _request(dag_run: Any, kind: RunKind, schedule: Schedule, entry: StoredSchedule | None) -> RunRequest:
    """Ask for a run of a schedule, whose owner's permissions count, or of whoever asked."""
    author = entry.owner if entry else dag_run.triggering_user_name
    return RunRequest(
        dag_id=dag_run.dag_id,
        run_id=dag_run.run_id,
        kind=kind,
        anchor=_anchor(dag_run),
        requested_by=dag_run.triggering_user_name,
        schedule=schedule,
        schedule_key=entry.key if entry else None,
        author=author,
        trusted=(entry is not None and entry.source == "yaml") or is_trusted(author),
        made_from=(entry.source, entry.revision) if entry else None,
    )


def _again(dag_run: Any, db: Database, stored: StoredRun, entry: StoredSchedule | None) -> RunRequest:
    """Ask again for a run that was opened before: it keeps the definition that it started with."""
    kind, schedule = RunKind(stored.kind), stored.schedule
    if kind is RunKind.RETRY:
        account = schedule.networks[0].conn_id
        with db.transaction() as cursor:
            entry = lender(cursor, stored.schedule_key, stored.retry_of, account)
    by_owner = "networks" not in (dag_run.conf or {})
    request = _request(dag_run, kind, schedule, entry if by_owner else None)
    return replace(
        request,
        anchor=stored.anchor,
        schedule_key=stored.schedule_key,
        units=tuple(stored.units),
        made_from=None,
    )


def _quick(dag_run: Any, db: Database, key: str | None, entry: StoredSchedule | None) -> RunRequest:
    conf = _conf(dag_run)
    if "log" in conf:
        return _retry(dag_run, db, conf)
    if conf.get("check"):
        return _check(dag_run, db, conf)
    words = {word: conf[word] for word in _FIELDS if word in conf}
    if key is None:
        return _request(dag_run, RunKind.QUICK_SYNC, one_off(words), None)
    if entry is None:
        raise ConfigError(f"There is no schedule {key!r}. `data-sync schedules` lists the keys.")
    kind = RunKind.BACKFILL if "date_range" in words or "from" in words else RunKind.RUN_NOW
    request = _request(dag_run, kind, changed_for_once(entry.definition, words), entry)
    if "networks" not in words:
        return request
    # Other accounts than the schedule's own: its owner's permission does not reach that far.
    user = dag_run.triggering_user_name
    return replace(request, author=user, trusted=is_trusted(user))


def _retry(dag_run: Any, db: Database, conf: Mapping[str, Any]) -> RunRequest:
    """Read what failed of a log once more, with the definition and the days that it had.

    Of a schedule's log its owner's permissions count, as when the schedule is run now.
    """
    if len(conf) > 1 or not str(conf["log"]).isdecimal():
        raise ConfigError('To read a log again, write its number alone: {"log": 123}.')
    with db.transaction() as cursor:
        failed = find_failed_log(cursor, int(conf["log"]))
        key = key_of_retry(cursor, failed)
        entry = lender(cursor, failed.run.schedule_key, failed.first, failed.account)
    request = _request(dag_run, RunKind.RETRY, failed.schedule, entry)
    return replace(
        request,
        anchor=failed.run.anchor,
        schedule_key=key,
        units=failed.units,
        retry_of=failed.first,
        made_from=None,
    )


def _check(dag_run: Any, db: Database, conf: Mapping[str, Any]) -> RunRequest:
    """Check the accounts that are named, or all that are known."""
    if others := sorted(set(conf) - {"check", "networks"}):
        raise ConfigError(f"A check takes no {' and no '.join(others)}: write the networks alone.")
    with db.transaction() as cursor:
        known = [str(AccountRef.from_conn_id(row["account"])) for row in list_accounts(cursor)]
    networks = conf.get("networks") or known
    if not networks:
        raise ConfigError("No account is known yet. Add an Airflow connection of a network, and name it.")
    schedule = one_off({"networks": networks, "sync_type": "campaigns"})
    request = _request(dag_run, RunKind.CHECK, schedule, None)
    return replace(request, units=(CHECK_UNIT,))


def one_off(words: Mapping[str, Any]) -> Schedule:
    """Return the definition of a quick sync, without any timing.

    :raises ConfigError: with everything that is wrong, and what to write instead.
    """
    words = {"date_range": "custom" if "from" in words else "today", **words}
    return _accepted({"key": "quick_sync", "name": "Quick sync", **words})


def changed_for_once(definition: Mapping[str, Any], words: Mapping[str, Any]) -> Schedule:
    """Return a schedule's definition with other networks or another range, for one run."""
    if "from" in words:
        words = {"date_range": "custom", **words}
    kept = {word: value for word, value in definition.items() if word not in ("from", "to")}
    base = kept if "date_range" in words else definition
    return _accepted({**base, **words})


def _accepted(data: Mapping[str, Any]) -> Schedule:
    try:
        return Schedule.from_dict(data, networks=registry.all_networks(), timed=False)
    except ScheduleRefusedError as error:
        raise ConfigError(f"This sync cannot run: {error}") from None
