"""schedules.yaml is edited while a run of the schedule is in flight: the run keeps what it started with."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.e2e.airflow_site import ACCOUNT, AirflowSite
from tests.e2e.in_flight import (
    PURCHASES,
    SECOND,
    SETTLE_SECONDS,
    Flight,
    Start,
    calm,
    edit_schedule,
    require_all_rows,
    require_true_counts,
    resize_pool,
    run_upkeep,
    slow_pages,
)

pytestmark = [pytest.mark.airflow, pytest.mark.prove, pytest.mark.timeout(600)]

#: How soon an edit of the file changes the DAG, in seconds.
_EDIT_SECONDS = 120

_ENDED = ("completed", "failed", "cancelled")


def _until_edited(site: AirflowSite, key: str, networks: str) -> None:
    """Wait until Airflow has the DAG that the file now asks for."""

    def is_edited() -> bool:
        return bool(site.call("GET", f"/dags/sync__{key}")["description"] == f"purchases of {networks}")

    site.until(is_edited, f"the edit of {key}", _EDIT_SECONDS)


def test_a_run_goes_on_reading_an_account_that_is_taken_out_of_its_schedule(
    flight_site: AirflowSite, start: Start
) -> None:
    slow_pages(flight_site, 3)
    flight = start("loses-an-account")
    flight.until_reading(ACCOUNT, SECOND)
    edit_schedule(flight_site, flight.key, {"networks": ["admitad"]})
    _until_edited(flight_site, flight.key, "admitad")
    # A task that Airflow does not want any more is ended within seconds.
    flight.until_reading(ACCOUNT, SECOND, pages=min(flight.pages(SECOND)) + 2)
    calm(flight_site)
    assert flight.land() == "success"
    assert flight.states()["admitad__shop2.sync[0]"] == "success"
    for account in (ACCOUNT, SECOND):
        assert (flight.log(account)["status"], flight.log(account)["tries"]) == ("completed", 1)
        require_all_rows(flight, account)
    following = start("loses-an-account")
    assert following.land() == "success"
    assert set(flight_site.logs_of(following.run_id)) == {ACCOUNT}


def test_a_run_keeps_its_accounts_and_days_when_its_schedule_gets_others(
    flight_site: AirflowSite, start: Start
) -> None:
    slow_pages(flight_site, 2)
    flight = start("gains-an-account")
    flight.until_reading()
    before = flight.stored()
    others = {"from": "2025-01-10", "to": "2025-01-12", "networks": ["admitad", "admitad:shop2"]}
    edit_schedule(flight_site, flight.key, others)
    _until_edited(flight_site, flight.key, "admitad, admitad:shop2")
    calm(flight_site)
    assert flight.land() == "success"
    assert {account: log["status"] for account, log in flight_site.logs_of(flight.run_id).items()} == {
        ACCOUNT: "completed"
    }
    assert flight.stored()["definition"] == before["definition"]
    require_all_rows(flight)
    assert flight_site.table_totals("2025-01-10", "2025-01-12") == {}
    following = start("gains-an-account")
    assert following.land() == "success"
    assert set(flight_site.logs_of(following.run_id)) == {ACCOUNT, SECOND}
    assert str(following.stored()["first_day"]) == "2025-01-10"
    for account in (ACCOUNT, SECOND):
        require_all_rows(following, account)


def test_a_run_that_opens_while_an_account_is_added_reads_it_as_well(
    flight_site: AirflowSite, start: Start
) -> None:
    key = "opens-while-edited"
    flight_site.wait_for_dag(f"sync__{key}")
    edit_schedule(flight_site, key, {"networks": ["admitad", "admitad:shop2"]})
    # The catalogue has the edit before the DAG has the account's tasks.
    flight_site.until(lambda: len(_networks_of(flight_site, key)) == 2, "the edit", _EDIT_SECONDS)
    flight = start(key)
    assert flight.land() == "success"
    assert {account: log["status"] for account, log in flight_site.logs_of(flight.run_id).items()} == {
        ACCOUNT: "completed",
        SECOND: "completed",
    }
    for account in (ACCOUNT, SECOND):
        require_all_rows(flight, account)


def _networks_of(site: AirflowSite, key: str) -> list[str]:
    (entry,) = site.rows("SELECT definition FROM data_sync.sync_schedules WHERE key = %s", key)
    return list(entry["definition"]["networks"])


def test_a_run_ends_well_while_the_file_cannot_be_read(flight_site: AirflowSite, start: Start) -> None:
    slow_pages(flight_site, 2)
    flight = start("broken-file")
    flight.until_reading()
    good = flight_site.schedules.read_text()
    try:
        flight_site.schedules.write_text(good[: len(good) // 2] + "\n  : [")
        flight_site.until(lambda: _problems(flight_site), "the banner", _EDIT_SECONDS)
        calm(flight_site)
        assert flight.land() == "success"
        assert flight.log()["status"] == "completed"
        require_all_rows(flight)
        # The last good form serves until the file is mended.
        following = start("broken-file")
        assert following.land() == "success"
        assert following.log()["counts"]["purchases"]["unchanged"] > 0
    finally:
        flight_site.schedules.write_text(good)
    flight_site.until(lambda: not _problems(flight_site), "the banner to go", _EDIT_SECONDS)


def _problems(site: AirflowSite) -> list[str]:
    found = site.call("GET", "/importErrors")["import_errors"]
    return [error["stack_trace"] for error in found if "schedules.yaml" in error["stack_trace"]]


def test_a_run_whose_schedule_is_deleted_while_it_reads_ends_well(
    flight_site: AirflowSite, start: Start
) -> None:
    # One unit reads, the other one waits for its place in the pool.
    resize_pool(flight_site, 1)
    slow_pages(flight_site, 5)
    flight = start("deleted-while-reading")
    flight.until(lambda: sum(flight.pages()) >= 1, "a page")
    edit_schedule(flight_site, flight.key, None)
    flight_site.until(lambda: _is_gone(flight_site, flight.key), "the edit", _EDIT_SECONDS)
    ways = _Ways(flight)
    ways.look()
    run_upkeep(flight_site)
    ways.look()
    assert len([pages for pages in flight.pages() if pages]) == 1
    calm(flight_site)
    flight.until(lambda: ways.look() and ways.have_ended, "its units to end", SETTLE_SECONDS)
    log = flight.until_settled()[ACCOUNT]
    ways.look()
    assert ways.reopened() == []
    assert (log["status"], log["reason"]) == ("completed", None)
    require_true_counts(flight)
    require_all_rows(flight)
    assert flight.stored()["state"] == "closed"
    assert flight.lease_holder() is None


def test_a_run_whose_schedule_is_deleted_while_it_waits_settles_and_loses_nothing(
    flight_site: AirflowSite, start: Start
) -> None:
    refusal = {"network": "admitad", "kind": "rate_limited", "path": PURCHASES, "retry_after": 45}
    flight_site.sandbox("POST", "/faults", json=refusal | {"after": 3})
    flight = start("deleted-while-waiting")
    flight.until_state("admitad.sync[0]", "up_for_reschedule")
    (step,) = flight.steps()
    entry = edit_schedule(flight_site, flight.key, None)
    ways = _Ways(flight)
    flight_site.until(lambda: _is_gone(flight_site, flight.key), "the edit", _EDIT_SECONDS)
    run_upkeep(flight_site)
    # Its task goes on if Airflow still cares for the DAG by then, which it does for a minute or two.
    ways.watch(until=step["waiting_until"] + timedelta(seconds=15))
    log = flight.until_settled()[ACCOUNT]
    assert log["status"] in ("completed", "cancelled")
    assert log["status"] == "completed" or "schedule was deleted" in log["reason"]
    assert ways.reopened() == []
    assert require_true_counts(flight)["inserted"] > 0, "what was read stays"
    assert flight.lease_holder() is None
    edit_schedule(flight_site, flight.key, entry)
    flight_site.until(lambda: not _is_gone(flight_site, flight.key), "the edit", _EDIT_SECONDS)
    flight_site.until(lambda: not _is_stale(flight_site, flight.key), "the DAG to come back", _EDIT_SECONDS)
    following = start("deleted-while-waiting")
    assert following.land() == "success"
    assert following.log()["status"] == "completed"
    require_all_rows(following)


def _is_gone(site: AirflowSite, key: str) -> bool:
    """Whether the dag-processor has noticed that the file holds a schedule no more."""
    statement = "SELECT 1 FROM data_sync.sync_schedules WHERE key = %s AND deleted_at IS NOT NULL"
    return bool(site.rows(statement, key))


def _is_stale(site: AirflowSite, key: str) -> bool:
    """Whether Airflow has noticed as well: it then schedules nothing any more."""
    return bool(site.call("GET", f"/dags/sync__{key}")["is_stale"])


class _Ways:
    """The ways that the units of a run go: every status that they have, one after another."""

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self._seen: list[list[str]] = [[] for _ in flight.steps()]

    def watch(self, *, until: datetime) -> None:
        self._flight.until(lambda: self.look() and self._flight.site.clock() > until, f"{until}", 300)

    def look(self) -> bool:
        for seen, step in zip(self._seen, self._flight.steps(), strict=True):
            if seen[-1:] != [step["status"]]:
                seen.append(step["status"])
        return True

    @property
    def have_ended(self) -> bool:
        return all(seen[-1] in _ENDED for seen in self._seen)

    def reopened(self) -> list[list[str]]:
        """Return the ways of units that were closed before they had ended."""
        return [seen for seen in self._seen if set(_ENDED) & set(seen[:-1])]
