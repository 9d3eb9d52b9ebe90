"""Where a full parse finds its schedules: the YAML file, with the catalogue's last good forms behind it."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from data_sync import catalogue
from data_sync.accounts import list_accounts, mirror_unknown
from data_sync.database import Database
from data_sync.errors import DatabaseError
from data_sync.schedules.model import Schedule
from data_sync.schedules.problems import Problem
from data_sync.schedules.validate import missing_accounts
from data_sync.schedules.yaml_source import ScheduleFile, read_file
from network_clients import registry

log = logging.getLogger(__name__)

#: Set by the demo and by docker-compose for the dag-processor alone: only it mirrors the YAML file.
PROCESSOR_MARK = "DATA_SYNC_DAG_PROCESSOR"
FILE_NAME = Path("config", "schedules.yaml")


@dataclass(frozen=True)
class Found:
    """What a full parse knows: schedules by key, and problems for people."""

    schedules: dict[str, Schedule] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def schedules_file(dag_file: str) -> Path:
    """Return the path of schedules.yaml: the configured one, else the nearest above the DAG file."""
    from airflow.sdk.configuration import conf

    configured = conf.get("data_sync", "schedules_file", fallback="")
    if configured:
        return Path(configured)
    parents = Path(dag_file).resolve().parents
    return next((p / FILE_NAME for p in parents if (p / FILE_NAME).exists()), parents[1] / FILE_NAME)


def find_schedules(dag_file: str) -> Found:
    """Read the YAML file; mirror it when this is the dag-processor; fill gaps with last good forms.

    A database that does not answer costs nothing but the gaps.
    """
    path = schedules_file(dag_file)
    read = read_file(path, registry.all_networks(), shown_as=str(FILE_NAME))
    found = {key: entry.schedule for key, entry in read.schedules.items()}
    problems = [*read.problems]
    db = Database()
    try:
        missing = _missing_accounts(db, read)
        problems += missing
        if os.environ.get(PROCESSOR_MARK) == "1":
            _mirror(db, path, read, missing)
        if read.refused_keys or not read.is_readable:
            found |= _last_good(db, read)
    except (psycopg.Error, DatabaseError) as error:
        log.warning("The catalogue does not answer; schedules.yaml is used alone: %s", error)
    finally:
        db.close()
    return Found(found, tuple(map(str, problems)))


def _missing_accounts(db: Database, read: ScheduleFile) -> list[Problem]:
    """Return one problem per place that names an account of which Airflow has no connection.

    Upkeep notes each minute which accounts exist. One that it has not looked for yet is not missing.
    """
    with db.transaction() as cursor:
        missing = {row["account"] for row in list_accounts(cursor) if row["state"] == "missing"}
    return missing_accounts(read, lambda conn_id: conn_id not in missing)


def _mirror(db: Database, path: Path, read: ScheduleFile, missing: list[Problem]) -> None:
    if not read.is_readable:
        return
    with db.transaction() as cursor:
        # Upkeep looks only for accounts that the table names.
        known = {ref.conn_id for entry in read.schedules.values() for ref in entry.schedule.networks}
        mirror_unknown(cursor, sorted(known))
    broken: defaultdict[str, list[str]] = defaultdict(list)
    for problem in read.problems:
        if problem.key in read.refused_keys:
            broken[str(problem.key)].append(str(problem))
    for key in read.refused_keys:
        broken.setdefault(key, ["See the problems of defaults."])
    flaws: defaultdict[str, list[str]] = defaultdict(list)
    for problem in missing:
        flaws[str(problem.key)].append(str(problem))
    content = path.read_bytes()
    catalogue.mirror_yaml(
        db,
        {key: (entry.schedule, entry.line) for key, entry in read.schedules.items()},
        broken,
        flaws=flaws,
        content_hash=hashlib.sha256(content).hexdigest(),
        revision=path.stat().st_mtime_ns // 1_000_000,
        problems=[str(problem) for problem in (*read.problems, *missing)],
    )


def _last_good(db: Database, read: ScheduleFile) -> dict[str, Schedule]:
    """Return the stored definitions of the entries that cannot be read now."""
    with db.transaction() as cursor:
        stored = [entry for entry in catalogue.list_schedules(cursor) if entry.source == "yaml"]
    wanted = [e for e in stored if not read.is_readable or e.key in read.refused_keys]
    return {entry.key: entry.schedule for entry in wanted}


def known_accounts(dag_file: str) -> list[str]:
    """Return the accounts that quick sync offers: those of the catalogue and of the YAML file."""
    path = schedules_file(dag_file)
    read = read_file(path, registry.all_networks(), shown_as=str(FILE_NAME))
    found = {ref.conn_id for entry in read.schedules.values() for ref in entry.schedule.networks}
    db = Database()
    try:
        with db.transaction() as cursor:
            found |= {row["account"] for row in list_accounts(cursor) if row["state"] != "missing"}
    except (psycopg.Error, DatabaseError) as error:
        log.warning("The accounts table does not answer; only accounts of schedules are offered: %s", error)
    finally:
        db.close()
    return sorted(found)
