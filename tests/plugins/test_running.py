"""Runs are started through Airflow's own API, on behalf of who asks, and once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from data_sync import accounts, answers
from data_sync.database import Database
from sync_api.breaker import DatabaseBusyError
from tests.plugins.airflow_app import App
from tests.plugins.log_stock import COMPLETE, FAILED, stock_running_log

RUN = "/sync/schedules/nightly/run"
MANUAL = {"networks": ["admitad"], "sync_type": "purchases", "date_range": "yesterday"}


def runs(app: App) -> list[dict[str, Any]]:
    return app.airflow_rows("SELECT dag_id, run_id, conf, triggering_user_name FROM dag_run ORDER BY id")


def once(word: str) -> dict[str, str]:
    return {"Idempotency-Key": f"test-{word}"}


def test_a_run_is_airflows_own_and_names_who_asked(stocked: App) -> None:
    answer = stocked.call("anna", "POST", RUN)
    assert answer.status_code == 202, answer.text
    (run,) = runs(stocked)
    assert run["run_id"] == answer.json()["run_id"]
    assert (run["dag_id"], run["conf"], run["triggering_user_name"]) == ("sync__nightly", {}, "anna")
    (entry,) = stocked.airflow_rows("SELECT owner, dag_id, event FROM log WHERE event = 'trigger_dag_run'")
    assert (entry["owner"], entry["dag_id"]) == ("anna", "sync__nightly")


def test_a_paused_schedule_runs_through_quick_sync(stocked: App) -> None:
    stocked.turn("sync__nightly", paused=True)
    answer = stocked.call("anna", "POST", RUN)
    assert answer.status_code == 202
    assert "quick_sync" in answer.json()["note"]
    (run,) = runs(stocked)
    assert (run["dag_id"], run["conf"]) == ("quick_sync", {"schedule": "nightly"})


def test_a_schedule_of_git_can_be_run_by_who_sees_it(stocked: App) -> None:
    assert stocked.call("ben", "POST", "/sync/schedules/weekly/run").status_code == 202


def test_a_double_click_starts_one_run(stocked: App) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: stocked.call("anna", "POST", RUN, headers=once("click")), range(4)))
    assert [answer.status_code for answer in found] == [202] * 4
    assert len({answer.text for answer in found}) == 1
    assert (
        sorted(answer.headers.get("Idempotency-Replayed", "no") for answer in found) == ["no"] + ["true"] * 3
    )
    assert len(runs(stocked)) == 1


def test_without_a_key_each_request_is_a_run(stocked: App) -> None:
    assert stocked.call("anna", "POST", RUN).status_code == 202
    assert stocked.call("anna", "POST", RUN).status_code == 202
    assert len(runs(stocked)) == 2


def test_a_key_is_one_persons_own_and_for_one_request(stocked: App) -> None:
    path = "/sync/schedules/weekly/run"
    assert stocked.call("anna", "POST", path, headers=once("own")).status_code == 202
    assert stocked.call("ben", "POST", path, headers=once("own")).status_code == 202
    other = stocked.call("anna", "POST", RUN, headers=once("own"))
    assert (other.status_code, other.json()["code"]) == (422, "key-used")
    assert len(runs(stocked)) == 2


def test_a_try_that_was_broken_off_is_found_again(stocked: App, db: Database) -> None:
    """As after a process that died between starting the run and keeping its answer."""
    first = stocked.call("anna", "POST", RUN, headers=once("broken"))
    with db.transaction() as cursor:
        cursor.execute(
            "UPDATE data_sync.api_answers SET status = NULL, body = NULL, "
            "lease_until = clock_timestamp() - interval '1 second'"
        )
    second = stocked.call("anna", "POST", RUN, headers=once("broken"))
    assert second.status_code == 202
    assert "Idempotency-Replayed" not in second.headers
    assert second.json()["run_id"] == first.json()["run_id"]
    assert len(runs(stocked)) == 1


@pytest.fixture
def unconfirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow starts the first run, and fails before it says so."""
    usual, failed = httpx.ASGITransport.handle_async_request, []

    async def fail_once(self: httpx.ASGITransport, request: httpx.Request) -> httpx.Response:
        answer = await usual(self, request)
        if request.url.path.endswith("/dagRuns") and request.method == "POST" and not failed:
            failed.append(answer.status_code)
            return httpx.Response(500, request=request)
        return answer

    monkeypatch.setattr(httpx.ASGITransport, "handle_async_request", fail_once)


