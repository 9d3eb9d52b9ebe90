"""Which days are here, as the API tells it."""

from __future__ import annotations

from typing import Any

import pytest

from data_sync.database import Cursor, Database
from tests.plugins.airflow_app import App


def _read(cursor: Cursor, day: str, started_at: str, *, account: str, filters: tuple[str, ...]) -> None:
    for name in filters:
        cursor.execute(
            "INSERT INTO data_sync.reads (account, kind, date_filter, day, started_at, ended_at, log_id, "
            "step_id) VALUES (%s, 'purchases', %s, %s, %s, %s, 1, 1)",
            [account, name, day, started_at, started_at],
        )


def _purchase(cursor: Cursor, day: str, status: str | None, *, vanished: bool = False) -> None:
    cursor.execute(
        """
        INSERT INTO data_sync.purchases (account, key, network, grain, day, status, raw, digest,
            first_seen_at, updated_at, read_at, log_id, vanished_at)
        VALUES ('admitad_default', %(day)s::text, 'admitad', 'order', %(day)s::text::date, %(status)s, '{}',
            '', now(), now(), now(), 1, CASE WHEN %(vanished)s THEN now() END)
        """,
        {"day": day, "status": status, "vanished": vanished},
    )


def states(app: App, who: str, query: str, account: str = "admitad_default") -> dict[str, str]:
    answer = app.call(who, "GET", f"/sync/coverage?{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    days = next((item["days"] for item in items if item["account"] == account), [])
    return {day["day"]: day["covered"] for day in days}


def test_each_day_is_judged_by_what_is_here(stocked: App, db: Database) -> None:
    whole = {"account": "admitad_default", "filters": ("occurred",)}
    with db.transaction() as cursor:
        _purchase(cursor, "2026-03-02", "paid")
        # The network's day ends at nine in the evening of UTC.
        _read(cursor, "2026-03-03", "2026-03-03 20:59+00", **whole)
        _read(cursor, "2026-03-04", "2026-03-04 21:00+00", **whole)
        _read(cursor, "2026-03-05", "2026-03-09 00:00+00", **whole)
        _purchase(cursor, "2026-03-05", "pending")
        _read(cursor, "2026-03-06", "2026-03-09 00:00+00", **whole)
        _purchase(cursor, "2026-03-06", "declined")
        _purchase(cursor, "2026-03-07", "pending", vanished=True)
    assert states(stocked, "anna", "from=2026-03-01&to=2026-03-07") == {
        "2026-03-01": "never",
        "2026-03-02": "partial",
        "2026-03-03": "partial",
        "2026-03-04": "complete",
        "2026-03-05": "complete_with_unsettled",
        "2026-03-06": "complete",
        "2026-03-07": "never",
    }


def test_where_traffic_is_read_apart_both_kinds_count(stocked: App, db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute("INSERT INTO data_sync.accounts (account, network) VALUES ('boostiny_a', 'boostiny')")
        _read(cursor, "2026-03-01", "2026-03-09", account="boostiny_a", filters=("occurred coupon",))
        both = ("occurred coupon", "occurred link")
        _read(cursor, "2026-03-02", "2026-03-09", account="boostiny_a", filters=both)
    found = states(stocked, "ada", "from=2026-03-01&to=2026-03-02&network=boostiny", "boostiny_a")
    assert found == {"2026-03-01": "partial", "2026-03-02": "complete"}


def test_accounts_are_shown_to_who_may_use_them(stocked: App) -> None:
    assert len(states(stocked, "anna", "")) == 31
    assert len(states(stocked, "ada", "to=2026-03-31")) == 31
    assert states(stocked, "ben", "") == {}
    assert states(stocked, "anna", "network=boostiny") == {}


@pytest.mark.parametrize("query", ["from=2026-03-02&to=2026-03-01", "from=2026-01-01&to=2026-12-31"])
def test_days_that_make_no_sense_are_refused(stocked: App, query: str) -> None:
    answer = stocked.call("anna", "GET", f"/sync/coverage?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["from"]
