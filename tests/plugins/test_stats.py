"""What logs add up to, as the API tells it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from data_sync.database import Database
from data_sync.schedules.model import Schedule
from tests.plugins.airflow_app import App
from tests.plugins.log_stock import COMPLETE, FIRST, make_log
from tests.plugins.routes import DEFINITION

MINE = Schedule.from_dict(DEFINITION)
MARCH = "from=2026-03-01&to=2026-03-05"


def stats(app: App, who: str, query: str = MARCH) -> list[dict[str, Any]]:
    answer = app.call(who, "GET", f"/sync/stats?{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    assert answer.json()["total_entries"] == len(items)
    return items


def test_a_day_adds_up_its_logs(stocked: App, db: Database) -> None:
    counts = (
        '{"purchases": {"read": 12, "inserted": 9, "updated": 3}, "coupons": {"read": 1, "inserted": 1, '
        '"updated": 0}}'
    )
    with db.transaction() as cursor:
        make_log(cursor, MINE, key="nightly", status="failed", at=FIRST + timedelta(days=1))
        make_log(cursor, MINE, key="nightly", status="superseded", at=FIRST + timedelta(days=1))
        make_log(cursor, MINE, key="nightly", status="processing", at=FIRST + timedelta(days=1))
        cursor.execute(
            "UPDATE data_sync.sync_logs SET counts = %s::jsonb, requests = 4, waited_seconds = 1.5, "
            "finished_at = started_at + interval '10 minutes' WHERE id = %s",
            [counts, COMPLETE],
        )
    first, second = stats(stocked, "anna")
    assert (first["day"], first["runs"], first["failed"], first["success_rate"]) == ("2026-03-01", 1, 1, 0.0)
    expected = {"day": "2026-03-02", "network": None, "schedule_key": None, "runs": 4, "completed": 2,
                "failed": 1, "skipped": 0, "open": 1, "success_rate": 0.6667, "rows_read": 13,
                "rows_inserted": 10, "rows_updated": 3, "requests": 4, "waited_seconds": 1.5,
                "median_seconds": 60.0}  # fmt: skip
    assert {name: second[name] for name in expected} == expected
    assert 60 < second["p95_seconds"] < 600


def test_networks_and_schedules_are_told_apart(stocked: App, db: Database) -> None:
    with db.transaction() as cursor:
        make_log(cursor, MINE, key="nightly", account="boostiny_default")
    by_network = stats(stocked, "anna", f"{MARCH}&by=network")
    assert [(i["day"], i["network"], i["runs"]) for i in by_network] == [
        ("2026-03-01", "admitad", 1), ("2026-03-01", "boostiny", 1), ("2026-03-02", "admitad", 1),
    ]  # fmt: skip
    by_schedule = stats(stocked, "ada", f"{MARCH}&by=schedule")
    assert [(i["schedule_key"], i["runs"], i["day"]) for i in by_schedule] == [
        ("nightly", 3, None), (None, 1, None),
    ]  # fmt: skip
    assert [i["runs"] for i in stats(stocked, "ada", f"{MARCH}&by=schedule&schedule=manual")] == [1]
    assert [i["runs"] for i in stats(stocked, "ada", f"{MARCH}&network=boostiny")] == [1]


def test_days_are_those_of_the_zone_that_is_asked_for(stocked: App) -> None:
    query = "from=2026-02-28&to=2026-03-01&timezone=America/New_York"
    assert [i["day"] for i in stats(stocked, "anna", query)] == ["2026-02-28", "2026-03-01"]


def test_everybody_adds_up_what_they_see(stocked: App) -> None:
    assert sum(i["runs"] for i in stats(stocked, "ada")) == 3
    assert sum(i["runs"] for i in stats(stocked, "anna")) == 2
    assert sum(i["runs"] for i in stats(stocked, "ben")) == 1
    assert stats(stocked, "vera") == []
    assert stats(stocked, "anna", "") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [("from=2026-03-02&to=2026-03-01", "from"), ("by=colour", "by"), ("timezone=Mars/Base", "timezone")],
)
def test_what_makes_no_sense_is_refused(stocked: App, query: str, field: str) -> None:
    answer = stocked.call("anna", "GET", f"/sync/stats?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
