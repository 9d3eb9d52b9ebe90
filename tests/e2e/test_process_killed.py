"""A sync's process is killed on a running Airflow: it is tried again and loses nothing. The short form;
``make prove`` runs the long ones, see test_processes_killed.py.
"""

from __future__ import annotations

import pytest

from tests.e2e.airflow_site import AirflowSite
from tests.e2e.in_flight import Flight, calm, require_all_rows, require_true_counts, slow_pages

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]


def test_a_killed_task_is_tried_again_and_its_log_settles(site: AirflowSite) -> None:
    slow_pages(site, 2)
    flight = Flight(site, "killed")
    flight.until_reading()
    flight.kill("admitad.sync[0]")
    calm(site)
    assert flight.land() == "success"
    assert flight.tasks()["admitad.sync[0]"]["try_number"] == 2
    log = flight.log()
    assert (log["status"], log["tries"]) == ("completed", 2)
    assert require_true_counts(flight)["inserted"] > 0
    require_all_rows(flight)
    assert flight.lease_holder() is None
