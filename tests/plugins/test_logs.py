"""The list of logs, one of them, and reading again what failed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from data_sync import accounts
from data_sync.catalogue import editing
from data_sync.database import Database
from data_sync.looking import logs as looking
from data_sync.looking.log_filters import Conditions, LogFilter
from data_sync.looking.viewer import Viewer
from data_sync.schedules.model import Schedule
from tests.plugins.airflow_app import App
from tests.plugins.log_stock import COMPLETE, FAILED, FIRST, QUICK, make_log
from tests.plugins.routes import DEFINITION, IN_GIT

MINE = Schedule.from_dict(DEFINITION)


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_everybody_sees_what_is_theirs_and_an_admin_all(stocked: App) -> None:
    assert ids(stocked.call("anna", "GET", "/sync/logs")) == [COMPLETE, FAILED]
    assert ids(stocked.call("ben", "GET", "/sync/logs")) == [QUICK]
    assert ids(stocked.call("vera", "GET", "/sync/logs")) == []
    assert ids(stocked.call("ada", "GET", "/sync/logs")) == [QUICK, COMPLETE, FAILED]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=failed", [FAILED]),
        ("network=admitad&status=completed", [QUICK, COMPLETE]),
        ("network=boostiny", []),
        ("account=admitad_default&sync_type=purchases", [QUICK, COMPLETE, FAILED]),
        ("schedule=nightly", [COMPLETE, FAILED]),
        ("schedule=manual", [QUICK]),
        ("trigger=quick_sync", [QUICK]),
        ("from=2026-03-02", [QUICK, COMPLETE]),
        ("to=2026-03-01", [FAILED]),
        ("from=2026-03-02&to=2026-03-02", [COMPLETE]),
        ("to=2026-02-28&timezone=America/New_York", [FAILED]),
        ("text=client+refused", [FAILED]),
        ("text=ADMITAD_defa", [QUICK, COMPLETE, FAILED]),
        ("text=nothing+of+it", []),
        ("text=%25%27-%21", []),
        ("text=credentials&status=failed&schedule=nightly", []),
    ],
)
def test_filters_hold_together(stocked: App, query: str, expected: list[int]) -> None:
    answer = stocked.call("ada", "GET", f"/sync/logs?{query}")
    assert ids(answer) == expected
    assert (answer.json()["total_entries"], answer.json()["is_estimate"]) == (len(expected), False)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=perhaps", "status"),
        ("cursor=AAAA", "cursor"),
        ("cursor=%C3%A9", "cursor"),
        ("limit=9999", "limit"),
        ("from=0000-01-01", "from"),
        ("to=9999-12-31", "to"),
        ("timezone=../etc/passwd", "timezone"),
        ("colour=red", "colour"),
        ("text=%00", "text"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_by_name(stocked: App, query: str, field: str) -> None:
    answer = stocked.call("ada", "GET", f"/sync/logs?{query}")
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("cheap", [looking._CHEAP, 0], ids=["few", "many"])
@pytest.mark.parametrize("stretch", [looking.STRETCH, 3])
def test_pages_follow_each_other_though_logs_are_made_meanwhile(
    stocked: App, db: Database, monkeypatch: pytest.MonkeyPatch, cheap: int, stretch: int
) -> None:
    monkeypatch.setattr(looking, "_CHEAP", cheap)
    monkeypatch.setattr(looking, "STRETCH", stretch)
    with db.transaction() as cursor:
        made = [make_log(cursor, MINE, key="nightly", status=("failed", "completed")[n % 2], at=FIRST)
                for n in range(9)]  # fmt: skip
    path, found, rounds = "/sync/logs?status=failed&sync_type=purchases&limit=2", [], 0
    answer = stocked.call("anna", "GET", path).json()
    while True:
        found += [item["id"] for item in answer["items"]]
        rounds += 1
        with db.transaction() as cursor:
            make_log(cursor, MINE, key="nightly", status="failed", at=FIRST + timedelta(days=9))
        if answer["next"] is None:
            break
        answer = stocked.call("anna", "GET", f"{path}&cursor={answer['next']}").json()
    assert found == sorted([FAILED, *made[::2]], reverse=True)
    assert rounds >= 3
    assert answer["is_estimate"] == (cheap == 0)


def test_a_page_of_many_is_read_from_one_index_in_its_order(stocked: App, db: Database) -> None:
    """With whatever filters, and whoever looks."""
    wanted = LogFilter(
        network="admitad", account="admitad_default", status="failed", schedule="nightly", trigger="retry",
        sync_type="purchases", since=FIRST, before=FIRST,
    )  # fmt: skip
    with db.transaction() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        found = looking.conditions(cursor, Viewer("anna"), wanted)
        cursor.execute(
            "EXPLAIN SELECT * FROM (SELECT l.id, l.created_at, "
            f"({found.others}) AS fits FROM data_sync.sync_logs l WHERE {found.time} "
            "ORDER BY l.created_at DESC, l.id DESC LIMIT 100000) l WHERE l.fits "
            "ORDER BY l.created_at DESC, l.id DESC LIMIT 51",
            found.values,
        )
        plan = "\n".join(str(row["QUERY PLAN"]) for row in cursor)
    assert "Index Only Scan using sync_logs_time" in plan
    assert "Sort" not in plan


def test_a_place_after_all_that_is_asked_for_changes_nothing(stocked: App, db: Database) -> None:
    wanted = LogFilter(before=FIRST + timedelta(days=1))
    ada = Viewer("ada", is_admin=True)
    with db.transaction() as cursor:
        for place in (FIRST + timedelta(days=1), FIRST + timedelta(days=9)):
            page = looking.list_page(cursor, ada, wanted, after=looking.Mark(place, 1), limit=9)
            assert [row["id"] for row in page.rows] == [FAILED]
        page = looking.list_page(cursor, ada, wanted, after=looking.Mark(FIRST, FAILED), limit=9)
        assert page.rows == []


def test_what_takes_longer_than_expected_is_walked(
    stocked: App, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Conditions("true", "length(pg_sleep(0.02)::text) = 0", {})
    monkeypatch.setattr(looking, "conditions", lambda *_: slow)
    monkeypatch.setattr(looking, "_QUICK", "10ms")
    with db.transaction() as cursor:
        before = cursor.execute("SHOW statement_timeout").fetchone()
        page = looking.list_page(cursor, Viewer("ada", is_admin=True), LogFilter(), after=None, limit=2)
        assert cursor.execute("SHOW statement_timeout").fetchone() == before
    assert ([row["id"] for row in page.rows], page.is_estimate) == ([QUICK, COMPLETE], True)


def test_what_is_shown_to_its_end_is_counted_and_not_estimated(
    stocked: App, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_CHEAP", 0)
    monkeypatch.setattr(looking, "_estimate", lambda *_: (4_711, 1.0))
    first = stocked.call("ada", "GET", "/sync/logs?limit=3").json()
    assert ids_and_total(first) == ([QUICK, COMPLETE, FAILED], 3, False, None)
    # A page that has others before or behind it knows its own entries only.
    before = stocked.call("ada", "GET", "/sync/logs?limit=2").json()
    assert (before["total_entries"], before["is_estimate"]) == (4_711, True)
    behind = stocked.call("ada", "GET", f"/sync/logs?limit=2&cursor={before['next']}").json()
    assert ids_and_total(behind) == ([FAILED], 4_711, True, None)


def ids_and_total(answer: dict[str, Any]) -> tuple[list[int], int, bool, str | None]:
    found = [item["id"] for item in answer["items"]]
    return found, answer["total_entries"], answer["is_estimate"], answer["next"]


def test_one_log_says_what_happened_and_what_to_do(stocked: App, db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO data_sync.rejected_records (account, network, kind, key, field, reason, payload, "
            "payload_hash, first_log_id, last_log_id) VALUES ('admitad_default', 'admitad', 'purchases', "
            "'77', 'currency', 'It has no currency.', 'secret-payload', 'h', %(log)s, %(log)s)",
            {"log": FAILED},
        )
    answer = stocked.call("anna", "GET", f"/sync/logs/{FAILED}")
    assert answer.status_code == 200, answer.text
    log = answer.json()
    assert log["error"]["verdict"] == "wrong credentials"
    assert "Write the right one" in log["error"]["message"]
    assert (log["can_be_retried"], log["retry_refusal"]) == (True, None)
    assert [(row["key"], row["reason"]) for row in log["rejected"]] == [("77", "It has no currency.")]
    assert "secret-payload" not in answer.text
    assert [event["event"] for event in log["timeline"]] == [
        "opened", "started", "unit started", "unit ended", "ended", "run closed",
    ]  # fmt: skip
    assert log["counts"] == [{"kind": "purchases", "read": 0, "inserted": 0, "updated": 0, "unchanged": 0,
                              "outdated": 0, "rejected": 0, "vanished": 0}]  # fmt: skip
    assert [entry["id"] for entry in log["around"]] == [COMPLETE, FAILED]
    run = log["airflow"]
    assert run["url"].startswith("/dags/sync__nightly/runs/run%2B")
    assert log["steps"][0]["airflow_url"] == f"{run['url']}/tasks/admitad.sync/mapped/0"


def test_five_runs_stand_around_a_log(stocked: App, db: Database) -> None:
    with db.transaction() as cursor:
        made = [make_log(cursor, MINE, key="nightly", at=FIRST + timedelta(days=10 + n)) for n in range(4)]

    def around(log: int) -> list[int]:
        found = stocked.call("anna", "GET", f"/sync/logs/{log}").json()["around"]
        return [entry["id"] for entry in found]

    assert around(made[1]) == [made[3], made[2], made[1], made[0], COMPLETE]
    assert around(made[3]) == [*reversed(made), COMPLETE]
    assert around(FAILED) == [made[2], made[1], made[0], COMPLETE, FAILED]


def test_logs_of_a_key_made_again_by_somebody_else_are_not_theirs(stocked: App, db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_schedules SET deleted_at = now() WHERE key = 'nightly'")
    assert ids(stocked.call("anna", "GET", "/sync/logs")) == [COMPLETE, FAILED]
    with db.transaction() as cursor:
        editing.create(cursor, MINE, owner="ben", trusted=True)
    assert ids(stocked.call("ben", "GET", "/sync/logs")) == [QUICK]
    assert stocked.call("ben", "GET", f"/sync/logs/{FAILED}").status_code == 404


def test_logs_of_a_schedule_of_git_are_seen_by_whom_it_names(stocked: App, db: Database) -> None:
    with db.transaction() as cursor:
        made = make_log(cursor, MINE, key=IN_GIT)
    assert made in ids(stocked.call("vera", "GET", "/sync/logs"))
    with db.transaction() as cursor:
        cursor.execute(
            "UPDATE data_sync.sync_schedules SET definition = definition || '{\"visible_to\": [\"ben\"]}' "
            "WHERE key = %s", [IN_GIT],
        )  # fmt: skip
    assert made in ids(stocked.call("ben", "GET", "/sync/logs"))
    assert ids(stocked.call("vera", "GET", "/sync/logs")) == []


def test_what_failed_is_read_again_by_quick_sync_once(stocked: App) -> None:
    path, key = f"/sync/logs/{FAILED}/retry", {"Idempotency-Key": "retry-of-the-test"}
    first = stocked.call("anna", "POST", path, headers=key)
    second = stocked.call("anna", "POST", path, headers=key)
    assert (first.status_code, second.json()) == (202, first.json())
    (run,) = stocked.airflow_rows("SELECT dag_id, conf, triggering_user_name FROM dag_run")
    assert (run["dag_id"], run["conf"], run["triggering_user_name"]) == (
        "quick_sync",
        {"log": FAILED},
        "anna",
    )


def test_what_an_account_would_refuse_is_not_offered_and_not_started(stocked: App, db: Database) -> None:
    """As a run now: by the grants of the schedule's owner, not by those of who clicks."""
    path = f"/sync/logs/{FAILED}"
    with db.transaction() as cursor:
        accounts.revoke(cursor, "admitad_default", "anna")
    for who in ("anna", "ada"):
        shown = stocked.call(who, "GET", path).json()
        assert not shown["can_be_retried"]
        assert "data-sync accounts grant admitad_default anna" in shown["retry_refusal"]
        answer = stocked.call(who, "POST", f"{path}/retry")
        assert (answer.status_code, answer.json()["code"]) == (409, "not-retryable")
        assert answer.json()["detail"] == shown["retry_refusal"]
    assert stocked.airflow_rows("SELECT 1 FROM dag_run") == []


def test_a_log_of_git_is_read_again_without_a_grant(stocked: App, db: Database) -> None:
    with db.transaction() as cursor:
        failed = make_log(cursor, MINE, key=IN_GIT, status="failed")
        own = make_log(cursor, MINE, who="ben", status="failed")
    assert stocked.call("ben", "GET", f"/sync/logs/{failed}").json()["can_be_retried"]
    assert stocked.call("ben", "POST", f"/sync/logs/{failed}/retry").status_code == 202
    refused = stocked.call("ben", "GET", f"/sync/logs/{own}").json()["retry_refusal"]
    assert "data-sync accounts grant admitad_default ben" in refused


def test_a_log_that_did_not_fail_is_not_read_again(stocked: App) -> None:
    answer = stocked.call("anna", "POST", f"/sync/logs/{COMPLETE}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "not-retryable")
    assert "completed" in answer.json()["detail"]
    assert stocked.airflow_rows("SELECT 1 FROM dag_run") == []
