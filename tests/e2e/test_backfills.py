"""What each of the two ways to read past days again pulls, on a real Airflow.

The table in docs/operations.md, "Past days again", says what these tests show. Each schedule has a story of
its own, and all stories run side by side.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from data_sync.local.ports import free_port
from tests.e2e.airflow_site import ACCOUNT, AirflowSite, Canary, own_folder
from tests.e2e.backfills import (
    CASES,
    Case,
    Look,
    Pulled,
    airflow_runs,
    ask_for_days,
    ask_for_ticks,
    look,
    pulled,
    require,
    rows_of,
    until_complete,
    until_over,
    wider,
)
from tests.e2e.in_flight import edit_schedule

pytestmark = [pytest.mark.airflow, pytest.mark.prove, pytest.mark.timeout(900)]

#: Where the sandbox's clock stands: after all days that are read.
_CLOCK = "2026-04-10T12:00:00Z"
_ROWS_PER_DAY = 12
_MOSCOW = ZoneInfo("Europe/Moscow")

Stories = Mapping[str, Future[Any]]


@pytest.fixture(scope="module")
def site() -> Iterator[AirflowSite]:
    """An Airflow of the module's own, with the account that all stories read."""
    options: dict[str, Any] = {"schedules": "backfills.yaml", "rows_per_day": _ROWS_PER_DAY}
    canary, ports = Canary.make(), (free_port(), free_port())
    with own_folder() as folder:
        found = AirflowSite(folder, ports, canary, _CLOCK, **options)
        try:
            account = {"connection_id": ACCOUNT, "conn_type": "affiliate_admitad"}
            host = f"http://127.0.0.1:{found.sandbox_port}/admitad"
            secret = {"host": host, "login": canary.login, "password": canary.secret}
            found.call("PATCH", f"/connections/{ACCOUNT}", json=account | secret)
            yield found
        finally:
            found.stop()


@pytest.fixture(scope="module")
def stories(site: AirflowSite) -> Iterator[Stories]:
    """All stories: each ends when it ends, and its result raises what went wrong in it."""
    half_a_day_ago = datetime.now(_MOSCOW) - timedelta(hours=12)
    edit_schedule(site, "never-ran", {"active": True, "times": [f"{half_a_day_ago:%H:%M}"]})
    edit_schedule(site, "ran-before", {"active": True})
    others = {f.__name__.replace("_", "-"): f for f in (paused, inactive, catalogues, never_ran, ran_before)}
    for key in (*map(str, CASES), *others):
        site.wait_for_dag(f"sync__{key}")
    with ThreadPoolExecutor(len(CASES) + len(others)) as pool:
        told = {case.key: pool.submit(both_ways, site, case) for case in CASES}
        yield told | {key: pool.submit(story, site) for key, story in others.items()}


# The stories.


def both_ways(site: AirflowSite, case: Case) -> tuple[Pulled, Pulled]:
    """Ask for ticks, then for days; return what was there after each."""
    require(ask_for_ticks(site, case.key, case.instants, *case.options))
    ticks = until_over(site, case.key, len(case.ticks))
    require(ask_for_days(site, case.key, *case.days))
    return ticks, pulled(site, case.key)


def paused(site: AirflowSite) -> tuple[str, str, Pulled, Pulled]:
    """Ask for a tick, twice, then for days, then unpause.

    :return: what Airflow says to the second question, and before the end of the pause the state of its run.
    """
    site.call("PATCH", "/dags/sync__paused", json={"is_paused": True})
    tick = ("2026-01-10T00:00:00Z", "2026-01-10T23:59:59Z")
    require(ask_for_ticks(site, "paused", tick))
    second = ask_for_ticks(site, "paused", tick)
    require(ask_for_days(site, "paused", "2026-01-12", "2026-01-13"))
    state = airflow_runs(site, "paused")["2026-01-10"]["state"]
    while_paused = pulled(site, "paused")
    site.call("PATCH", "/dags/sync__paused", json={"is_paused": False})
    return second.stderr, state, while_paused, until_over(site, "paused", 2)


def inactive(site: AirflowSite) -> tuple[subprocess.CompletedProcess[str], Pulled]:
    """Ask for a tick, which is refused, then for days."""
    refused = ask_for_ticks(site, "inactive", ("2026-01-20T00:00:00Z", "2026-01-20T23:59:59Z"))
    require(ask_for_days(site, "inactive", "2026-01-20", "2026-01-21"))
    return refused, pulled(site, "inactive")


