"""What a quick sync's conf asks for, and whose permissions count (fixed words of ``quick_sync``)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from data_sync import accounts
from data_sync.checking import CHECK
from data_sync.dag.names import QUICK_SYNC
from data_sync.dag.people import is_trusted
from data_sync.dag.requests import CONF_WORDS, request_of
from data_sync.database import Database
from data_sync.errors import ConfigError
from data_sync.runs.opening import open_run
from data_sync.runs.request import RunKind, RunRequest
from data_sync.runs.retrying import failed_logs
from data_sync.schedules.model import Schedule
from tests.data_sync.kit import Airflow, claim, make_request, make_schedule, rows, settle_run

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def airflow_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Airflow whose simple auth manager knows an admin and somebody else."""
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "boss:admin,bob:user")


def ask(
    db: Database,
    conf: dict[str, Any],
    user: str | None = "boss",
    run_id: str = "q1",
    dag_id: str = QUICK_SYNC,
) -> RunRequest:
    """What ``open_run`` of a quick sync is told by Airflow."""
    dag_run = SimpleNamespace(
        dag_id=dag_id,
        run_id=run_id,
        conf=conf,
        logical_date=None,
        run_after=NOON,
        run_type=SimpleNamespace(value="manual"),
        triggering_user_name=user,
    )
    return request_of({"dag_run": dag_run}, db)  # type: ignore[typeddict-item]


def store(db: Database, owner: str | None = None, source: str = "postgres", **words: Any) -> Schedule:
    schedule = make_schedule(**{"interval": "1d", **words})
    with db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO data_sync.sync_schedules (key, source, owner, name, definition, definition_hash) "
            "VALUES ('daily', %s, %s, 'Daily', %s::jsonb, 'x')",
            [source, owner, schedule.model_dump_json(by_alias=True, exclude_none=True)],
        )
    return schedule


