"""Two api-servers are one API: the throttle counts over both, and what one stores the other shows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.plugins.airflow_app import App
from tests.plugins.servers import api_servers

NEW = {"key": "hourly", "networks": ["admitad"], "interval": "1h", "date_range": "today"}

pytestmark = [pytest.mark.prove, pytest.mark.airflow, pytest.mark.timeout(900)]


def test_two_servers_are_one_api(stocked: App, tmp_path: Path) -> None:
    settings = {
        "AIRFLOW__DATA_SYNC__API_CALLS_PER_MINUTE": "0.01",
        "AIRFLOW__DATA_SYNC__API_CALLS_AT_ONCE": "20",
    }
    with api_servers(2, tmp_path, settings) as (one, other):

        def ask(
            address: str, who: str, method: str = "GET", path: str = "", **more: object
        ) -> requests.Response:
            headers = {"Authorization": f"Bearer {stocked.tokens[who]}"}
            url = f"{address}/sync/schedules{path}"
            return requests.request(method, url, headers=headers, timeout=60, **more)  # type: ignore[arg-type]

        made = ask(one, "anna", "POST", json=NEW)
        assert made.status_code == 201, made.text
        shown = ask(other, "anna", path="/hourly")
        assert (shown.status_code, shown.headers["ETag"]) == (200, made.headers["ETag"])
        for server in (one, other):
            assert ask(server, "vera").status_code == 200
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda n: ask((one, other)[n % 2], "ben").status_code, range(60)))
        # One more comes free each hour: the 20 are exact.
        assert sorted(found) == [200] * 20 + [429] * 40