@pytest.mark.usefixtures("unconfirmed")
@pytest.mark.parametrize(("before", "after"), [(False, False), (False, True), (True, False)])
def test_a_run_that_airflow_did_not_confirm_is_found_by_the_next_try(
    stocked: App, before: bool, after: bool
) -> None:
    """Also when the schedule is paused or unpaused in between, which would take another DAG."""
    stocked.turn("sync__nightly", paused=before)
    failed = stocked.call("anna", "POST", RUN, headers=once("failed"))
    assert (failed.status_code, failed.json()["code"]) == (503, "airflow-away")
    stocked.turn("sync__nightly", paused=after)
    answer = stocked.call("anna", "POST", RUN, headers=once("failed"))
    assert answer.status_code == 202, answer.text
    (run,) = runs(stocked)
    assert run["dag_id"] == ("quick_sync" if before else "sync__nightly")
    assert (answer.json()["dag_id"], answer.json()["run_id"]) == (run["dag_id"], run["run_id"])
    replayed = stocked.call("anna", "POST", RUN, headers=once("failed"))
    assert replayed.headers["Idempotency-Replayed"] == "true"


@pytest.mark.usefixtures("unconfirmed")
def test_a_refusal_in_between_does_not_forget_what_was_started(stocked: App, db: Database) -> None:
    def ask() -> httpx.Response:
        return stocked.call("anna", "POST", "/sync/manual", json=MANUAL, headers=once("refused"))

    assert ask().status_code == 503
    with db.transaction() as cursor:
        accounts.revoke(cursor, "admitad_default", "anna")
    assert ask().status_code == 422
    with db.transaction() as cursor:
        accounts.grant(cursor, "admitad_default", "anna")
    assert ask().status_code == 202
    assert len(runs(stocked)) == 1


def test_a_retry_that_failed_before_it_started_anything_is_judged_anew(
    stocked: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/sync/logs/{COMPLETE}/retry"
    with monkeypatch.context() as busy:
        busy.setattr("sync_api.logs._why_not_retried", refuse_as_busy)
        assert stocked.call("anna", "POST", path, headers=once("anew")).status_code == 503
    answer = stocked.call("anna", "POST", path, headers=once("anew"))
    assert (answer.status_code, answer.json()["code"]) == (409, "not-retryable")
    assert runs(stocked) == []


def test_a_schedule_whose_making_was_not_confirmed_is_answered_as_made(
    stocked: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = {"key": "hourly", "networks": ["admitad"], "interval": "1h", "date_range": "today"}
    with monkeypatch.context() as busy:
        busy.setattr("sync_api.changing.get_schedule", refuse_as_busy)
        assert (
            stocked.call("anna", "POST", "/sync/schedules", json=new, headers=once("made")).status_code == 503
        )
    again = stocked.call("anna", "POST", "/sync/schedules", json=new, headers=once("made"))
    assert (again.status_code, again.json()["key"]) == (201, "hourly"), again.text
    other = stocked.call("anna", "POST", "/sync/schedules", json=new, headers=once("other"))
    assert other.status_code == 409


def refuse_as_busy(*_: object) -> None:
    raise DatabaseBusyError("All connections are taken.")


def test_what_came_to_nothing_may_be_tried_again(stocked: App) -> None:
    stocked.turn("quick_sync", paused=True)
    refused = stocked.call("anna", "POST", "/sync/manual", json=MANUAL, headers=once("later"))
    assert (refused.status_code, refused.json()["code"]) == (409, "paused")
    stocked.turn("quick_sync", paused=False)
    assert stocked.call("anna", "POST", "/sync/manual", json=MANUAL, headers=once("later")).status_code == 202


def test_answers_are_forgotten_after_a_day(stocked: App, db: Database) -> None:
    with db.transaction() as cursor:
        answers.claim(cursor, "anna", "old-one", "POST /x")
        cursor.execute("UPDATE data_sync.api_answers SET created_at = created_at - interval '25 hours'")
    stocked.call("anna", "POST", RUN, headers=once("new"))
    with db.transaction() as cursor:
        kept = cursor.execute("SELECT key FROM data_sync.api_answers").fetchall()
    assert [row["key"] for row in kept] == ["test-new"]


def test_a_quick_sync_carries_what_was_chosen(stocked: App) -> None:
    body = {"networks": ["admitad"], "sync_type": "all", "from": "2026-03-01", "to": "2026-03-02"}
    assert stocked.call("anna", "POST", "/sync/manual", json=body).status_code == 202
    (run,) = runs(stocked)
    assert (run["dag_id"], run["conf"]) == ("quick_sync", body)


def test_a_backfill_names_the_schedule_and_days(stocked: App) -> None:
    body = {"schedule": "nightly", "from": "2026-03-01", "to": "2026-03-31"}
    assert stocked.call("anna", "POST", "/sync/manual", json=body).status_code == 202
    assert runs(stocked)[0]["conf"] == body
    assert stocked.call("ben", "POST", "/sync/manual", json=body).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"networks": ["nonet"]}, "networks.0"),
        ({"networks": ["admitad:of-somebody"]}, "networks"),
        ({"date_range": "custom"}, "date_range"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "from"),
        ({"from": "0000-01-01", "to": "0000-01-02"}, "from"),
        ({"from": "2026-03-02", "to": "9999-12-31"}, "to"),
        ({"interval": "1h"}, "interval"),
        ({"sync_type": "everything"}, "sync_type"),
    ],
    ids=json.dumps,
)
def test_a_quick_sync_that_cannot_run_is_refused_by_field(
    stocked: App, change: dict[str, Any], field: str
) -> None:
    body = {**MANUAL, **change}
    if "from" in change:
        del body["date_range"]
    answer = stocked.call("anna", "POST", "/sync/manual", json=body)
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert runs(stocked) == []


