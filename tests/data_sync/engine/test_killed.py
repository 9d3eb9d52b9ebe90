"""A task killed at any instant and tried again leaves what one undisturbed run leaves (law 11)."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import requests

from data_sync.database import Database
from data_sync.runs.opening import open_run
from data_sync.schedules.planning import WorkUnit
from sandbox_networks.server import running
from sandbox_networks.settings import SandboxSettings
from tests.data_sync.kit import (
    Airflow,
    Child,
    admitad_account,
    changes,
    make_request,
    rows,
    settle_run,
    sync_run,
    sync_unit,
    total,
    units_of,
)

ROWS_PER_DAY = 1_300
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    settings = SandboxSettings(rows_per_day=ROWS_PER_DAY, now=NOW, enforce_limits=False)
    with running(settings) as url:
        yield url


def table(db: Database) -> dict[tuple[str, str], tuple[int, Decimal]]:
    found = rows(
        db,
        "SELECT CASE WHEN status = 'paid' THEN 'paid' ELSE status_word END AS word, "
        "commission_currency AS currency, count(*) AS n, sum(commission) AS money FROM data_sync.purchases "
        "WHERE vanished_at IS NULL AND day BETWEEN '2026-03-01' AND '2026-03-03' GROUP BY 1, 2",
    )
    return {(row["word"], row["currency"]): (row["n"], row["money"]) for row in found}


def world(sandbox: str) -> dict[tuple[str, str], tuple[int, Decimal]]:
    told = requests.get(
        f"{sandbox}/_admin/totals/admitad", params={"from": "2026-03-01", "to": "2026-03-03"}, timeout=60
    ).json()
    return {
        (word, currency): (sums["rows"], Decimal(sums["payment"]))
        for word, currencies in told["statuses"].items()
        for currency, sums in currencies.items()
    }


def kill_and_retry(db: Database, sandbox: str, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    load = admitad_account(f"{sandbox}/admitad")
    opened = open_run(db, make_request("killed"))
    unit = WorkUnit.from_dict(opened.units[0])
    killed = 0
    while killed < kills:
        child = Child(lambda: sync_unit(Database(), "killed", unit, load))
        time.sleep(chance.uniform(0.05, 1.2))
        if not child.is_running():
            assert child.wait() == 0
            break
        child.kill()
        killed += 1
    assert killed > 0
    if units_of(db, opened.id)[0]["status"] != "completed":
        sync_unit(db, "killed", unit, load)
    assert settle_run(db, "killed", Airflow()).statuses == {"admitad_default": "completed"}
    sums = total(units_of(db, opened.id))
    stored = rows(db, "SELECT count(*) AS n FROM data_sync.purchases")[0]["n"]
    assert sums == {"read": stored, "inserted": stored}
    assert changes(db) == []
    assert table(db) == world(sandbox)
    again = total(sync_run(db, "again", load))
    assert again == {"read": stored, "unchanged": stored}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_few_kills_leave_nothing_behind(db: Database, sandbox: str, seed: int) -> None:
    kill_and_retry(db, sandbox, kills=3, seed=seed)


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_thirty_kills_leave_nothing_behind(db: Database, sandbox: str) -> None:
    kill_and_retry(db, sandbox, kills=30, seed=30)
