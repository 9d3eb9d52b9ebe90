"""What networks offer, how accounts stand, what a check finds at once, and what a sync would cost."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from data_sync.database import Database
from data_sync.schedules.accounts import AccountRef
from tests.data_sync.kit import admitad_account
from tests.plugins.airflow_app import App
from tests.sandbox_networks.caller import Caller, process

TEST = "/sync/networks/admitad_default/test"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Caller]:
    with process("--rows-per-day", "5") as caller:
        yield caller


def connect(monkeypatch: pytest.MonkeyPatch, sandbox: Caller, **changes: str) -> None:
    """Let the environment hold the account, as a secrets backend would."""
    values = dict(admitad_account(sandbox.base)("admitad_default").values) | changes
    known = {name: values.pop(name) for name in ("host", "login", "password") if name in values}
    connection = {"conn_type": "affiliate_admitad", **known, "extra": values}
    monkeypatch.setenv("AIRFLOW_CONN_ADMITAD_DEFAULT", json.dumps(connection))


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "fine"),
        ({"password": "canary-wrong-secret"}, "wrong credentials"),
        ({"host": "https://127.0.0.1:9"}, "unreachable"),
        ({"host": "http://169.254.169.254/latest/meta-data"}, "not configured"),
        ({"host": "file:///etc/passwd"}, "not configured"),
    ],
    ids=str,
)
def test_a_check_answers_at_once_and_is_kept(
    stocked: App, sandbox: Caller, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], verdict: str
) -> None:
    connect(monkeypatch, sandbox, **changes)
    answer = stocked.call("omar", "POST", TEST)
    assert (answer.status_code, answer.json()["verdict"]) == (200, verdict), answer.text
    assert "canary" not in answer.text
    listed = stocked.call("anna", "GET", "/sync/networks").json()["items"]
    (account,) = next(network for network in listed if network["slug"] == "admitad")["accounts"]
    assert (account["verdict"], account["health"]) == (verdict, "good" if verdict == "fine" else "bad")


def test_an_account_of_others_is_not_listed(stocked: App) -> None:
    for network in stocked.call("ben", "GET", "/sync/networks").json()["items"]:
        assert network["accounts"] == []
        assert network["limits"][0]["source"]


def forget_runs(db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute("DELETE FROM data_sync.sync_runs")


def test_a_plan_names_windows_and_cost(stocked: App, db: Database) -> None:
    forget_runs(db)
    body = {"schedule": "nightly", "from": "2026-01-01", "to": "2026-01-28"}
    plan = stocked.call("anna", "POST", "/sync/plan", json=body).json()
    assert plan["is_estimate"]
    assert [window["kind"] for window in plan["windows"]] == ["purchases"] * 4
    assert plan["days"]["count"] == 28
    (account,) = plan["accounts"]
    assert (account["requests"], account["requests_basis"]) == (4, "at least")
    assert plan["minutes"] == account["minutes"] > 0
    assert 0 < account["share_of_day"] < 1
    assert (plan["waits_for"], plan["runs_beside"]) == ([], 0)


def test_a_plan_rests_on_past_reads_and_names_the_run_to_wait_for(stocked: App, db: Database) -> None:
    forget_runs(db)
    account = AccountRef.parse("admitad").conn_id
    with db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO data_sync.sync_runs (dag_id, run_id, schedule_key, schedule_name, kind, anchor, "
            "timezone, sync_type, range_name, definition) VALUES ('sync__nightly', 'r', 'nightly', 'n', "
            "'scheduled', now(), 'UTC', 'purchases', 'today', '{}')"
        )
        cursor.execute(
            "INSERT INTO data_sync.sync_logs (sync_run, account, network, schedule_name, kind, sync_type, "
            "status) SELECT id, %s, 'admitad', 'n', 'scheduled', 'purchases', 'completed' "
            "FROM data_sync.sync_runs",
            [account],
        )
        cursor.execute(
            "INSERT INTO data_sync.sync_log_steps (log_id, unit_index, kind, label, first_day, last_day, "
            "status, requests) SELECT id, 0, 'purchases', 'p', '2026-01-01', '2026-01-02', 'completed', 20 "
            "FROM data_sync.sync_logs"
        )
    body = {"schedule": "nightly", "from": "2026-01-01", "to": "2026-01-05"}
    plan = stocked.call("anna", "POST", "/sync/plan", json=body).json()
    assert (plan["requests"], plan["accounts"][0]["requests_basis"]) == (50, "last reads")
    assert [run["run_id"] for run in plan["waits_for"]] == ["r"]
