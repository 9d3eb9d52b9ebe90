"""``data-sync status`` where something is away; beside Airflow: tests/data_sync/dag/test_status.py."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from data_sync.cli import cli


def status(*words: str) -> Result:
    return CliRunner().invoke(cli, ["status", *words])


@pytest.mark.usefixtures("database", "without_airflow")
def test_where_airflows_database_is_out_of_reach_it_says_so_and_shows_the_rest() -> None:
    found = json.loads(status("--json").output)
    assert found["tables"]["schedules"] == 0
    assert "cannot be reached" in found["unreadable"]["services"]
    assert found["services"] is None


def test_without_our_database_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", "postgresql://nobody:canary-password@127.0.0.1:9/nothing")
    found = status()
    assert found.exit_code == 1
    assert "the database data_sync cannot be used" in found.output
    assert "canary-password" not in found.output
