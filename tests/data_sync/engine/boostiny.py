"""Runs of the sandbox's Boostiny over real HTTP, without Airflow in between."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import requests

from data_sync.database import Database
from data_sync.local import totals
from data_sync.runs.opening import OpenedRun, open_run
from data_sync.runs.request import RunKind
from data_sync.schedules.planning import WorkUnit
from data_sync.sync import SyncTask, run_sync
from network_clients.boostiny.facts import FACTS
from network_clients.interface import Credentials
from sandbox_networks.server import running
from sandbox_networks.settings import SandboxSettings
from tests.data_sync.kit import Airflow, make_request, make_schedule, settle_run, units_of

ACCOUNT = "boostiny_default"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 6)
DAYS = {"first": FIRST.isoformat(), "last": LAST.isoformat()}

Load = Callable[[str], Credentials]


class Site:
    """The sandbox, and an account there."""

    def __init__(self, url: str) -> None:
        self.url = url

    def account(self, **values: str) -> Load:
        """How a task finds the account's credentials; it asks as fast as it can."""
        fields = {
            "host": f"{self.url}/boostiny",
            "password": "sandbox-boostiny-secret",
            "pace_seconds": "0.001",
        }

        def load(account: str) -> Credentials:
            return Credentials(account, {**fields, "pace_seconds": "0.001", **values})

        return load

    def admin(self, path: str, body: Any) -> None:
        requests.post(f"{self.url}/_admin{path}", json=body, timeout=60).raise_for_status()

    def advance(self, **span: int) -> None:
        seconds = span.get("days", 0) * 86_400 + span.get("hours", 0) * 3600
        self.admin("/clock", {"advance_seconds": seconds})

    def fault(self, kind: str, **details: Any) -> None:
        self.admin("/faults", {"network": "boostiny", "kind": kind, **details})

    def traffic(self) -> dict[str, Any]:
        state = requests.get(f"{self.url}/_admin/state", timeout=60).json()
        found: dict[str, Any] = state["networks"]["boostiny"]
        return found

    def requests(self) -> int:
        return int(self.traffic()["requests_total"])

    def totals(self, first: date = FIRST, last: date = LAST) -> dict[str, Any]:
        query = {"from": first.isoformat(), "to": last.isoformat()}
        answer = requests.get(f"{self.url}/_admin/totals/boostiny", params=query, timeout=60)
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def site(
    *, now: datetime | None = NOON, rows_per_day: int = 60, limits: bool = False, **options: Any
) -> Iterator[Site]:
    settings = SandboxSettings(
        now=now, rows_per_day=rows_per_day, networks=("boostiny",), enforce_limits=limits,
        options={"boostiny": {"per_page": 25, **options}},
    )  # fmt: skip
    with running(settings) as url:
        yield Site(url)


def open_boostiny(db: Database, run_id: str, kind: RunKind = RunKind.QUICK_SYNC, **words: Any) -> OpenedRun:
    anchor = words.pop("anchor", NOON)
    schedule = make_schedule(**{"networks": ["boostiny"], **DAYS, **words})
    key = "daily" if kind is not RunKind.QUICK_SYNC else None
    return open_run(db, make_request(run_id, schedule, kind=kind, schedule_key=key, anchor=anchor))


def sync_unit(db: Database, run_id: str, unit: dict[str, object], load: Load) -> None:
    work, holder = WorkUnit.from_dict(unit), str(uuid.uuid4())
    run_sync(db, SyncTask("sync__daily", run_id, ACCOUNT, work, holder, 4, is_last_try=False), load)


def sync_run(
    db: Database, run_id: str, load: Load, kind: RunKind = RunKind.QUICK_SYNC, **words: Any
) -> list[dict[str, Any]]:
    """Open a run, sync all its units in turn, settle it, and return the rows of its units."""
    opened = open_boostiny(db, run_id, kind, **words)
    for unit in opened.units:
        sync_unit(db, run_id, unit, load)
    assert settle_run(db, run_id, Airflow()).is_closed
    return units_of(db, opened.id)


def assert_true(database: str, sandbox: Site, *, catalogues: bool = False) -> None:
    """The tables hold what the sandbox says there is, to the cent, over both kinds of traffic."""
    answer = sandbox.totals()
    expected = totals.of_sandbox(answer, FACTS)
    with psycopg.connect(database) as connection:
        found = totals.of_tables(connection, ACCOUNT, FIRST, LAST)
        sums = connection.execute(
            "SELECT sum(orders), sum(gross_orders), sum(gross_commission), sum(gross_sale_amount) "
            "FROM data_sync.purchases WHERE day BETWEEN %s AND %s AND vanished_at IS NULL",
            [FIRST, LAST],
        ).fetchone()
    if not catalogues:
        found.campaigns, found.coupons = expected.campaigns, expected.coupons
    assert expected.purchases
    assert totals.differences(expected, found) == []
    assert sums is not None
    gross = answer["gross"]
    assert sums[:2] == (answer["orders"], gross["orders"])
    assert [f"{amount:.4f}" for amount in sums[2:]] == [gross["payment"], gross["cart"]]
