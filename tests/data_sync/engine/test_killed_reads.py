"""kill -9 of a real process at random instants of a read: the tables end as if it had run once."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import psycopg
import pytest

from data_sync.database import Database
from data_sync.engine.unit import UnitReader
from data_sync.runs.opening import open_run
from data_sync.schedules.planning import WorkUnit
from tests.data_sync.kit import (
    COUNTS,
    Airflow,
    Child,
    admitad_account,
    make_request,
    make_schedule,
    rows,
    settle_run,
    step_row,
    sync_run,
    sync_unit,
    units_of,
)
from tests.sandbox_networks.caller import Caller, process

#: One window of ten pages or so, and both catalogues.
DAYS = {"sync_type": "all", "first": "2026-03-01", "last": "2026-03-08"}
_TABLES = {
    "purchases": "account, key, status, status_word, sale_amount, commission, day, raw, vanished_at IS NULL",
    "campaigns": "account, key, name, raw, vanished_at IS NULL",
    "coupons": "account, key, code, raw, vanished_at IS NULL",
    "purchase_changes": "key, change, from_status, to_status, from_sale_amount, to_sale_amount",
}


@pytest.fixture
def sandbox() -> Iterator[Caller]:
    with process("--now", "2026-03-10T12:00:00Z", "--rows-per-day", "300") as caller:
        yield caller


def tables(db: Database) -> dict[str, list]:
    """Everything that a read leaves behind, without its times and logs."""
    return {
        table: sorted(
            (tuple(row.values()) for row in rows(db, f"SELECT {columns} FROM data_sync.{table}")), key=repr
        )
        for table, columns in _TABLES.items()
    }


def copy_of(database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a copy of the database, and let new connections go there."""
    name = database.rsplit("/", 1)[1].split("?")[0]
    address = os.environ["AIRFLOW_CONN_DATA_SYNC"]
    with psycopg.connect(database.replace(f"/{name}", "/postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name}")
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", address.replace(name, f"{name}_copy"))
    return f"{name}_copy"


def run_undisturbed(sandbox: Caller, run_id: str) -> tuple[list[dict], dict[str, list]]:
    db = Database()
    units = sync_run(db, run_id, admitad_account(sandbox.base), **DAYS)
    found = tables(db)
    db.close()
    return units, found


def read_with_kills(
    db: Database, sandbox: Caller, run_id: str, kills: int, chance: random.Random
) -> list[dict]:
    """Sync a run's units in processes that are killed again and again; return its units' rows."""
    opened = open_run(db, make_request(run_id, make_schedule(**DAYS)))
    db.close()
    load = admitad_account(sandbox.base)
    for position, unit in enumerate(opened.units):
        work = WorkUnit.from_dict(unit)
        # Most of a run is its purchases, the first unit.
        for _ in range(kills if position == 0 else 1):
            child = Child(lambda work=work: sync_unit(Database(), run_id, work, load))
            time.sleep(chance.uniform(0, 1.2))
            child.kill()
        assert Child(lambda work=work: sync_unit(Database(), run_id, work, load)).wait() == 0
    assert settle_run(db, run_id, Airflow()).is_closed
    return units_of(db, opened.id)


def prove(
    database: str,
    sandbox: Caller,
    monkeypatch: pytest.MonkeyPatch,
    *,
    kills: int,
    seed: int,
    seconds_per_page: float = 0.1,
) -> list[dict]:
    db = Database()
    load = admitad_account(sandbox.base)
    sync_run(db, "r0", load, **DAYS)
    db.close()
    sandbox.advance(days=20)
    with monkeypatch.context() as patch:
        copy = copy_of(database, patch)
        expected, _ = run_undisturbed(sandbox, "r1")
        _, expected_tables = run_undisturbed(sandbox, "r2")
    # Slow pages, so that kills fall into their middle.
    sandbox.fault("slow", path="/statistics/", seconds=seconds_per_page, count=None)
    found = read_with_kills(db, sandbox, "r1", kills, random.Random(seed))
    sandbox.admin("/faults", method="DELETE")
    sync_run(db, "r2", load, **DAYS)
    assert tables(db) == expected_tables
    db.close()
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {copy}")
    for unit, other in zip(found, expected, strict=True):
        # A read that was broken off proves nothing about rows that are gone: the next one marks them.
        names = [f"rows_{name}" for name in COUNTS if name != "vanished"]
        assert {name: unit[name] for name in names} == {name: other[name] for name in names}
        assert unit["is_complete"]
    return found


def test_a_killed_read_ends_as_if_it_had_run_once(
    database: str, sandbox: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(database, sandbox, monkeypatch, kills=4, seed=1)


@pytest.mark.prove
def test_thirty_kills_in_one_read_change_nothing(
    database: str, sandbox: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = prove(database, sandbox, monkeypatch, kills=30, seed=77, seconds_per_page=0.5)
    assert units[0]["tries"] > 5


def test_a_kill_between_the_last_page_and_the_end_costs_nothing(
    db: Database, sandbox: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = admitad_account(sandbox.base)
    opened = open_run(db, make_request("r1", make_schedule(**DAYS)))
    db.close()
    work = WorkUnit.from_dict(opened.units[0])

    def stop_before_the_end() -> None:
        monkeypatch.setattr(UnitReader, "_close_slice", lambda self, part: time.sleep(600))
        sync_unit(Database(), "r1", work, load)

    child = Child(stop_before_the_end)
    observed = "SELECT id FROM data_sync.sync_log_steps WHERE checkpoint -> 'current' ->> 'ended' = 'true'"
    deadline = time.monotonic() + 60
    while not (found := rows(db, observed)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.kill()
    before = step_row(db, found[0]["id"])
    sync_unit(db, "r1", work, load)
    after = step_row(db, found[0]["id"])
    assert after["status"] == "completed"
    assert after["requests"] == before["requests"]
    assert after["rows_read"] == before["rows_read"] > 1500


def test_a_unit_that_ended_before_airflow_heard_of_it_is_not_read_again_unless_cleared(
    db: Database, sandbox: Caller
) -> None:
    load = admitad_account(sandbox.base)
    opened = open_run(db, make_request("r1", make_schedule(first="2026-03-01", last="2026-03-01")))
    work = WorkUnit.from_dict(opened.units[0])
    sync_unit(db, "r1", work, load, round=4)
    (before,) = units_of(db, opened.id)
    sync_unit(db, "r1", work, load, round=4)
    assert units_of(db, opened.id) == [before]
    sync_unit(db, "r1", work, load, round=5)
    (after,) = units_of(db, opened.id)
    assert after["rows_unchanged"] == after["rows_read"] == before["rows_inserted"] > 0
    open_run(db, make_request("r1"))
    sync_unit(db, "r1", work, load, round=5)
    assert units_of(db, opened.id)[0]["requests"] > after["requests"], "clearing the whole run reads anew"