@pytest.fixture
def nightly_is_not_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow lets people start runs of any DAG but one."""
    from airflow.api_fastapi.app import get_auth_manager

    manager = type(get_auth_manager())
    usual = manager.is_authorized_dag

    def judge(self: Any, *, method: str, user: Any, access_entity: Any = None, details: Any = None) -> bool:
        if method == "POST" and details is not None and details.id == "sync__nightly":
            return False
        return bool(
            usual(self, method=method, user=user, access_entity=access_entity, details=details)
        )  # fmt: skip

    monkeypatch.setattr(manager, "is_authorized_dag", judge)


@pytest.mark.usefixtures("nightly_is_not_theirs")
def test_who_may_not_run_a_schedules_dag_runs_it_by_no_other_door(stocked: App) -> None:
    running = stock_running_log()
    past = {"schedule": "nightly", "from": "2026-03-01", "to": "2026-03-02"}
    doors: list[tuple[str, Any]] = [
        (RUN, None),
        ("/sync/manual", {"schedule": "nightly"}),
        ("/sync/manual", past),
        (f"/sync/logs/{FAILED}/retry", None),
        (f"/sync/logs/{running}/cancel", None),
        # The same number, as a lenient reader takes it too.
        *(
            (f"/sync/logs/{word}/cancel", None)
            for word in (f"{running}.0", f"%2B{running}", f"{running:025}")
        ),
    ]
    for path, body in doors:
        answer = stocked.call("anna", "POST", path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed"), path
    stocked.turn("sync__nightly", paused=True)
    assert stocked.call("anna", "POST", RUN).status_code == 403
    assert runs(stocked) == []
    assert stocked.call("anna", "POST", "/sync/manual", json=MANUAL).status_code == 202
    # What is not theirs to see tells nothing by its DAG.
    assert stocked.call("ben", "POST", f"/sync/logs/{FAILED}/retry").status_code == 404
    assert stocked.call("ben", "POST", f"/sync/logs/{running}/cancel").status_code == 404


def test_who_may_run_here_but_not_in_airflow_is_refused_by_airflow(
    stocked: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sync_api import access

    monkeypatch.setattr(access, "_judge", lambda *_: (True, False))
    answer = stocked.call("vera", "POST", "/sync/schedules/weekly/run")
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
    assert runs(stocked) == []