def catalogues(site: AirflowSite) -> tuple[subprocess.CompletedProcess[str], Pulled]:
    """Ask for days, which is refused, then for a tick."""
    refused = ask_for_days(site, "catalogues", "2026-01-10", "2026-01-10")
    require(ask_for_ticks(site, "catalogues", ("2026-01-10T00:00:00Z", "2026-01-10T23:59:59Z")))
    return refused, until_over(site, "catalogues", 1)


def never_ran(site: AirflowSite) -> Pulled:
    """Ask for one tick of a schedule that has not run by itself yet."""
    path = "/dags/sync__never-ran"
    site.until(lambda: site.call("GET", path)["next_dagrun_run_after"], "the timetable of never-ran")
    assert airflow_runs(site, "never-ran") == {}
    require(ask_for_ticks(site, "never-ran", ("2026-01-27T00:00:00+03:00", "2026-01-27T23:59:59+03:00")))
    return until_over(site, "never-ran", 2)


def ran_before(site: AirflowSite) -> dict[str, Look]:
    """Ask for two ticks, one of which has run: as it is, then completed ones too, then only failed ones."""
    key = "ran-before"
    until_over(site, key, 1)
    looks = {"before": look(site, key)}
    for behavior in ("none", "completed", "failed"):
        if behavior == "failed":
            run = airflow_runs(site, key)["2025-12-03"]
            site.call("PATCH", f"/dags/sync__{key}/dagRuns/{run['dag_run_id']}", json={"state": "failed"})
        how = () if behavior == "none" else ("--reprocess-behavior", behavior)
        require(ask_for_ticks(site, key, ("2025-12-02T00:00:00Z", "2025-12-03T23:59:59Z"), *how))
        until_complete(site, key)
        looks[behavior] = look(site, key)
    return looks


# What they show.


@pytest.mark.parametrize("case", CASES, ids=str)
def test_airflow_runs_each_tick_between_two_instants_as_if_it_had_run_then(
    site: AirflowSite, stories: Stories, case: Case
) -> None:
    ticks, _ = stories[case.key].result()
    assert [(run["anchor"], run["first"], run["last"]) for run in ticks.runs] == [
        (tick, day, day) for tick, day in case.ticks
    ]
    assert {run["dag_id"] for run in ticks.runs} == {f"sync__{case.key}"}
    # A daily maximum of one run does not count them.
    assert {(run["kind"], run["guard"], run["status"]) for run in ticks.runs} == {
        ("backfill", "not_counted", "completed")
    }
    assert [run["counts"]["purchases"]["read"] for run in ticks.runs] == [
        rows_of(site, wider(case.zone, day, day)) for _, day in case.ticks
    ]
    assert ticks.days == case.days_of_ticks


