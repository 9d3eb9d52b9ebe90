"""A page of another site cannot change anything in the name of somebody who is logged in."""

from __future__ import annotations

import pytest

from tests.plugins.airflow_app import App

RUN = "/sync/schedules/nightly/run"


def by_cookie(app: App, **headers: str) -> int:
    """Ask as anna's browser would, with Airflow's cookie."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = app.call(None, "POST", RUN, headers={"Cookie": f"_token={app.tokens['anna']}", **sent})
    return answer.status_code


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Origin": "http://other.airflow.test"},
        {"Sec_Fetch_Site": "cross-site", "X_Requested_With": "fetch"},
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://evil.test", "X_Requested_With": "fetch"},
        {"Origin": "http://airflow.test.evil.test"},
    ],
    ids=str,
)
def test_another_sites_page_is_refused(stocked: App, headers: dict[str, str]) -> None:
    assert by_cookie(stocked, **headers) == 403
    assert stocked.airflow_rows("SELECT 1 FROM dag_run") == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "same-origin"},
        {"Origin": "http://airflow.test"},
        {"X_Requested_With": "a script"},
    ],
    ids=str,
)
def test_our_own_screens_and_programs_are_heard(stocked: App, headers: dict[str, str]) -> None:
    assert by_cookie(stocked, **headers) == 202


def test_behind_a_proxy_the_address_that_airflow_is_told_counts(
    stocked: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert by_cookie(stocked, Origin="https://airflow.example.com") == 403
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/base/")
    assert by_cookie(stocked, Origin="https://airflow.example.com") == 202


def test_looking_is_free(stocked: App) -> None:
    cookie = {"Cookie": f"_token={stocked.tokens['anna']}", "Sec-Fetch-Site": "cross-site"}
    assert stocked.call(None, "GET", "/sync/schedules", headers=cookie).status_code == 200
