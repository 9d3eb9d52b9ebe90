"""The list of schedules and one of them, as people with different roles see them."""

from __future__ import annotations

from tests.plugins.airflow_app import App


def test_without_a_token_nothing_is_shown(app: App) -> None:
    answer = app.call(None, "GET", "/sync/schedules")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not-logged-in"


def test_an_empty_list_is_empty(app: App) -> None:
    answer = app.call("vera", "GET", "/sync/schedules")
    assert answer.status_code == 200, answer.text
    assert answer.json()["items"] == []
