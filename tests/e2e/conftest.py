"""One Airflow for the end-to-end tests, and one for those that disturb runs in flight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from data_sync.local.ports import free_port
from tests.e2e.airflow_site import ACCOUNT, AirflowSite, Canary, own_folder
from tests.e2e.in_flight import SECOND, Flight, calm, pause, resize_pool

#: Where the sandbox's clock stands when the tests begin.
CLOCK = "2026-03-15T12:00:00Z"
#: Ten pages a week.
_MANY_ROWS = 600


@contextmanager
def _running(**options: Any) -> Iterator[AirflowSite]:
    """An Airflow with the sandbox, whose account ``admitad_default`` has canary credentials."""
    with own_folder() as folder:
        found = AirflowSite(folder, (free_port(), free_port()), Canary.make(), CLOCK, **options)
        try:
            found.call("PATCH", f"/connections/{ACCOUNT}", json=_connection(found, ACCOUNT))
            reports = _reports_connection(found, "boostiny_default")
            found.call("PATCH", "/connections/boostiny_default", json=reports)
            yield found
        finally:
            found.stop()


def _connection(site: AirflowSite, account: str, **changes: str) -> dict[str, str]:
    return {
        "connection_id": account,
        "conn_type": "affiliate_admitad",
        "host": f"http://127.0.0.1:{site.sandbox_port}/admitad",
        "login": site.canary.login,
        "password": site.canary.secret,
        **changes,
    }


def _reports_connection(site: AirflowSite, account: str, **changes: str) -> dict[str, str]:
    return {
        "connection_id": account,
        "conn_type": "affiliate_boostiny",
        "host": f"http://127.0.0.1:{site.sandbox_port}/boostiny",
        "password": site.canary.key,
        # The sandbox bears it; the real pace would take minutes.
        "extra": '{"pace_seconds": "0.05", "reread_months": "off"}',
        **changes,
    }


@pytest.fixture(scope="package")
def site() -> Iterator[AirflowSite]:
    """A running Airflow; its second account has a wrong secret."""
    with _running() as found:
        broken = _connection(found, "admitad_broken", password="not-the-secret")
        found.call("POST", "/connections", json=broken)
        wrong = _reports_connection(found, "boostiny_wrong", password=found.canary.wrong_key)
        found.call("POST", "/connections", json=wrong)
        yield found


@pytest.fixture(scope="package")
def flight_site() -> Iterator[AirflowSite]:
    """A running Airflow whose runs are disturbed; its second account works as well."""
    with _running(schedules="in_flight.yaml", rows_per_day=_MANY_ROWS) as found:
        found.call("POST", "/connections", json=_connection(found, SECOND))
        yield found


@pytest.fixture
def start(flight_site: AirflowSite) -> Iterator[Callable[[str], Flight]]:
    """Starts runs of the schedules in ``in_flight.yaml``, and ends them with the test."""
    flights: list[Flight] = []

    def take_off(key: str) -> Flight:
        flights.append(Flight(flight_site, key))
        return flights[-1]

    yield take_off
    # Only a test that failed leaves something to be ended.
    calm(flight_site)
    resize_pool(flight_site, 4)
    for flight in flights:
        pause(flight_site, flight.dag_id, False)
        flight.end()
