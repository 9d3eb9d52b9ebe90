"""Runs, units and accounts for the tests of engine, ledger and runs, without Airflow in between."""

from __future__ import annotations

import os
import signal
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from data_sync.database import Database
from data_sync.engine.unit import UnitReader
from data_sync.ledger import steps
from data_sync.ledger.settle import Settled, settle
from data_sync.ledger.steps import Step
from data_sync.runs.lookup import find_run
from data_sync.runs.opening import OpenedRun, open_run
from data_sync.runs.request import RunKind, RunRequest
from data_sync.schedules.model import Schedule
from data_sync.schedules.planning import WorkUnit
from data_sync.sync import SyncTask, run_sync
from network_clients.interface import Credentials, NetworkClient, ReadRequest
from network_clients.records import Kind

ACCOUNT = "admitad_default"
ANCHOR = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAYS = (date(2026, 3, 1), date(2026, 3, 3))
COUNTS = ("read", "inserted", "updated", "unchanged", "outdated", "rejected", "vanished")


def make_schedule(**words: Any) -> Schedule:
    """A schedule of one account's purchases in the first days of March; ``words`` change it."""
    base = {"key": "daily", "name": "Daily", "networks": ["admitad"], "sync_type": "purchases"}
    days = {"date_range": "custom", "from": DAYS[0].isoformat(), "to": DAYS[1].isoformat()}
    given = {"from" if word == "first" else "to" if word == "last" else word: v for word, v in words.items()}
    merged = {**base, **days, **given}
    return Schedule.from_dict(
        {word: value for word, value in merged.items() if value is not None}, timed=False
    )


def make_request(run_id: str, schedule: Schedule | None = None, **changes: Any) -> RunRequest:
    """What a run asks for: a quick sync, unless ``changes`` say otherwise."""
    fields: dict[str, Any] = {
        "dag_id": "sync__daily",
        "run_id": run_id,
        "kind": RunKind.QUICK_SYNC,
        "anchor": ANCHOR,
        "requested_by": None,
        "schedule": schedule or make_schedule(),
        "schedule_key": None,
    }
    return RunRequest(**{**fields, **changes})


def open_scheduled(db: Database, run_id: str, **words: Any) -> OpenedRun:
    """Open a scheduled run of the schedule ``daily``."""
    changes = {name: words.pop(name) for name in ("kind", "gives_up_at", "anchor") if name in words}
    request = make_request(run_id, make_schedule(**words), schedule_key="daily",
                           **{"kind": RunKind.SCHEDULED, **changes})  # fmt: skip
    return open_run(db, request)


def claim(db: Database, run_id: str, unit: int = 0, holder: str | None = None) -> Step:
    """Take a unit of a run."""
    with db.transaction() as cursor:
        place = steps.Place("sync__daily", run_id, ACCOUNT, unit)
        return steps.claim(cursor, place, holder=holder or str(uuid.uuid4()))


def reader_of(
    db: Database, step: Step, client: NetworkClient, *, scope: str = "s", **request: Any
) -> UnitReader:
    """A reader of a unit with a client of one's own."""
    asked = {"kind": Kind.PURCHASES, "start": DAYS[0], "end": DAYS[1], **request}
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_logs SET scope = %s WHERE id = %s", [scope, step.log_id])
    return UnitReader(db, step, client, ReadRequest(**asked), scope=scope)


def read(db: Database, run_id: str, client: NetworkClient, **words: Any) -> dict[str, Any]:
    """Open a run, read its one unit with a client to the end, and return the unit's row."""
    open_run(db, make_request(run_id))
    step = claim(db, run_id)
    reader_of(db, step, client, **words).run()
    return step_row(db, step.id)


def rows(db: Database, statement: str, *values: object) -> list[dict[str, Any]]:
    """Run a statement and return its rows."""
    with db.transaction() as cursor:
        return cursor.execute(statement, values).fetchall()


def step_row(db: Database, step_id: int) -> dict[str, Any]:
    return rows(db, "SELECT * FROM data_sync.sync_log_steps WHERE id = %s", step_id)[0]


