"""A schedule with a maturity sweep on a running Airflow: what it reads again, at what cost, until when."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.airflow_site import AirflowSite
from tests.e2e.conftest import CLOCK
from tests.e2e.in_flight import SECOND, Flight, Start

pytestmark = [pytest.mark.airflow, pytest.mark.prove, pytest.mark.timeout(1_200)]

KEY = "late-changes"
ZONE = ZoneInfo("Europe/Moscow")


def ago(days: int) -> date:
    return (datetime.now(ZONE) - timedelta(days=days)).date()


def leave_midnight_behind() -> None:
    """Wait until no day of the network can end while the test runs."""
    now = datetime.now(ZONE)
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), ZONE)
    if midnight - now < timedelta(minutes=8):
        time.sleep((midnight - now).total_seconds() + 1)


@pytest.fixture
def late_site(flight_site: AirflowSite) -> Iterator[AirflowSite]:
    """The network as it was eight days ago; afterwards its clock stands where the others expect it."""
    leave_midnight_behind()
    set_clock(flight_site, 8)
    yield flight_site
    flight_site.sandbox("POST", "/clock", json={"now": CLOCK})


def set_clock(site: AirflowSite, days_ago: int) -> None:
    site.sandbox("POST", "/clock", json={"now": (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()})


def let_days_pass(site: AirflowSite, days: int) -> None:
    """Make what is known of the account's days as old as if nothing had run since."""
    for table, names in (
        ("reads", ("started_at", "ended_at")),
        ("day_maturity", ("settled_at", "changes_at")),
    ):
        moved = ", ".join(f"{name} = {name} - make_interval(days => {days})" for name in names)
        site.change(f"UPDATE data_sync.{table} SET {moved} WHERE account = %s", SECOND)


def settle(site: AirflowSite, but: date | None) -> None:
    """Settle the purchases of all past days but one; whatever is read again shows by being mended."""
    site.change(
        "UPDATE data_sync.purchases SET digest = '', "
        "status = CASE WHEN day = %s THEN 'pending' ELSE 'declined' END WHERE account = %s AND day < %s",
        but,
        SECOND,
        ago(0),
    )


def requests(site: AirflowSite) -> int:
    return int(site.sandbox("GET", "/state")["networks"]["admitad"]["requests_total"])


def swept(flight: Flight) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Wait for a run's end; return the units of its sweep, and what its log says of it."""
    assert flight.land() == "success"
    log = flight.log(SECOND)
    assert (log["status"], log["warnings"]) == ("completed", [])
    told = flight.site.command("data-sync", "logs", "--account", SECOND, "--limit", "1", "--json")
    found: dict[str, Any] = log["metadata"]["sweep"]
    assert json.loads(told)[0]["swept"] == found.get("requests", 0)
    units = [step for step in flight.steps(SECOND) if step["sweep"] is not None]
    assert found.get("requests", 0) == sum(unit["requests"] for unit in units)
    return units, found


def test_a_sweep_reads_what_is_unsettled_says_what_it_cost_and_ends(
    late_site: AirflowSite, start: Start
) -> None:
    site = late_site
    site.wait_for_dag(f"sync__{KEY}")
    days = ("--from", ago(24).isoformat(), "--to", ago(9).isoformat())
    site.command("data-sync", "backfill", KEY, *days, "--wait")
    assert site.rows("SELECT 1 FROM data_sync.purchases WHERE account = %s LIMIT 1", SECOND)
    let_days_pass(site, 8)
    set_clock(site, 0)

    # One question for all that has changed since.
    (changes,), told = swept(start(KEY))
    assert changes["label"] == "unsettled purchases, changes"
    assert changes["rows_updated"] > 50
    assert 10 < told["open_days"] <= 18
    assert 0 < told["requests"] < told["open_days"], "fewer than there are days"

    # A month later one day alone holds something unsettled: it alone is read, from its first to its last row.
    settle(site, but=ago(15))
    let_days_pass(site, 30)
    before = requests(site)
    flight = start(KEY)
    (day,), told = swept(flight)
    assert day["label"] == f"unsettled purchases {ago(15)}..{ago(15)}"
    assert told == {"requests": day["requests"], "open_days": 1}
    assert flight.log(SECOND)["requests"] == requests(site) - before
    assert day["rows_updated"] > 100
    mended = site.rows("SELECT DISTINCT day FROM data_sync.purchases WHERE log_id = %s", day["log_id"])
    assert {row["day"] for row in mended if row["day"] < ago(3)} == {ago(15)}
    only = ago(15).isoformat()
    assert site.table_totals(only, only, SECOND) == site.sandbox_totals(only, only)

    # Nothing is open any more: nothing is planned, and nothing asked but what the schedule reads itself.
    settle(site, but=None)
    let_days_pass(site, 30)
    before = requests(site)
    flight = start(KEY)
    assert swept(flight) == ([], {"open_days": 0})
    (own,) = flight.steps(SECOND)
    assert own["requests"] == requests(site) - before > 0