@pytest.mark.parametrize("case", CASES, ids=str)
def test_our_way_reads_local_days_both_inclusive_in_one_run(
    site: AirflowSite, stories: Stories, case: Case
) -> None:
    ticks, both = stories[case.key].result()
    (run,) = [run for run in both.runs if run not in ticks.runs]
    assert (run["dag_id"], run["kind"], run["guard"]) == ("quick_sync", "backfill", "not_counted")
    assert (run["first"], run["last"], run["status"]) == (*case.days, "completed")
    days = wider(case.zone, *case.days)
    assert both.days == ticks.days | set(days)
    counts = run["counts"]["purchases"]
    assert counts["read"] == rows_of(site, days)
    # Days that a tick had read are read again, and nothing of them is written.
    assert counts["inserted"] == rows_of(site, set(days) - ticks.days)
    assert counts["unchanged"] == counts["read"] - counts["inserted"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_both_ways_pulled_is_the_networks_own_total(
    site: AirflowSite, stories: Stories, case: Case
) -> None:
    _, both = stories[case.key].result()
    first, last = min(both.days), max(both.days)
    assert site.table_totals(first, last) == site.sandbox_totals(first, last)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_runs_of_a_schedule_never_overlap(stories: Stories, case: Case) -> None:
    _, both = stories[case.key].result()
    runs = sorted(both.runs, key=lambda run: run["opened_at"])
    assert all(run["closed_at"] <= following["opened_at"] for run, following in pairwise(runs))


def test_on_a_paused_schedule_airflows_way_waits_and_ours_works(site: AirflowSite, stories: Stories) -> None:
    second, state, while_paused, afterwards = stories["paused"].result()
    assert "There can be only one running backfill per Dag." in second
    assert state == "queued"
    (ours,) = while_paused.runs
    assert (ours["dag_id"], ours["first"], ours["last"]) == ("quick_sync", "2026-01-12", "2026-01-13")
    assert while_paused.days == set(wider("Europe/Moscow", "2026-01-12", "2026-01-13"))
    assert [(run["first"], run["kind"]) for run in afterwards.runs] == [
        ("2026-01-09", "backfill"),
        ("2026-01-12", "backfill"),
    ]
    assert site.table_totals("2026-01-08", "2026-01-14") == site.sandbox_totals("2026-01-08", "2026-01-14")


def test_an_inactive_schedule_refuses_airflows_way_and_ours_works(
    site: AirflowSite, stories: Stories
) -> None:
    refused, after = stories["inactive"].result()
    assert refused.returncode == 1
    assert "sync__inactive has a non-periodic schedule that does not support backfills" in refused.stderr
    (run,) = after.runs
    assert (run["kind"], run["first"], run["last"]) == ("backfill", "2026-01-20", "2026-01-21")
    assert site.table_totals("2026-01-19", "2026-01-22") == site.sandbox_totals("2026-01-19", "2026-01-22")


def test_catalogues_have_no_past(stories: Stories) -> None:
    refused, after = stories["catalogues"].result()
    assert refused.returncode == 1
    assert "have no past days" in refused.stderr
    (run,) = after.runs
    assert (run["kinds"], run["status"], run["reason"]) == ([], "skipped", "There was nothing to read.")


def test_a_schedule_that_never_ran_by_itself_catches_up_on_its_last_tick_after_airflows_way(
    stories: Stories,
) -> None:
    asked, last_tick = stories["never-ran"].result().runs
    assert (asked["kind"], asked["first"], asked["guard"]) == ("backfill", "2026-01-26", "not_counted")
    assert (last_tick["kind"], last_tick["guard"]) == ("scheduled", "claimed")
    age = datetime.now(ZoneInfo("UTC")) - datetime.fromisoformat(f"{last_tick['anchor']}+00:00")
    assert timedelta(hours=12) <= age < timedelta(hours=13)


def test_days_that_have_run_are_left_out_unless_airflow_is_told_otherwise(
    site: AirflowSite, stories: Stories
) -> None:
    looks = stories["ran-before"].result()
    assert {when: found.types for when, found in looks.items()} == {
        "before": {"2025-12-02": ("scheduled", 1)},
        "none": {"2025-12-02": ("scheduled", 1), "2025-12-03": ("backfill", 1)},
        "completed": {"2025-12-02": ("backfill", 2), "2025-12-03": ("backfill", 2)},
        "failed": {"2025-12-02": ("backfill", 2), "2025-12-03": ("backfill", 3)},
    }


def test_a_run_that_is_done_again_keeps_its_kind_its_day_and_its_claim_and_doubles_nothing(
    site: AirflowSite, stories: Stories
) -> None:
    looks = stories["ran-before"].result()
    (scheduled,) = looks["before"].pulled.runs
    for found in (looks["none"], looks["completed"], looks["failed"]):
        first, second = found.pulled.runs
        same = ("run_id", "anchor", "first", "last", "kind", "guard", "guard_day")
        assert [first[word] for word in same] == [scheduled[word] for word in same]
        assert (first["kind"], first["first"], first["guard"]) == ("scheduled", "2025-12-01", "claimed")
        assert (second["kind"], second["first"], second["guard"]) == ("backfill", "2025-12-02", "not_counted")
        # A backfill leaves the catalogues out; a scheduled run that is done again reads what it read before.
        assert first["kinds"] == ["purchases", "campaigns", "coupons"]
        assert second["kinds"] == ["purchases"]
        assert [run["status"] for run in found.pulled.runs] == ["completed", "completed"]
    assert site.table_totals("2025-11-30", "2025-12-03") == site.sandbox_totals("2025-11-30", "2025-12-03")


def test_all_that_together_changed_no_row_and_read_no_other_day(site: AirflowSite, stories: Stories) -> None:
    for story in stories.values():
        story.result()
    assert site.rows("SELECT * FROM data_sync.purchase_changes") == []
    found = site.rows("SELECT DISTINCT day::text FROM data_sync.purchases")
    asked = {day for case in CASES for day in case.days_of_ticks | set(wider(case.zone, *case.days))}
    for first, last in (
        ("2025-12-01", "2025-12-02"),
        ("2026-01-09", "2026-01-09"),
        ("2026-01-12", "2026-01-13"),
        ("2026-01-20", "2026-01-21"),
        ("2026-01-26", "2026-01-26"),
    ):
        asked |= set(wider("Europe/Moscow", first, last))
    assert {row["day"] for row in found} == asked