def counts(row: Mapping[str, Any]) -> dict[str, int]:
    """The counts of a step that are not zero; checks that they add up."""
    found = {name: row[f"rows_{name}"] for name in COUNTS}
    parts = ("inserted", "updated", "unchanged", "outdated", "rejected")
    assert found["read"] == sum(found[name] for name in parts), found
    return {name: count for name, count in found.items() if count}


def purchases(
    db: Database, columns: str = "key, status, sale_amount, vanished_at IS NOT NULL AS gone"
) -> list:
    return rows(db, f"SELECT {columns} FROM data_sync.purchases ORDER BY key")


def changes(db: Database) -> list[tuple]:
    """The history: key, change, from and to status."""
    found = rows(db, "SELECT key, change, from_status, to_status FROM data_sync.purchase_changes ORDER BY id")
    return [tuple(row.values()) for row in found]


class Airflow:
    """What Airflow would say: the run's state and those of its tasks, as the test wrote them."""

    def __init__(self, run: str | None = "running", *, paused: bool = False, **tasks: str | None) -> None:
        self.run = run
        self.paused = paused
        self.tasks = {name.replace("__", "."): state for name, state in tasks.items()}
        self.asked = 0

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        self.asked += 1
        return self.run

    def task_states(self, dag_id: str, run_id: str) -> Mapping[str, str | None]:
        return self.tasks

    def is_paused(self, dag_id: str) -> bool:
        return self.paused


def settle_run(db: Database, run_id: str, airflow: Airflow) -> Settled:
    with db.transaction() as cursor:
        run = find_run(cursor, "sync__daily", run_id)
    assert run is not None
    return settle(db, run, airflow)


def admitad_account(base: str, **values: str) -> Callable[[str], Credentials]:
    """How a task finds the credentials of the sandbox's account."""
    fields = {"host": base, "login": "sandbox-admitad-id", "password": "sandbox-admitad-secret"}

    def load(account: str) -> Credentials:
        return Credentials(account, {**fields, "timezone": "Europe/Moscow", **values})

    return load


def sync_unit(
    db: Database, run_id: str, unit: WorkUnit, load: Callable[[str], Credentials], *, round: int = 4
) -> None:
    """Do what a sync task does; another ``round`` is a task that somebody has cleared."""
    task = SyncTask("sync__daily", run_id, ACCOUNT, unit, str(uuid.uuid4()), round, is_last_try=False)
    run_sync(db, task, load)


def sync_run(db: Database, run_id: str, load: Callable[[str], Credentials], **words: Any) -> list[dict]:
    """Open a run, sync all its units in turn, settle it, and return the rows of its units."""
    opened = open_run(db, make_request(run_id, make_schedule(**words)))
    for unit in opened.units:
        sync_unit(db, run_id, WorkUnit.from_dict(unit), load)
    settled = settle_run(db, run_id, Airflow())
    assert settled.is_closed, settled
    return units_of(db, opened.id)


def units_of(db: Database, run: int) -> list[dict]:
    return rows(
        db,
        "SELECT s.* FROM data_sync.sync_log_steps s JOIN data_sync.sync_logs l ON l.id = s.log_id "
        "WHERE l.sync_run = %s ORDER BY s.unit_index",
        run,
    )


def total(units: list[dict]) -> dict[str, int]:
    """The counts of all units of a run together."""
    sums = {f"rows_{name}": sum(unit[f"rows_{name}"] for unit in units) for name in COUNTS}
    return counts(sums)


class Child:
    """A process of its own that runs a function; it shares nothing but the database with the test."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                work()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)

    def kill(self) -> None:
        """End it as the kernel would: at once, with nothing said."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def is_running(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def is_stopped(self) -> bool:
        """Tell whether it has stopped, and would go on."""
        return os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None

    def go_on(self) -> None:
        """Let it go on after it has stopped."""
        os.kill(self.pid, signal.SIGCONT)

    def wait(self) -> int:
        """Wait for its end and return its exit status; negative for a signal."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def connect(url: str) -> psycopg.Connection[dict[str, Any]]:
    """A connection of the test's own, to look at things from outside."""
    return psycopg.connect(url, autocommit=True, row_factory=dict_row)


def eventually(check: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)
