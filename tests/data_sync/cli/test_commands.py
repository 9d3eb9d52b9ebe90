"""The command ``data-sync``, as somebody at a shell uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pendulum
import pytest
from click.testing import CliRunner, Result
from pendulum import datetime

from data_sync import accounts
from data_sync.cli import cli
from data_sync.cli.schedules import _next_run
from data_sync.database import Database
from data_sync.errors import DatabaseError, DataSyncError
from data_sync.local.postgres import EmbeddedPostgres
from data_sync.runs.opening import open_run
from data_sync.runs.request import RunKind, RunRequest
from data_sync.schedules.model import Schedule


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def test_validate_says_what_to_write_instead_and_exits_1(tmp_path: Path) -> None:
    path = tmp_path / "schedules.yaml"
    path.write_text("schedules:\n  a: {networks: [admitat], interval: 1h, date_range: today}\n")
    found = run("validate", str(path))
    assert found.exit_code == 1
    assert f"{path}:2: " in found.output
    assert "write admitad" in found.output


def test_validate_accepts_the_shipped_file_and_says_what_it_did_not_check() -> None:
    found = run("validate", "config/schedules.yaml")
    assert found.exit_code == 0
    assert "Accounts are not checked here" in found.output


@pytest.mark.parametrize("command", ["schedules", "logs", "totals", "accounts"])
def test_before_anything_ran_a_sentence_says_so(database: str, command: str) -> None:
    found = run(command)
    assert found.exit_code == 0
    assert len(found.output.strip().split(" ")) > 5
    assert json.loads(run(command, "--json").output) == []


def test_logs_are_listed_as_a_table_and_as_json(database: str) -> None:
    schedule = Schedule.from_dict(
        {"key": "daily", "networks": ["admitad"], "interval": "1d", "date_range": "yesterday"}
    )
    request = RunRequest(
        "sync__daily", "one", RunKind.RUN_NOW, datetime(2026, 3, 4), "anna", schedule, "daily"
    )
    open_run(Database(), request)
    assert "admitad_default" in run("logs").output
    (log,) = json.loads(run("logs", "--json").output)
    assert (log["schedule"], log["account"], log["status"]) == ("daily", "admitad_default", "pending")
    assert json.loads(run("logs", "--json", "--status", "failed").output) == []


def test_grants_are_given_shown_and_taken_back(database: str) -> None:
    assert run("accounts", "grant", "admitad_default", "anna").exit_code == 0
    run("accounts", "grant", "admitad_default", accounts.EVERYONE)
    (row,) = json.loads(run("accounts", "--json").output)
    assert (row["users"], row["everyone"]) == (["anna"], True)
    run("accounts", "revoke", "admitad_default", "anna")
    run("accounts", "revoke", "admitad_default", accounts.EVERYONE)
    (row,) = json.loads(run("accounts", "--json").output)
    assert (row["users"], row["everyone"]) == ([], False)


def test_a_grant_for_no_network_is_refused_with_the_networks(database: str) -> None:
    found = run("accounts", "grant", "shop_default", "anna")
    assert isinstance(found.exception, DataSyncError)
    assert "the networks are" in str(found.exception)


def test_an_unreachable_database_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", "postgresql://nobody@127.0.0.1:1/none")
    found = run("logs")
    assert isinstance(found.exception, DataSyncError)
    assert "does not answer" in str(found.exception)


def test_a_missing_connection_says_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_DATA_SYNC", raising=False)
    found = run("totals")
    assert isinstance(found.exception, DataSyncError)
    assert "AIRFLOW_CONN_DATA_SYNC" in str(found.exception)


@pytest.mark.parametrize("name", ["admitad", "admitad_Shop2", "admitad_", "Admitad_default"])
def test_only_what_can_be_an_accounts_id_is_granted(database: str, name: str) -> None:
    found = run("accounts", "grant", name, "anna")
    assert found.exit_code == 1
    assert "admitad_default" in str(found.exception)
    assert json.loads(run("accounts", "--json").output) == []


@pytest.mark.parametrize(
    "words",
    [("logs",), ("totals",), ("schedules",), ("accounts",), ("retry", "--all-failed"), ("accounts", "check")],
)
def test_a_database_without_our_tables_is_told_with_the_command_that_makes_them(
    empty_database: str, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    name = empty_database.rsplit("/", 1)[1].split("?")[0]
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", postgres.airflow_url(name))
    found = run(*words)
    assert isinstance(found.exception, DatabaseError)
    assert "Run: data-sync migrate" in str(found.exception)


def test_sales_without_a_commission_are_summed_all_the_same(database: str) -> None:
    with Database().transaction() as cursor:
        cursor.execute(
            "INSERT INTO data_sync.purchases (account, key, network, grain, day, status, sale_amount, "
            "sale_currency, raw, digest, first_seen_at, updated_at, read_at, log_id) VALUES "
            "('admitad_default', '1', 'admitad', 'order', '2026-03-01', 'pending', 100, 'USD', '{}', '', "
            "now(), now(), now(), 1)"
        )
    (row,) = json.loads(run("totals", "--json").output)
    assert (row["currency"], row["sales"], row["commission"]) == ("USD", "100", None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({}, "2026-03-11T00:00:00+04:00"),
        ({"start_date": "2026-04-01"}, "2026-04-01T00:00:00+04:00"),
        ({"end_date": "2026-03-10"}, None),
        ({"end_date": "2026-03-11"}, "2026-03-11T00:00:00+04:00"),
        ({"active": False}, None),
    ],
)
def test_the_next_run_is_one_that_will_be(words: dict, expected: str | None) -> None:
    schedule = Schedule.from_dict(
        {
            "key": "daily",
            "networks": ["admitad"],
            "interval": "1d",
            "date_range": "yesterday",
            "timezone": "Asia/Dubai",
            **words,
        }
    )
    found = _next_run(schedule, datetime(2026, 3, 10, 12))
    assert found == (None if expected is None else pendulum.parse(expected))
