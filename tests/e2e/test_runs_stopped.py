"""Runs that somebody marks as failed, deletes or clears on a running Airflow: what was begun settles."""

from __future__ import annotations

import pytest

from tests.e2e.airflow_site import ACCOUNT, AirflowSite
from tests.e2e.in_flight import (
    BROKEN_OFF,
    Flight,
    Start,
    asked,
    calm,
    edit_schedule,
    is_alive,
    require_all_rows,
    require_true_counts,
    resize_pool,
    run_upkeep,
    slow_pages,
    without_upkeep,
)
from tests.services.web_hook import web_hook

pytestmark = [pytest.mark.airflow, pytest.mark.prove, pytest.mark.timeout(600)]

#: How soon a task's process ends that Airflow does not want any more, in seconds.
_TASK_ENDS = 45


def test_a_run_marked_failed_stops_says_so_and_the_next_one_starts_at_once(
    flight_site: AirflowSite, start: Start
) -> None:
    slow_pages(flight_site, 2)
    flight = start("marked-failed")
    flight.until_reading()
    working = [flight.process_of(f"admitad.sync[{unit}]") for unit in (0, 1)]
    with without_upkeep(flight_site):
        flight.mark_failed()
        flight.until_state("close_run", "success")
        log = flight.until_settled(5)[ACCOUNT]
    assert log["status"] == "failed"
    assert "marked as failed" in log["reason"]
    assert log["error"]["message"].endswith(".")
    assert flight.stored()["state"] == "closed"
    assert flight.lease_holder() is None
    assert flight.claims() == 1, "it has asked the network"
    assert flight.land() == "failed"
    flight.until(lambda: not any(map(is_alive, working)), "its tasks to end", _TASK_ENDS)
    left = flight.pages()
    require_true_counts(flight)
    calm(flight_site)
    following = start("marked-failed")
    following.until(lambda: following.lease_holder() == following.run_id, "the lease", 20)
    assert following.land() == "success"
    assert following.log()["status"] == "completed"
    assert following.claims() == 2
    require_all_rows(flight)
    assert (flight.pages(), flight.log()["status"]) == (left, "failed")


def test_a_cancelled_run_stops_behind_its_batch_and_has_not_failed(
    flight_site: AirflowSite, start: Start
) -> None:
    slow_pages(flight_site, 2)
    flight = start("cancelled")
    flight.until_reading()
    working = [flight.process_of(f"admitad.sync[{unit}]") for unit in (0, 1)]
    with without_upkeep(flight_site):
        said = flight_site.command("data-sync", "cancel", str(flight.log()["id"]))
        assert "ends: cancelled by " in said
        for unit in (0, 1):
            flight.until_state(f"admitad.sync[{unit}]", "skipped", seconds=_TASK_ENDS)
        assert flight.land() == "success"
    assert [step["status"] for step in flight.steps()] == ["cancelled", "cancelled"]
    assert flight.log()["status"] == "cancelled"
    assert [task["try_number"] for name, task in flight.tasks().items() if "sync" in name] == [1, 1]
    assert (flight.stored()["state"], flight.lease_holder()) == ("closed", None)
    assert not any(map(is_alive, working))
    require_true_counts(flight)
    calm(flight_site)
    following = start("cancelled")
    assert following.land() == "success"
    assert following.log()["status"] == "completed"
    require_all_rows(flight)


def test_a_deleted_run_is_closed_by_upkeep_which_tells_who_asked_for_it(
    flight_site: AirflowSite, start: Start
) -> None:
    slow_pages(flight_site, 2)
    with web_hook() as (url, received):
        hook = {"connection_id": "team_hook", "conn_type": "http", "host": url}
        flight_site.call("POST", "/connections", json=hook)
        flight = start("deleted")
        flight.until_reading()
        working = flight.process_of("admitad.sync[0]")
        flight.delete()
        log = flight.until_settled()[ACCOUNT]
        flight.until(lambda: received, "the notification", 30)
        flight_site.call("DELETE", "/connections/team_hook")
    ((_, _, told),) = received
    assert (told["run"], told["ended"]) == (flight.run_id, "skipped")
    assert (log["status"], log["reason"]) == (
        "cancelled",
        "The Airflow run was deleted before this unit had finished.",
    )
    assert (flight.stored()["state"], flight.stored()["guard"]) == ("closed", "claimed")
    assert flight.lease_holder() is None
    flight.until(lambda: not is_alive(working), "its task to end", _TASK_ENDS)
    require_true_counts(flight)


