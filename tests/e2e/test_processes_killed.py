"""kill -9 on a running Airflow: of sync tasks, of what watches over them, of open_run and close_run."""

from __future__ import annotations

import pytest

from tests.e2e.airflow_site import AirflowSite
from tests.e2e.in_flight import (
    BROKEN_OFF,
    Start,
    asked,
    calm,
    doubled_changes,
    is_alive,
    locked,
    require_all_rows,
    require_true_counts,
    slow_pages,
)

pytestmark = [pytest.mark.airflow, pytest.mark.prove, pytest.mark.timeout(600)]


def test_two_killed_tasks_go_on_at_their_last_page(flight_site: AirflowSite, start: Start) -> None:
    before = asked(flight_site)
    slow_pages(flight_site, 1.5)
    flight = start("process-killed")
    # One after the other: on a busy machine the first may have ended before the second has read so much.
    for unit in (0, 1):
        flight.until(lambda unit=unit: [*flight.pages(), 0, 0][unit] >= 1, f"a page of unit {unit}")
        flight.kill(f"admitad.sync[{unit}]")
    calm(flight_site)
    assert flight.land() == "success"
    tasks = flight.tasks()
    assert [tasks[f"admitad.sync[{unit}]"]["try_number"] for unit in (0, 1)] == [2, 2]
    log = flight.log()
    assert (log["status"], log["tries"], log["warnings"]) == ("completed", 2, [])
    steps = flight.steps()
    assert [(step["status"], step["resumed"], step["is_complete"]) for step in steps] == [
        ("completed", True, True)
    ] * 2
    counts = require_true_counts(flight)
    assert counts["read"] == counts["inserted"]
    require_all_rows(flight)
    assert doubled_changes(flight_site) == []
    assert asked(flight_site) - before <= sum(step["pages"] + BROKEN_OFF for step in steps)
    assert flight.lease_holder() is None


def test_a_killed_read_of_changed_rows_puts_each_change_into_the_history_once(
    flight_site: AirflowSite, start: Start
) -> None:
    assert start("killed-on-changes").land() == "success"
    before = _versions(flight_site)
    flight_site.sandbox("POST", "/clock", json={"advance_seconds": 20 * 86_400})
    slow_pages(flight_site, 1.5)
    flight = start("killed-on-changes")
    flight.until_reading()
    flight.kill("admitad.sync[0]")
    calm(flight_site)
    assert flight.land() == "success"
    log = flight.log()
    assert (log["status"], log["tries"]) == ("completed", 2)
    counts = require_true_counts(flight)
    assert counts["updated"] > 100
    after = _versions(flight_site)
    changed = {key for key, version in before.items() if version != after[key]}
    history = flight_site.rows("SELECT key FROM data_sync.purchase_changes WHERE log_id = %s", log["id"])
    assert sorted(row["key"] for row in history) == sorted(changed)
    # What a broken-off read cannot prove to be gone, the next one marks.
    following = start("killed-on-changes")
    assert following.land() == "success"
    counts = following.log()["counts"]["purchases"]
    assert (counts["inserted"], counts["updated"]) == (0, 0)
    require_all_rows(following)
    assert doubled_changes(flight_site) == []


def _versions(site: AirflowSite) -> dict[str, tuple[object, ...]]:
    found = site.rows("SELECT key, status, status_word, commission, sale_amount FROM data_sync.purchases")
    return {str(row.pop("key")): tuple(row.values()) for row in found}


def test_a_task_whose_supervisor_was_killed_is_taken_over(flight_site: AirflowSite, start: Start) -> None:
    before = asked(flight_site)
    slow_pages(flight_site, 8)
    flight = start("supervisor-killed")
    flight.until_reading()
    orphan = flight.kill_supervisor("admitad.sync[0]")
    read = flight.pages()[0]
    # Airflow hears no more of the task, which goes on reading until another one takes its unit.
    flight.until(lambda: flight.pages()[0] > read, "a page of the orphan")
    flight.until(lambda: flight.steps()[0]["tries"] == 2, "the second try", 120)
    assert is_alive(orphan)
    assert flight.steps()[0]["status"] == "processing"
    calm(flight_site)
    assert flight.land() == "success"
    assert flight.tasks()["admitad.sync[0]"]["try_number"] == 2
    (step,) = flight.steps()
    assert (step["status"], step["resumed"], step["tries"]) == ("completed", True, 2)
    flight.until(lambda: not is_alive(orphan), "the end of the orphan")
    counts = require_true_counts(flight)
    assert counts["read"] == counts["inserted"]
    require_all_rows(flight)
    assert asked(flight_site) - before <= step["pages"] + BROKEN_OFF
    assert flight.lease_holder() is None


def test_a_run_whose_open_run_was_killed_opens_once(flight_site: AirflowSite, start: Start) -> None:
    with locked(flight_site, "LOCK TABLE data_sync.schedule_leases IN ACCESS EXCLUSIVE MODE"):
        flight = start("opening-killed")
        flight.until(lambda: _waits_for_lock(flight_site), "open_run to wait for the table")
        flight.kill("open_run")
        flight.until_state("open_run", "up_for_retry")
    assert flight.land() == "success"
    assert flight.tasks()["open_run"]["try_number"] == 2
    assert flight.log()["status"] == "completed"
    assert (flight.stored()["guard"], flight.claims()) == ("claimed", 1)
    require_all_rows(flight)
    assert flight.lease_holder() is None


def test_a_run_whose_close_run_was_killed_settles(flight_site: AirflowSite, start: Start) -> None:
    slow_pages(flight_site, 1)
    flight = start("closing-killed")
    flight.until_reading()
    with locked(flight_site, "SELECT 1 FROM data_sync.sync_runs WHERE run_id = %s FOR UPDATE", flight.run_id):
        calm(flight_site)
        flight.until_state("close_run", "running", seconds=120)
        flight.until(lambda: _waits_for_lock(flight_site), "close_run to wait for its run")
        flight.kill("close_run")
        flight.until_state("close_run", "up_for_retry")
        assert flight.log()["status"] == "processing"
    assert flight.until_settled()["admitad_default"]["status"] == "completed"
    assert flight.land() == "success"
    assert flight.tasks()["close_run"]["try_number"] == 2
    assert (flight.stored()["state"], flight.lease_holder()) == ("closed", None)
    require_all_rows(flight)


def _waits_for_lock(site: AirflowSite) -> bool:
    found = site.rows(
        "SELECT 1 FROM pg_stat_activity WHERE datname = 'data_sync' AND wait_event_type = 'Lock'"
    )
    return bool(found)
