"""Every route is guarded, is scoped to who asks, works, and says what it may answer."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.plugins.airflow_app import App
from tests.plugins.routes import DEFINITION, RouteCase
from tests.plugins.routes_logs import LOGS
from tests.plugins.routes_others import OTHERS
from tests.plugins.routes_schedules import SCHEDULES

ROUTES = (*SCHEDULES, *LOGS, *OTHERS)

#: Statuses that are reached in tests of their own, 500 below: any route may answer them.
ELSEWHERE = {413, 429, 500, 503}


def each(*cases: RouteCase) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


each_route = each(*ROUTES)


def document(app: App) -> dict[str, Any]:
    return dict(app.ours.openapi())


def test_every_route_is_listed(app: App) -> None:
    known = {(method.upper(), path) for path, item in document(app)["paths"].items() for method in item}
    assert {(case.method, case.path) for case in ROUTES} == known
    served = {(m, r.path) for r in app.ours.routes for m in getattr(r, "methods", ())}
    assert known == served


@each_route
def test_nobody_gets_in_without_a_token(stocked: App, case: RouteCase) -> None:
    answer = case.call(stocked, None)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    wrong = case.call(stocked, None, headers={"Authorization": "Bearer not-a-token"})
    assert wrong.status_code == 401


@each_route
def test_who_lacks_the_permission_is_told_which(
    stocked: App, case: RouteCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.app import get_auth_manager

    who = case.may_not or "vera"
    if case.may_not is None:
        # Airflow's simple auth manager lets everybody who can log in read.
        monkeypatch.setattr(type(get_auth_manager()), case.asks, lambda *_, **__: False)
    answer = case.call(stocked, who)
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")


@each(*(case for case in ROUTES if case.owned))
def test_what_belongs_to_another_user_does_not_exist(stocked: App, case: RouteCase) -> None:
    assert case.call(stocked, "ben").status_code == 404


@each_route
def test_right_use_succeeds(stocked: App, case: RouteCase) -> None:
    answer = case.call(stocked, case.may)
    assert answer.status_code == case.expected, answer.text


@each_route
def test_every_documented_status_can_be_reached(stocked: App, case: RouteCase) -> None:
    promised = document(stocked)["paths"][case.path][case.method.lower()]["responses"]
    covered = {case.expected, 401, 403, *([404] if case.owned else []), *case.also}
    assert {int(status) for status in promised} - ELSEWHERE == covered
    for status, call in case.also.items():
        answer = call(stocked)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


class Errors(logging.Handler):
    """What the api-server writes into its log about errors, as text."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[str] = []
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(self.format(record))


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/schedules"), ("POST", "/schedules"), ("GET", "/events")]
)
def test_what_nobody_expected_is_a_number_to_the_caller_and_a_traceback_in_the_log(
    stocked: App, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("canary-password in /home/canary/file.py")

    for place in (
        "sync_api.schedules.looking.list_page",
        "sync_api.changing.live.create",
        "sync_api.hub.Hub.join",
    ):
        monkeypatch.setattr(place, fail)
    errors, log = Errors(), logging.getLogger("sync_api.problems")
    log.addHandler(errors)
    new = {**DEFINITION, "key": "hourly"}
    answer = stocked.call("anna", method, f"/sync{path}", **({"json": new} if method == "POST" else {}))
    log.removeHandler(errors)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (500, "unexpected")
    for secret in ("canary", "Traceback", "RuntimeError", ".py", "/home", "/plugins"):
        assert secret not in answer.text
    (entry,) = errors.all
    number = body["detail"].split()[-1].rstrip(".")
    assert number in entry
    assert "Traceback (most recent call last)" in entry
    assert "RuntimeError: canary-password" in entry
