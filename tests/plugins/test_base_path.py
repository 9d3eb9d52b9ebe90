"""Airflow may be served below a path of a larger site: addresses, links and runs are right there too."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.plugins.airflow_app import App
from tests.plugins.log_stock import FAILED
from tests.plugins.servers import api_servers

pytestmark = [pytest.mark.prove, pytest.mark.airflow, pytest.mark.timeout(900)]

NEW = {"key": "hourly", "networks": ["admitad"], "interval": "1h", "date_range": "today"}


def test_links_and_runs_are_right_below_a_path(stocked: App, tmp_path: Path) -> None:
    settings = {"AIRFLOW__API__BASE_URL": "https://example.com/team/airflow"}
    with api_servers(1, tmp_path, settings) as (address,):

        def ask(method: str, path: str, **more: object) -> requests.Response:
            headers = {"Authorization": f"Bearer {stocked.tokens['anna']}"}
            url = f"{address}{path}"
            return requests.request(method, url, headers=headers, timeout=60, **more)  # type: ignore[arg-type]

        api = "/team/airflow/sync"
        # A proxy passes the path on: without it Airflow finds none of the applications that it mounts.
        assert ask("GET", f"{api}/schedules").json()["total_entries"] == 3
        made = ask("POST", f"{api}/schedules", json=NEW)
        assert made.headers["Location"] == f"{api}/schedules/hourly"
        assert ask("GET", made.headers["Location"]).json()["key"] == "hourly"
        log = ask("GET", f"{api}/logs/{FAILED}").json()
        assert log["airflow"]["url"].startswith("/team/airflow/dags/sync__nightly/runs/")
        assert ask("GET", log["airflow"]["url"]).status_code == 200
        assert log["steps"][0]["airflow_url"].startswith(log["airflow"]["url"])
        assert ask("GET", f"{api}/openapi.json").json()["servers"] == [{"url": api}]
        started = ask("POST", f"{api}/schedules/nightly/run")
        assert started.status_code == 202, started.text
    (run,) = stocked.airflow_rows("SELECT dag_id, run_id FROM dag_run")
    assert run == {"dag_id": "sync__nightly", "run_id": started.json()["run_id"]}
