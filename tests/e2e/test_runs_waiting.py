"""Runs that wait on a running Airflow: for the end of a pause, and for a network that wants no calls."""

from __future__ import annotations

import time

import pytest

from tests.e2e.airflow_site import ACCOUNT, AirflowSite
from tests.e2e.in_flight import (
    BROKEN_OFF,
    PURCHASES,
    SETTLE_SECONDS,
    Start,
    asked,
    calm,
    locked,
    pause,
    require_all_rows,
    require_true_counts,
    resize_pool,
    run_upkeep,
    slow_pages,
)

pytestmark = [pytest.mark.airflow, pytest.mark.prove, pytest.mark.timeout(600)]


def test_a_pause_lets_running_units_finish_and_holds_the_rest_until_it_ends(
    flight_site: AirflowSite, start: Start
) -> None:
    resize_pool(flight_site, 1)
    slow_pages(flight_site, 1)
    flight = start("paused")
    flight.until(lambda: sum(flight.pages()) >= 2, "two pages")
    (reading,) = [unit for unit, pages in enumerate(flight.pages()) if pages]
    waiting = 1 - reading
    pause(flight_site, flight.dag_id)
    another = start("paused")
    resize_pool(flight_site, 4)
    flight.until_state(f"admitad.sync[{reading}]", "success")
    calm(flight_site)
    flight.until(lambda: flight.log()["status"] == "held", "the log to say that it is held", SETTLE_SECONDS)
    assert flight.log()["reason"].startswith("held by pause")
    assert flight.log()["finished_at"] is None
    steps = flight.steps()
    assert (steps[reading]["status"], steps[waiting]["status"]) == ("completed", "pending")
    states = flight.states()
    assert states[f"admitad.sync[{waiting}]"] in ("scheduled", None)
    assert states["close_run"] is None
    assert flight.processes() == []
    assert (flight.state, another.state) == ("running", "queued")
    assert flight.lease_holder() == flight.run_id

    pause(flight_site, flight.dag_id, False)
    assert flight.land() == "success"
    log = flight.log()
    assert (log["status"], log["reason"], log["tries"]) == ("completed", None, 1)
    assert another.land() == "success"
    assert another.log()["status"] == "completed"
    require_all_rows(flight)
    assert flight.lease_holder() is None


def test_a_pause_after_the_last_unit_began_holds_only_close_run(
    flight_site: AirflowSite, start: Start
) -> None:
    slow_pages(flight_site, 1)
    flight = start("paused")
    flight.until_reading()
    pause(flight_site, flight.dag_id)
    calm(flight_site)
    for unit in (0, 1):
        flight.until_state(f"admitad.sync[{unit}]", "success")
    run_upkeep(flight_site)
    log = flight.until_settled(5)[ACCOUNT]
    assert (log["status"], log["reason"]) == ("completed", None)
    assert flight.stored()["state"] == "closed"
    assert flight.lease_holder() is None
    assert (flight.state, flight.states()["close_run"]) == ("running", None)
    pause(flight_site, flight.dag_id, False)
    assert flight.land() == "success"
    assert flight.log()["status"] == "completed"


def test_a_lock_out_of_twenty_minutes_keeps_no_process_and_uses_no_try(
    flight_site: AirflowSite, start: Start
) -> None:
    before = asked(flight_site)
    refusal = {"network": "admitad", "kind": "rate_limited", "path": PURCHASES, "retry_after": 1200}
    flight_site.sandbox("POST", "/faults", json=refusal | {"after": 3, "count": None})
    flight = start("locked-out")
    flight.until_state("admitad.sync[0]", "up_for_reschedule")
    (step,) = flight.steps()
    assert step["status"] == "waiting"
    assert 1100 < (step["waiting_until"] - flight_site.clock()).total_seconds() < 1260
    assert step["lease_until"] > step["waiting_until"]
    flight.until(lambda: flight.processes() == [], "its worker to be free", 15)
    pool = flight_site.call("GET", "/pools/network_admitad")
    assert (pool["running_slots"], pool["queued_slots"], pool["open_slots"]) == (0, 0, pool["slots"])
    run_upkeep(flight_site)
    assert flight.steps()[0]["status"] == "waiting"
    assert flight.log()["status"] == "processing"
    assert flight.log()["reason"] == step["reason"]
    assert "too many requests" in step["reason"]
    assert (flight.lease_holder(), flight.state) == (flight.run_id, "running")

    calm(flight_site)
    _let_twenty_minutes_pass(flight_site)
    assert flight.land() == "success"
    assert flight.tasks()["admitad.sync[0]"]["try_number"] == 1
    (step,) = flight.steps()
    assert (step["status"], step["tries"], step["resumed"]) == ("completed", 1, True)
    assert (flight.log()["status"], flight.log()["reason"], flight.log()["tries"]) == ("completed", None, 1)
    counts = require_true_counts(flight)
    assert counts["read"] == counts["inserted"]
    require_all_rows(flight)
    # The refused questions of all that were under way, and one page of overlap.
    assert asked(flight_site) - before <= step["pages"] + BROKEN_OFF
    assert flight.lease_holder() is None


def test_the_scheduler_goes_on_after_somebody_else_held_the_pools(
    flight_site: AirflowSite, start: Start
) -> None:
    # As a second scheduler does all the time, and an edit of a pool now and then.
    with locked(flight_site, "SELECT 1 FROM slot_pool FOR UPDATE", database="airflow"):
        flight = start("pools-locked")
        flight.until_state("open_run", "scheduled")
        time.sleep(3)
        assert flight.states()["open_run"] == "scheduled"
    assert flight.land() == "success"
    assert flight.log()["status"] == "completed"


def _let_twenty_minutes_pass(site: AirflowSite) -> None:
    """Move what waits for a moment twenty minutes back, in both databases."""
    span = "interval '20 minutes'"
    site.change(
        f"UPDATE data_sync.rate_limits SET gate_until = gate_until - {span}, "
        f"next_free_at = next_free_at - {span}"
    )
    site.change(
        f"UPDATE data_sync.sync_log_steps SET waiting_until = waiting_until - {span}, "
        f"lease_until = lease_until - {span} WHERE status = 'waiting'"
    )
    moved = site.change(
        f"UPDATE task_reschedule SET reschedule_date = reschedule_date - {span} "
        "WHERE reschedule_date > now() + interval '1 minute'",
        database="airflow",
    )
    assert moved == 1