def test_the_run_after_a_deleted_one_does_not_wait_for_upkeep(flight_site: AirflowSite, start: Start) -> None:
    slow_pages(flight_site, 2)
    flight = start("deleted")
    flight.until_reading()
    with without_upkeep(flight_site):
        flight.delete()
        calm(flight_site)
        following = start("deleted")
        following.until(lambda: following.lease_holder() == following.run_id, "the lease", 20)
        assert flight.log()["status"] == "cancelled"
    assert following.land() == "success"
    assert following.log()["status"] == "completed"
    require_all_rows(flight)


def test_a_run_deleted_before_it_asked_the_network_uses_none_of_the_days_runs(
    flight_site: AirflowSite, start: Start
) -> None:
    resize_pool(flight_site, 0)
    flight = start("deleted-before-it-asked")
    flight.until_state("admitad.sync[0]", "scheduled")
    assert flight.claims() == 1
    flight.delete()
    resize_pool(flight_site, 4)
    following = start("deleted-before-it-asked")
    assert following.land() == "success"
    assert (flight.log()["status"], flight.stored()["guard"]) == ("cancelled", "given_back")
    assert following.log()["status"] == "completed"
    assert following.claims() == 1


def test_cleared_work_is_done_again_as_it_was_first_asked_for(flight_site: AirflowSite, start: Start) -> None:
    flight = start("cleared")
    assert flight.land() == "success"
    first = flight.stored()
    require_all_rows(flight)
    # The schedule is another one by now; the run is not.
    edit_schedule(flight_site, "cleared", {"from": "2025-01-20", "to": "2025-01-21", "max_runs_per_day": 9})
    flight_site.until(lambda: _limit_of(flight_site, "cleared") == 9, "the edit")

    before = asked(flight_site)
    flight.clear(("admitad.sync", 0))
    assert flight_site.wait_for_run(flight.dag_id, flight.run_id) == "success"
    run_upkeep(flight_site)
    flight.until_settled(5)
    assert [flight.tasks()[f"admitad.sync[{unit}]"]["try_number"] for unit in (0, 1)] == [2, 1]
    again = flight.steps()
    assert [step["status"] for step in again] == ["completed", "completed"]
    assert asked(flight_site) - before == again[0]["pages"]
    assert (again[0]["rows_inserted"], again[0]["rows_unchanged"]) == (0, again[0]["rows_read"])
    assert again[1]["rows_inserted"] == again[1]["rows_read"]
    _require_same_run(flight, first)

    flight.clear()
    flight.until(lambda: flight.state != "success", "the run to start again")
    assert flight.land() == "success"
    counts = flight.log()["counts"]["purchases"]
    assert counts["unchanged"] == counts["read"] > 0
    assert {task["state"] for task in flight.tasks().values()} == {"success"}
    _require_same_run(flight, first)
    require_all_rows(flight)
    assert flight_site.table_totals("2025-01-20", "2025-01-21") == {}


def _limit_of(site: AirflowSite, key: str) -> int:
    (entry,) = site.rows("SELECT definition FROM data_sync.sync_schedules WHERE key = %s", key)
    return int(entry["definition"]["max_runs_per_day"])


def _require_same_run(flight: Flight, first: dict[str, object]) -> None:
    """It ended well again, in its old shape, and used nothing more of its day."""
    assert (flight.log()["status"], flight.log()["error"]) == ("completed", None)
    now = flight.stored()
    assert {name: value for name, value in now.items() if name != "closed_at"} == {
        name: value for name, value in first.items() if name != "closed_at"
    }
    assert now["guard"] == "claimed"
    assert (flight.claims(), flight.lease_holder()) == (1, None)


def test_a_task_cleared_while_it_runs_goes_on_at_its_last_page(
    flight_site: AirflowSite, start: Start
) -> None:
    before = asked(flight_site)
    slow_pages(flight_site, 2)
    flight = start("cleared-in-flight")
    flight.until_reading()
    working = flight.process_of("admitad.sync[0]")
    flight.clear(("admitad.sync", 0))
    flight.until(lambda: not is_alive(working), "its task to end", _TASK_ENDS)
    calm(flight_site)
    assert flight.land() == "success"
    (step,) = flight.steps()
    assert (step["status"], step["resumed"]) == ("completed", True)
    assert asked(flight_site) - before <= step["pages"] + BROKEN_OFF
    counts = require_true_counts(flight)
    assert counts["read"] == counts["inserted"]
    require_all_rows(flight)
