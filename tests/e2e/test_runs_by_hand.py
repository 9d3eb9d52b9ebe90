"""What people do by hand on Airflow's pages while and after a run works: each way settles and says so."""

from __future__ import annotations

import pytest

from tests.e2e.airflow_site import ACCOUNT, AirflowSite
from tests.e2e.in_flight import (
    SETTLE_SECONDS,
    Start,
    calm,
    doubled_changes,
    is_alive,
    pause,
    require_all_rows,
    require_true_counts,
    run_upkeep,
    slow_pages,
)

pytestmark = [pytest.mark.airflow, pytest.mark.prove, pytest.mark.timeout(600)]


def test_a_unit_that_is_marked_successful_while_it_reads_says_that_it_is_not_complete(
    flight_site: AirflowSite, start: Start
) -> None:
    slow_pages(flight_site, 2)
    flight = start("marked-by-hand")
    flight.until_reading()
    working = flight.process_of("admitad.sync[0]")
    path = f"{flight.path}/taskInstances/admitad.sync/0"
    flight_site.call("PATCH", path, json={"new_state": "success"})
    flight.until(lambda: not is_alive(working), "its task to end")
    calm(flight_site)
    log = flight.until_settled()[ACCOUNT]
    assert log["status"] == "failed"
    assert "counts the task as successful, but it has not read this unit to its end" in log["reason"]
    assert (flight.state, flight.lease_holder()) == ("success", None)
    require_true_counts(flight)
    # And the way that the message names: the task is cleared, and reads the rest.
    flight.clear(("admitad.sync", 0))
    flight.until(lambda: flight.state != "success", "the run to start again")
    assert flight.land() == "success"
    assert flight.log()["status"] == "completed"
    require_all_rows(flight)


def test_a_run_that_is_marked_successful_while_it_reads_settles(
    flight_site: AirflowSite, start: Start
) -> None:
    slow_pages(flight_site, 2)
    flight = start("marked-by-hand")
    flight.until_reading()
    flight_site.call("PATCH", flight.path, json={"state": "success"})
    log = flight.until_settled()[ACCOUNT]
    assert log["status"] == "failed"
    assert (flight.stored()["state"], flight.lease_holder()) == ("closed", None)
    calm(flight_site)
    following = start("marked-by-hand")
    assert following.land() == "success"
    require_all_rows(following)


def test_a_run_that_is_cleared_the_moment_it_closes_is_done_again_whole(
    flight_site: AirflowSite, start: Start
) -> None:
    flight = start("cleared-at-once")
    statement = "SELECT 1 FROM data_sync.sync_runs WHERE run_id = %s AND state = 'closed'"
    flight.until(lambda: flight_site.rows(statement, flight.run_id), "it to close", SETTLE_SECONDS)
    flight.clear()

    def is_opened_again() -> bool:
        if flight.state == "success" and flight.states()["open_run"] is None:
            # Airflow was ending the run at that moment, and has written over what clearing did to it.
            flight.clear()
        return bool(flight.tasks()["open_run"]["try_number"] >= 2)

    flight.until(is_opened_again, "open_run to run again", 120)
    assert flight.land() == "success"
    run_upkeep(flight_site)
    log = flight.until_settled(5)[ACCOUNT]
    assert (log["status"], log["reason"]) == ("completed", None)
    assert flight.claims() == 1
    assert flight.lease_holder() is None
    counts = flight.log()["counts"]["purchases"]
    assert counts["read"] == counts["unchanged"]
    require_all_rows(flight)


def test_open_run_cleared_alone_reads_nothing_and_says_so(flight_site: AirflowSite, start: Start) -> None:
    flight = start("cleared-at-once")
    assert flight.land() == "success"
    body = {
        "dry_run": False,
        "only_failed": False,
        "dag_run_id": flight.run_id,
        "task_ids": ["open_run"],
        "include_downstream": False,
    }
    flight_site.call("POST", f"/dags/{flight.dag_id}/clearTaskInstances", json=body)
    flight.until(lambda: flight.tasks()["open_run"]["try_number"] == 2, "open_run to run again")
    assert flight_site.wait_for_run(flight.dag_id, flight.run_id) == "success"
    log = flight.until_settled()[ACCOUNT]
    assert log["status"] == "failed"
    assert "or cleared open_run alone" in log["reason"]
    assert flight.lease_holder() is None
    require_all_rows(flight)


def test_two_quick_syncs_of_one_account_at_once_double_nothing(flight_site: AirflowSite) -> None:
    days = {"date_range": "custom", "from": "2025-06-11", "to": "2025-06-15"}
    conf = {"networks": ["admitad"], "sync_type": "purchases", **days}
    runs = [flight_site.begin("quick_sync", conf) for _ in range(2)]
    assert [flight_site.wait_for_run("quick_sync", run) for run in runs] == ["success"] * 2
    logs = [flight_site.logs_of(run)[ACCOUNT] for run in runs]
    assert {log["status"] for log in logs} <= {"completed", "superseded"}
    # What lies around these days was read besides, because Admitad's zone is not certain.
    around = flight_site.table_totals("2025-06-09", "2025-06-18").values()
    stored = sum(rows for currencies in around for rows, *_ in currencies.values())
    assert sum(log["counts"]["purchases"]["inserted"] for log in logs) == stored
    assert flight_site.table_totals(days["from"], days["to"]) == flight_site.sandbox_totals(
        days["from"], days["to"]
    )
    assert doubled_changes(flight_site) == []


def test_a_run_that_is_started_while_its_schedule_is_paused_waits_for_the_end_of_the_pause(
    flight_site: AirflowSite, start: Start
) -> None:
    flight_site.wait_for_dag("sync__marked-by-hand")
    pause(flight_site, "sync__marked-by-hand")
    flight = start("marked-by-hand")
    run_upkeep(flight_site)
    assert (flight.state, flight_site.logs_of(flight.run_id)) == ("queued", {})
    # Meanwhile, quick_sync runs the schedule once and leaves it paused.
    run_id, state = flight_site.run("quick_sync", {"schedule": "marked-by-hand"})
    assert (state, flight_site.logs_of(run_id)[ACCOUNT]["kind"]) == ("success", "run_now")
    assert flight_site.call("GET", "/dags/sync__marked-by-hand")["is_paused"]
    pause(flight_site, "sync__marked-by-hand", False)
    assert flight.land() == "success"
