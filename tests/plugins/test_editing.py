"""Making, changing and deleting schedules: nobody's work is lost, and Airflow hears of it at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from data_sync.database import Database
from data_sync.schedules.words import DateRange
from tests.plugins.airflow_app import App

ONE = "/sync/schedules/nightly"
NEW = {"key": "hourly", "networks": ["admitad"], "interval": "1h", "date_range": "today"}


def shown(app: App, who: str = "anna") -> Any:
    return app.call(who, "GET", ONE)


def test_a_new_schedule_is_its_makers_own_and_read_at_once(stocked: App) -> None:
    answer = stocked.call("anna", "POST", "/sync/schedules", json=NEW)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == "/sync/schedules/hourly"
    made = answer.json()
    assert (made["owner"], made["state"], made["is_built"], made["revision"]) == ("anna", "active", False, 1)
    assert len(made["next_runs"]) == 5
    asked = stocked.airflow_rows("SELECT relative_fileloc FROM dag_priority_parsing_request")
    assert len(asked) == 1
    assert stocked.call("ben", "GET", "/sync/schedules/hourly").status_code == 404
    assert stocked.call("ada", "GET", "/sync/schedules/hourly").status_code == 200


def test_an_account_that_its_maker_may_not_use_is_refused(stocked: App) -> None:
    answer = stocked.call("ben", "POST", "/sync/schedules", json=NEW)
    assert (answer.status_code, answer.json()["code"]) == (422, "account-refused")
    assert "data-sync accounts grant admitad_default ben" in answer.json()["detail"]


def test_everything_that_is_wrong_is_named_by_field(stocked: App) -> None:
    wrong = {**NEW, "interval": "5m", "timezone": "Berlin", "colour": "red", "networks": ["nonet"]}
    answer = stocked.call("anna", "POST", "/sync/schedules", json=wrong)
    assert answer.status_code == 422
    errors = {error["field"]: error for error in answer.json()["errors"]}
    assert set(errors) == {"interval", "timezone", "colour", "networks.0"}
    assert all(error["fix"] for error in errors.values())


def test_a_lost_update_is_impossible(stocked: App) -> None:
    tag = shown(stocked).headers["ETag"]
    bodies = [
        {"networks": ["admitad"], "date_range": "today", "interval": word} for word in ("1h", "2h", "6h")
    ]

    def save(body: dict[str, Any]) -> int:
        return stocked.call("anna", "PUT", ONE, json=body, headers={"If-Match": tag}).status_code

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(save, bodies)) == [200, 412, 412]
    assert shown(stocked).headers["ETag"] != tag


def test_a_switch_that_somebody_else_has_turned_is_not_turned_back_unseen(stocked: App) -> None:
    headers = {"If-Match": shown(stocked).headers["ETag"]}
    answer = stocked.call("anna", "POST", f"{ONE}/toggle", headers=headers)
    assert (answer.status_code, answer.json()["state"]) == (200, "paused")
    assert stocked.call("anna", "POST", f"{ONE}/toggle", headers=headers).status_code == 412
    again = {"If-Match": answer.headers["ETag"]}
    back = stocked.call("anna", "POST", f"{ONE}/toggle", json={"active": True}, headers=again)
    assert back.json()["state"] == "active"
    audit = stocked.airflow_rows("SELECT owner, extra FROM log WHERE event = 'patch_dag' ORDER BY id")
    assert [row["owner"] for row in audit] == ["anna", "anna"]


def test_of_two_who_turn_a_switch_in_the_same_moment_one_is_told_to_look_again(stocked: App) -> None:
    headers = {"If-Match": shown(stocked).headers["ETag"]}

    def toggle(who: str) -> int:
        return stocked.call(who, "POST", f"{ONE}/toggle", headers=headers).status_code

    with ThreadPoolExecutor(2) as pool:
        with psycopg.connect(stocked.tables) as airflow:
            airflow.execute("SELECT 1 FROM dag WHERE dag_id = 'sync__nightly' FOR UPDATE")
            both = [pool.submit(toggle, who) for who in ("anna", "ada")]
            waiting = (
                "SELECT 1 FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            while len(stocked.airflow_rows(waiting)) < 2:
                time.sleep(0.02)
        assert sorted(found.result(timeout=60) for found in both) == [200, 412]
    assert shown(stocked).json()["state"] == "paused"
    audit = stocked.airflow_rows("SELECT owner FROM log WHERE event = 'patch_dag'")
    assert len(audit) == 1


@pytest.mark.parametrize("value", ["*", "3", '"x"', '"1", "2"', '"1"; DROP', '"99999999999999999999999"'])
def test_a_version_must_be_one_of_ours(stocked: App, value: str) -> None:
    assert stocked.call("anna", "DELETE", ONE, headers={"If-Match": value}).status_code == 428


def test_a_tag_that_a_proxy_made_weak_still_counts(stocked: App) -> None:
    weak = "W/" + shown(stocked).headers["ETag"]
    assert stocked.call("anna", "DELETE", ONE, headers={"If-Match": weak}).status_code == 204
    assert shown(stocked).status_code == 404


def test_an_admin_changes_anybodys_and_the_owner_stays(stocked: App) -> None:
    body = {"networks": ["admitad"], "interval": "6h", "date_range": "today"}
    headers = {"If-Match": shown(stocked).headers["ETag"]}
    answer = stocked.call("ada", "PUT", ONE, json=body, headers=headers)
    assert (answer.status_code, answer.json()["owner"]) == (200, "anna")


def test_a_schedule_of_git_can_be_paused_by_who_sees_it_and_not_edited(stocked: App) -> None:
    form = stocked.call("anna", "GET", "/sync/schedules/weekly/edit")
    assert not form.json()["is_editable"]
    assert "config/schedules.yaml" in form.json()["reason"]
    headers = {"If-Match": form.headers["ETag"]}
    answer = stocked.call("anna", "POST", "/sync/schedules/weekly/toggle", headers=headers)
    assert answer.json()["state"] == "paused"


def test_a_schedule_of_git_is_seen_by_whom_it_names(stocked: App, db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute(
            'UPDATE data_sync.sync_schedules SET definition = definition || \'{"visible_to": ["ben"]}\' '
            "WHERE source = 'yaml'"
        )
    seen = {
        who: stocked.call(who, "GET", "/sync/schedules/weekly").status_code for who in ("anna", "ben", "ada")
    }
    assert seen == {"anna": 404, "ben": 200, "ada": 200}


def test_a_double_click_on_save_makes_one_schedule(stocked: App) -> None:
    headers = {"Idempotency-Key": "save-button-1"}
    first = stocked.call("anna", "POST", "/sync/schedules", json=NEW, headers=headers)
    second = stocked.call("anna", "POST", "/sync/schedules", json=NEW, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert (first.json(), first.headers["ETag"]) == (second.json(), second.headers["ETag"])
    third = stocked.call("anna", "POST", "/sync/schedules", json=NEW)
    assert (third.status_code, third.json()["code"]) == (409, "schedule-exists")


def test_a_save_that_was_broken_off_is_found_again(stocked: App, db: Database) -> None:
    headers = {"Idempotency-Key": "save-button-2"}
    stocked.call("anna", "POST", "/sync/schedules", json=NEW, headers=headers)
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.api_answers SET status = NULL, lease_until = now() - interval '1 s'")
    assert stocked.call("anna", "POST", "/sync/schedules", json=NEW, headers=headers).status_code == 201


def test_a_dry_run_stores_nothing_and_says_what_would_be(stocked: App) -> None:
    answer = stocked.call(
        "anna", "POST", "/sync/schedules/dry-run", json={**NEW, "date_range": "last_7_days"}
    )
    told = answer.json()
    assert told["is_valid"]
    assert len(told["next_runs"]) == 5
    assert told["next_days"]["count"] == 7
    wrong = stocked.call("anna", "POST", "/sync/schedules/dry-run", json={**NEW, "interval": "5m"})
    assert (wrong.status_code, wrong.json()["is_valid"]) == (200, False)
    assert [error["field"] for error in wrong.json()["errors"]] == ["interval"]
    assert stocked.call("anna", "GET", "/sync/schedules/hourly").status_code == 404


def test_the_form_is_the_models_own(stocked: App) -> None:
    form = stocked.call("anna", "GET", "/sync/schedules/create").json()
    fields = {field["name"]: field for field in form["fields"]}
    assert {choice["value"] for choice in fields["date_range"]["choices"]} == {
        word.value for word in DateRange
    }
    assert all(choice["help"] for field in fields.values() for choice in field["choices"])
    assert (fields["max_runs_per_day"]["minimum"], fields["max_runs_per_day"]["maximum"]) == (1, 1440)
    assert all(field["help"] for field in fields.values())
    assert [account["value"] for account in form["networks"]] == ["admitad"]
    assert stocked.call("ben", "GET", "/sync/schedules/create").json()["networks"] == []
    assert "Europe/Berlin" in form["timezones"]


def made_again_by_git(db: Database, key: str) -> None:
    """As the dag-processor leaves it that has taken over a file which names a deleted key once more."""
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_schedules SET pause_switch = 'due' WHERE key = %s", [key])


@pytest.mark.parametrize("path", ["/sync/schedules", "/sync/schedules/weekly"])
def test_a_key_that_git_makes_again_is_not_shown_as_paused_by_its_past(
    stocked: App, db: Database, path: str
) -> None:
    stocked.turn("sync__weekly", paused=True)
    made_again_by_git(db, "weekly")
    answer = stocked.call("anna", "GET", path).json()
    (found,) = [item for item in answer.get("items", [answer]) if item["key"] == "weekly"]
    assert found["state"] == "active"
    assert found["next_run"]
    (entry,) = stocked.airflow_rows("SELECT owner, dag_id FROM log WHERE event = 'patch_dag'")
    assert (entry["owner"], entry["dag_id"]) == ("data-sync", "sync__weekly")


def test_who_pauses_a_key_that_git_has_made_again_is_not_overruled(stocked: App, db: Database) -> None:
    made_again_by_git(db, "weekly")
    tag = stocked.call("anna", "GET", "/sync/schedules/weekly").headers["ETag"]
    path = "/sync/schedules/weekly/toggle"
    assert stocked.call("anna", "POST", path, headers={"If-Match": tag}).json()["state"] == "paused"
    assert stocked.call("anna", "GET", "/sync/schedules/weekly").json()["state"] == "paused"


@pytest.mark.parametrize("key", ["create", "dry-run", "manual"])
def test_a_key_that_is_a_word_of_the_api_is_refused_with_another_one(stocked: App, key: str) -> None:
    answer = stocked.call("anna", "POST", "/sync/schedules", json={**NEW, "key": key})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, "key")
    assert f"{key}-sync" in error["fix"]
    checked = stocked.call("anna", "POST", "/sync/schedules/dry-run", json={**NEW, "key": key}).json()
    assert (checked["is_valid"], checked["errors"]) == (False, [error])
    assert key in stocked.call("anna", "GET", "/sync/schedules/create").json()["reserved_keys"]
