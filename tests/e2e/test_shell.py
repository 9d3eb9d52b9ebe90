"""What a person at a shell can start and ask for, on a real Airflow: check, backfill, retry."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.airflow_site import AirflowSite

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]


def data_sync(site: AirflowSite, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as somebody does who may see it fail."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "data-sync"), *words],
        env=site.env,
        capture_output=True,
        text=True,
        timeout=300,
    )


def accounts_of(site: AirflowSite, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = data_sync(site, "accounts", *words, "--json")
    return done.returncode, {row["account"]: row for row in json.loads(done.stdout)}


def test_accounts_are_checked_where_their_credentials_are(site: AirflowSite) -> None:
    site.wait_for_dag("quick_sync")
    data_sync(site, "accounts", "grant", "admitad_broken", "everyone")
    # quick_sync gets its group within a parse interval.
    site.until(
        lambda: any(
            task["task_id"] == "admitad__broken.sync"
            for task in site.call("GET", "/dags/quick_sync/tasks")["tasks"]
        ),
        "the group of admitad_broken",
    )
    code, found = accounts_of(site, "check", "admitad_default", "admitad_broken")
    assert code == 1
    assert found["admitad_default"]["verdict"] == "fine"
    assert sorted(found["admitad_default"]["reads"]) == ["campaigns", "coupons", "purchases"]
    assert found["admitad_broken"]["verdict"] == "wrong credentials"
    assert "enter them again" in found["admitad_broken"]["message"]
    assert accounts_of(site, "check", "admitad_default")[0] == 0
    _, listed = accounts_of(site)
    assert listed["admitad_broken"]["last_check"] == "wrong credentials"
    (budget,) = listed["admitad_default"]["budgets"]
    assert (budget["allowed"], budget["per_seconds"], budget["closed_until"]) == (570, 60, None)


def test_an_account_that_was_added_a_moment_ago_is_read_at_once(site: AirflowSite) -> None:
    made = {"connection_id": "admitad_fresh", "conn_type": "affiliate_admitad"}
    host = f"http://127.0.0.1:{site.sandbox_port}/admitad"
    site.call(
        "POST",
        "/connections",
        json=made | {"host": host, "login": site.canary.login, "password": site.canary.secret},
    )
    code, found = accounts_of(site, "check", "admitad_fresh")
    assert (code, found["admitad_fresh"]["verdict"]) == (0, "fine")


def test_an_account_that_does_not_exist_harms_no_other_and_is_not_known_afterwards(site: AirflowSite) -> None:
    code, found = accounts_of(site, "check", "admitad_default", "admitad_ghost")
    assert code == 1
    assert found["admitad_default"]["verdict"] == "fine"
    assert found["admitad_ghost"]["verdict"] == "not configured"
    assert "There is no Airflow connection 'admitad_ghost'. Add it" in found["admitad_ghost"]["message"]
    assert "admitad_ghost" not in accounts_of(site)[1]
    run_id, state = site.run("quick_sync", {"networks": ["admitad:ghost"], "sync_type": "campaigns"})
    assert state == "failed"
    log = site.logs_of(run_id)["admitad_ghost"]
    assert (log["status"], log["error"]["verdict"]) == ("failed", "not configured")
    assert site.rows("SELECT state FROM data_sync.sync_runs WHERE run_id = %s", run_id) == [
        {"state": "closed"}
    ]


def test_past_days_are_read_again_as_one_run_that_no_daily_maximum_counts(site: AirflowSite) -> None:
    site.wait_for_dag("sync__once-a-day")
    done = data_sync(site, "backfill", "whole", "--from", "2026-02-01", "--to", "2026-02-03", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = site.rows("SELECT * FROM data_sync.sync_runs WHERE kind = 'backfill'")
    assert (run["schedule_key"], run["guard"]) == ("whole", "not_counted")
    assert (str(run["first_day"]), str(run["last_day"])) == ("2026-02-01", "2026-02-03")
    assert [unit["kind"] for unit in run["units"]] == ["purchases"]
    assert site.table_totals("2026-02-01", "2026-02-03") == site.sandbox_totals("2026-02-01", "2026-02-03")


def test_a_failed_log_is_read_again_once_its_cause_is_mended(site: AirflowSite) -> None:
    run_id, state = site.run("sync__two-accounts")
    assert state == "failed"
    failed = site.logs_of(run_id)["admitad_broken"]["id"]
    listed = json.loads(data_sync(site, "logs", "--status", "failed", "--json").stdout)
    assert failed in [log["id"] for log in listed]
    mended = {"connection_id": "admitad_broken", "conn_type": "affiliate_admitad"}
    host = f"http://127.0.0.1:{site.sandbox_port}/admitad"
    secret = {"host": host, "login": site.canary.login, "password": site.canary.secret}
    site.call("PATCH", "/connections/admitad_broken", json=mended | secret)
    try:
        done = data_sync(site, "retry", str(failed), "--wait")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "completed" in done.stdout
    finally:
        site.call("PATCH", "/connections/admitad_broken", json=mended | secret | {"password": "not-it"})
    (again,) = site.rows("SELECT * FROM data_sync.sync_runs WHERE retry_of = %s", failed)
    assert again["kind"] == "retry"
    assert list(site.logs_of(again["run_id"])) == ["admitad_broken"]
    (log,) = [x for x in json.loads(data_sync(site, "logs", "--json").stdout) if x["id"] == failed]
    assert "Read again by log" in log["reason"]
    refused = data_sync(site, "retry", str(failed))
    assert refused.returncode == 1
    assert "has been" in refused.stderr


def test_what_cannot_be_started_is_refused_in_a_sentence(site: AirflowSite) -> None:
    for words, sentence in [
        (
            ("backfill", "nowhere", "--from", "2026-02-01", "--to", "2026-02-02"),
            "There is no schedule 'nowhere'",
        ),
        (("backfill", "whole", "--from", "2026-02-02", "--to", "2026-02-01"), "swap them"),
        (("backfill", "two-accounts", "--from", "2026-02-01", "--to", "2026-02-02"), "have no past days"),
        (("retry",), "Name the logs"),
        (("retry", "999999"), "There is no log 999999"),
        (("accounts", "check", "nobody_default"), "belongs to no network"),
    ]:
        done = data_sync(site, *words)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert sentence in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
