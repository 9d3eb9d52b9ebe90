"""Every list finds what it shows by an index: none reads a table from end to end that grows with each run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from benchmarks import api_plans
from benchmarks.api_questions import QUESTIONS, Known, known
from benchmarks.log_stock import Stock, fill
from data_sync.local.postgres import EmbeddedPostgres
from data_sync.looking import logs as looking
from data_sync.looking.viewer import Viewer

VIEWERS = [Viewer("ada", is_admin=True), Viewer("anna"), Viewer("ben")]
STOCK = Stock(logs=40_000, schedules=200, purchases=5)


@pytest.fixture(scope="module")
def stocked(postgres: EmbeddedPostgres, migrated_template: str) -> Iterator[psycopg.Connection[Any]]:
    """A year of logs: so many that Postgres would not read them all for a few of them."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE stock_of_plans TEMPLATE {migrated_template}")
        with psycopg.connect(postgres.url("stock_of_plans"), autocommit=True) as connection:
            fill(connection, STOCK)
            yield connection
        admin.execute("DROP DATABASE stock_of_plans WITH (FORCE)")


@pytest.fixture
def stock(stocked: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> Known:
    # What is cheap enough to be found whole is less than these few logs altogether, as it is with millions.
    monkeypatch.setattr(looking, "_CHEAP", 100)
    monkeypatch.setattr(looking, "STRETCH", 2_000)
    monkeypatch.setattr(looking, "STRETCH_OF_TEXT", 1_000)
    with stocked.cursor(row_factory=dict_row) as cursor:
        return known(cursor)


def test_no_list_reads_a_large_table_from_end_to_end(stocked: psycopg.Connection[Any], stock: Known) -> None:
    found = api_plans.plans(stocked, VIEWERS, stock, times=60)
    assert {name: plans.scans for name, plans in found.items() if plans.scans} == {}
    for name, plans in found.items():
        assert plans.by_index == plans.statements > 0, name
    assert len(found) == len(QUESTIONS)


def test_it_shows_when_an_index_is_missing(stocked: psycopg.Connection[Any], stock: Known) -> None:
    with stocked.transaction(force_rollback=True):
        stocked.execute("DROP INDEX data_sync.sync_logs_time")
        found = api_plans.plans(stocked, VIEWERS, stock, times=20)
    assert any("sync_logs: " in scan for scan in found["logs"].scans)


def test_the_stock_is_what_it_says(stocked: psycopg.Connection[Any]) -> None:
    """Two logs per run, three steps per two logs, over a year; logs add up to their steps."""
    with stocked.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            """
            SELECT (SELECT count(*) FROM data_sync.sync_runs) AS runs, count(*) AS logs,
                sum(s.steps)::bigint AS steps, max(l.created_at) - min(l.created_at) AS span,
                count(*) FILTER (WHERE s.requests <> l.requests) AS different
            FROM data_sync.sync_logs l, LATERAL (SELECT count(*) AS steps, sum(requests) AS requests
                FROM data_sync.sync_log_steps WHERE log_id = l.id) s
            """
        )
        (row,) = cursor.fetchall()
    assert row["runs"] == STOCK.logs / 2
    assert abs(row["logs"] - STOCK.logs) < 0.05 * STOCK.logs
    assert abs(row["steps"] - 1.5 * row["logs"]) < 0.05 * row["logs"]
    assert row["span"].days == 364
    assert row["different"] == 0