def test_a_plain_quick_sync_reads_today_with_the_permissions_of_who_asked(db: Database) -> None:
    request = ask(db, {"networks": ["admitad:shop2"]}, user="bob")
    assert (request.kind, request.schedule_key, request.schedule.date_range) == ("quick_sync", None, "today")
    assert (request.author, request.trusted) == ("bob", False)
    opened = open_run(db, request)
    (log,) = rows(db, "SELECT metadata FROM data_sync.sync_logs")
    assert "bob may not use the account admitad_shop2" in log["metadata"]["refused"]
    assert "data-sync accounts grant admitad_shop2 bob" in log["metadata"]["refused"]
    assert opened.units


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"network": ["admitad"]}, "does not know the word 'network': write networks"),
        ({"networks": ["admitat"]}, "write admitad"),
        ({"networks": []}, "networks"),
        ({"schedule": "nowhere"}, "There is no schedule 'nowhere'"),
        ({"check": True, "from": "2026-03-01"}, "A check takes no from"),
        ({"log": "seven"}, '{"log": 123}'),
        ({"log": 7, "networks": ["admitad"]}, '{"log": 123}'),
        ({"log": 7}, "There is no log 7"),
        ({"check": True}, "No account is known yet"),
    ],
)
def test_what_cannot_be_understood_says_what_to_write(db: Database, conf: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(db, conf)
    assert message in str(caught.value)


def test_the_words_of_the_conf_are_those_of_the_trigger_form() -> None:
    from data_sync.dag.quick_sync import build_quick_sync

    assert set(build_quick_sync(["admitad_default"]).params) == set(CONF_WORDS)


def test_running_a_schedule_uses_its_owners_permissions_unless_other_accounts_are_named(db: Database) -> None:
    store(db, owner="ann")
    with db.transaction() as cursor:
        accounts.grant(cursor, "admitad_default", "ann")
    now = ask(db, {"schedule": "daily"}, user="bob")
    assert (now.kind, now.author, now.trusted, now.schedule_key) == (RunKind.RUN_NOW, "ann", False, "daily")
    other = ask(db, {"schedule": "daily", "networks": ["admitad:shop2"]}, user="bob")
    assert (other.author, other.trusted) == ("bob", False)
    past = ask(db, {"schedule": "daily", "from": "2026-02-01", "to": "2026-02-03"})
    assert (past.kind, past.schedule.date_range, past.author) == (RunKind.BACKFILL, "custom", "ann")


def test_a_run_of_a_schedule_knows_which_form_of_it_it_was_made_from(db: Database) -> None:
    store(db, source="yaml")
    assert ask(db, {"schedule": "daily"}).made_from == ("yaml", 1)
    assert ask(db, {"networks": ["admitad"]}).made_from is None


def test_words_for_a_schedules_own_dag_are_refused_and_the_way_is_told(db: Database) -> None:
    store(db, source="yaml")
    with pytest.raises(ConfigError) as caught:
        ask(db, {"date_range": "yesterday"}, dag_id="sync__daily")
    assert "takes no words (date_range)" in str(caught.value)
    assert 'start quick_sync with these words and with "schedule": "daily"' in str(caught.value)
    assert ask(db, {}, dag_id="sync__daily").kind == RunKind.RUN_NOW


def test_schedules_kept_in_git_may_use_every_account(db: Database) -> None:
    store(db, source="yaml")
    assert ask(db, {"schedule": "daily"}, user="bob").trusted


@pytest.mark.parametrize(
    ("user", "trusted"), [("boss", True), ("bob", False), ("anna", True), (None, True), ("", False)]
)
def test_admins_may_use_every_account(
    monkeypatch: pytest.MonkeyPatch, user: str | None, trusted: bool
) -> None:
    monkeypatch.setenv("AIRFLOW__DATA_SYNC__ADMINS", "anna, omar")
    assert is_trusted(user) == trusted


def test_without_the_simple_auth_manager_only_named_admins_count(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", manager)
    assert not is_trusted("boss")
    monkeypatch.setenv("AIRFLOW__DATA_SYNC__ADMINS", "boss")
    assert is_trusted("boss")


def test_a_check_asks_every_known_account_once(db: Database) -> None:
    with db.transaction() as cursor:
        accounts.mirror_unknown(cursor, ["admitad_default", "admitad_shop2"])
    request = ask(db, {"check": True})
    assert [ref.conn_id for ref in request.schedule.networks] == ["admitad_default", "admitad_shop2"]
    assert [unit["kind"] for unit in open_run(db, request).units] == [CHECK]


def fail_a_log(db: Database) -> int:
    """A run of three units, the first and the last of which fail."""
    open_run(db, make_request("r1", make_schedule(sync_type="all"), schedule_key="daily"))
    for unit, end in enumerate(("failed", "completed", "failed")):
        step = claim(db, "r1", unit)
        with db.transaction() as cursor:
            cursor.execute("UPDATE data_sync.sync_log_steps SET status = %s WHERE id = %s", [end, step.id])
    settle_run(db, "r1", Airflow("failed"))
    return int(rows(db, "SELECT id FROM data_sync.sync_logs")[0]["id"])


def test_reading_a_log_again_reads_what_had_failed_of_the_same_days(db: Database) -> None:
    log = fail_a_log(db)
    request = ask(db, {"log": log})
    assert (request.kind, request.retry_of, request.schedule_key) == (RunKind.RETRY, log, "daily")
    assert (request.author, request.trusted) == ("boss", True)
    units = open_run(db, request).units
    assert [(unit["index"], unit["kind"], unit["first"]) for unit in units] == [
        (0, "purchases", "2026-03-01"),
        (1, "coupons", None),
    ]
    again = ask(db, {"log": log}, run_id="q1")
    assert again.units == request.units
    assert again.retry_of is None or again.retry_of == log


def test_the_retry_of_a_schedules_log_uses_its_owners_permissions_as_run_now_does(db: Database) -> None:
    store(db, owner="ann", networks=["admitad"])
    with db.transaction() as cursor:
        accounts.grant(cursor, "admitad_default", "ann")
    log = fail_a_log(db)
    request = ask(db, {"log": log}, user="bob")
    assert (request.author, request.trusted, request.schedule_key) == ("ann", False, "daily")
    assert (request.requested_by, request.retry_of) == ("bob", log)
    open_run(db, request)
    cleared = ask(db, {"log": log}, user="bob")
    assert (cleared.author, cleared.trusted) == ("ann", False)
    found = rows(db, "SELECT metadata FROM data_sync.sync_logs WHERE id <> %s", log)
    assert "refused" not in found[0]["metadata"]


def test_the_retry_of_a_log_of_git_needs_no_grant(db: Database) -> None:
    store(db, source="yaml", networks=["admitad"])
    request = ask(db, {"log": fail_a_log(db)}, user="bob")
    assert (request.author, request.trusted, request.schedule_key) == (None, True, "daily")


def test_an_account_that_the_schedule_does_not_name_is_read_again_by_who_may_use_it(db: Database) -> None:
    store(db, owner="ann", networks=["admitad:shop2"])
    request = ask(db, {"log": fail_a_log(db)}, user="bob")
    assert (request.author, request.trusted, request.schedule_key) == ("bob", False, "daily")


@pytest.mark.parametrize("source", ["yaml", "postgres"])
def test_a_schedule_that_took_the_key_over_lends_its_predecessors_logs_nothing(
    db: Database, source: str
) -> None:
    """Neither its permission, nor its viewers."""
    log = fail_a_log(db)
    store(db, owner=None if source == "yaml" else "ann", source=source, networks=["admitad"])
    request = ask(db, {"log": log}, user="bob")
    assert (request.author, request.trusted, request.schedule_key) == ("bob", False, None)


def test_a_log_is_read_again_once_at_a_time_until_it_ends_well(db: Database) -> None:
    log = fail_a_log(db)
    request = ask(db, {"log": log})
    open_run(db, request)
    with pytest.raises(ConfigError, match="being read again already"):
        ask(db, {"log": log}, run_id="q2")
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_logs SET status = 'failed'")
    ask(db, {"log": log}, run_id="q2")
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_logs SET status = 'completed' WHERE id = %s", [log])
    with pytest.raises(ConfigError, match="only failed and cancelled logs"):
        ask(db, {"log": log}, run_id="q2")


def test_retries_of_retries_are_one_chain(db: Database) -> None:
    log = fail_a_log(db)
    open_run(db, ask(db, {"log": log}))
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_logs SET status = 'failed' WHERE id <> %s", [log])
        cursor.execute("UPDATE data_sync.sync_log_steps SET status = 'failed' WHERE status = 'pending'")
        cursor.execute("DELETE FROM data_sync.schedule_leases")
        assert failed_logs(cursor) == [log]
    second = rows(db, "SELECT id FROM data_sync.sync_logs WHERE id <> %s", log)[0]["id"]
    request = ask(db, {"log": second}, run_id="q2")
    assert request.retry_of == log
    open_run(db, request)
    with db.transaction() as cursor:
        assert failed_logs(cursor) == []
        cursor.execute("UPDATE data_sync.sync_logs SET status = 'completed' WHERE id > %s", [second])
        assert failed_logs(cursor) == []
    with pytest.raises(ConfigError, match="has been"):
        ask(db, {"log": log}, run_id="q3")


def test_a_retry_that_the_daily_maximum_would_refuse_runs_all_the_same(db: Database) -> None:
    words = {"max_runs_per_day": 1, "backfills_count": True}
    open_run(db, make_request("r1", make_schedule(**words), schedule_key="daily", kind=RunKind.BACKFILL))
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_log_steps SET status = 'failed', requests = 1")
    settle_run(db, "r1", Airflow("failed"))
    (log,) = rows(db, "SELECT id FROM data_sync.sync_logs")
    assert open_run(db, ask(db, {"log": log["id"]})).refusal is None


def test_an_id_that_is_used_again_after_its_run_was_deleted_is_another_run(db: Database) -> None:
    open_run(db, replace(ask(db, {"networks": ["admitad"]}), anchor=NOON - timedelta(days=2)))
    request = ask(db, {"networks": ["admitad:shop2"], "sync_type": "campaigns"})
    open_run(db, request)
    found = rows(db, "SELECT run_id, sync_type FROM data_sync.sync_runs ORDER BY id")
    assert [(row["run_id"].split(" ")[0], row["sync_type"]) for row in found] == [
        ("q1", "all"),
        ("q1", "campaigns"),
    ]
    assert found[1]["run_id"] == "q1"
    assert ask(db, {"networks": ["admitad:shop2"], "sync_type": "campaigns"}).units is not None


def tick(db: Database, logical_date: datetime, started: datetime) -> RunRequest:
    dag_run = SimpleNamespace(
        dag_id="sync__daily",
        run_id=f"scheduled__{logical_date}",
        conf={},
        logical_date=logical_date,
        run_after=logical_date,
        start_date=started,
        run_type=SimpleNamespace(value="scheduled"),
        triggering_user_name=None,
    )
    return request_of({"dag_run": dag_run}, db)  # type: ignore[typeddict-item]


def test_a_tick_waits_until_the_next_is_due_and_one_that_is_made_up_for_as_long_as_any(db: Database) -> None:
    store(db)
    midnight = datetime(2026, 3, 10, tzinfo=UTC)
    assert tick(db, midnight, midnight).gives_up_at == midnight + timedelta(days=1)
    late = datetime(2026, 6, 1, 9, tzinfo=UTC)
    assert tick(db, midnight, late).gives_up_at == late + timedelta(days=1)
