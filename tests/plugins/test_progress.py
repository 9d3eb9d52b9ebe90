"""What has changed since a position: for whom, exactly, and whatever the order of commits."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from data_sync.database import Database
from data_sync.ledger import cancelling
from data_sync.looking import progress
from data_sync.looking.progress import Position
from data_sync.looking.viewer import Viewer
from data_sync.runs.opening import open_run
from data_sync.schedules.model import Schedule
from tests.data_sync.kit import make_request
from tests.plugins.airflow_app import App
from tests.plugins.log_stock import make_log, stock_running_log
from tests.plugins.routes import DEFINITION

MINE = Schedule.from_dict(DEFINITION)


def change(db: Database, statement: str) -> None:
    with db.transaction() as cursor:
        cursor.execute(statement)


def positions(db: Database, viewer: Viewer, since: Position | None = None) -> progress.Progress:
    with db.transaction() as cursor:
        return progress.begin(cursor, viewer, since)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1-2",
        "1-5:4:",
        "1-5:9:8,7",
        "1-5:9:4",
        "1-5:9:9",
        "1-0:9:",
        "1-5:99999999999999999999:",
        "1-5:6:;",
        # What Postgres itself takes for none.
        "1-4294967296:4294967296:",
        "1-5:8589934592:",
        "1-5:8589934599:4294967296",
    ],
)
def test_what_is_no_position_is_none(text: str) -> None:
    assert Position.parse(text) is None


def test_a_position_is_written_and_read(db: Database) -> None:
    found = positions(db, Viewer("ada", is_admin=True)).position
    assert Position.parse(str(found)) == found


@pytest.mark.parametrize(
    ("other", "is_whole"),
    [
        ({}, True),
        ({"at": -86_500}, False),
        ({"at": 100}, False),
        ({"snapshot": "900000000:900000000:"}, False),
    ],
)
def test_a_position_of_long_ago_or_of_another_database_is_told_as_such(
    stocked: App, db: Database, other: dict[str, Any], is_whole: bool
) -> None:
    log = stock_running_log()
    ada = Viewer("ada", is_admin=True)
    before = positions(db, ada).position
    at = before.at + other.get("at", 0)
    found = positions(db, ada, Position(at, other.get("snapshot", before.snapshot)))
    assert ([entry["id"] for entry in found.logs], found.is_whole) == ([log], is_whole)


def test_logs_that_were_restored_from_another_server_have_not_changed(stocked: App, db: Database) -> None:
    ada = Viewer("ada", is_admin=True)
    before = positions(db, ada).position
    with db.transaction() as cursor:
        cursor.execute("ALTER TABLE data_sync.sync_logs DISABLE TRIGGER USER")
        cursor.execute("UPDATE data_sync.sync_logs SET changed_in = '900000000', updated_at = now()")
    assert positions(db, ada, before).logs == []


def test_what_others_logs_do_meanwhile_hides_no_end_of_ones_own(
    stocked: App, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MOST_ENDED", 3)
    ben = Viewer("ben")

    def end(who: str, count: int) -> list[int]:
        with db.transaction() as cursor:
            return [make_log(cursor, MINE, who=who) for _ in range(count)]

    before = positions(db, ben).position
    mine = end("ben", 1)
    end("vera", 10)
    found = positions(db, ben, before)
    assert ([log["id"] for log in found.logs], found.is_whole) == (mine, True)
    end("ben", 3)
    assert not positions(db, ben, before).is_whole


def test_who_sees_a_log_in_the_list_is_told_of_it_and_nobody_else(stocked: App, db: Database) -> None:
    """Of a schedule of the screens, of git's, of one made again by somebody else, and of quick syncs."""
    with db.transaction() as cursor:
        for key, who in (("nightly", None), ("weekly", None), (None, "ben"), (None, "vera"), ("gone", None)):
            make_log(cursor, MINE, key=key, who=who, status="processing")
        cursor.execute("UPDATE data_sync.sync_logs SET status = 'processing'")
    people = [Viewer("ada", is_admin=True), *map(Viewer, ("anna", "ben", "vera"))]

    def compare() -> None:
        for viewer in people:
            listed = stocked.call(viewer.name, "GET", "/sync/logs?limit=200").json()["items"]
            told = [log["id"] for log in positions(db, viewer).logs]
            assert sorted(told) == sorted(entry["id"] for entry in listed), viewer

    compare()
    change(db, "UPDATE data_sync.sync_schedules SET definition = definition || '{\"visible_to\": [\"ben\"]}' "
          "WHERE key = 'weekly'")  # fmt: skip
    compare()
    change(db, "UPDATE data_sync.sync_schedules SET deleted_at = now() WHERE key = 'nightly'")
    compare()
    change(db, "UPDATE data_sync.sync_schedules SET deleted_at = NULL, owner = 'ben', created_at = now() "
          "WHERE key = 'nightly'")  # fmt: skip
    compare()


def test_a_transaction_sends_one_message_however_much_it_changes_and_none_while_nobody_watches(
    db: Database, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as ear:
        ear.execute("LISTEN data_sync_progress")
        open_run(db, make_request("r0"))
        assert list(ear.notifies(timeout=0.5)) == [], "nobody watches"
        ear.execute("INSERT INTO data_sync.event_listeners VALUES ('me', now() + interval '1 minute')")
        open_run(db, make_request("r1"))
        assert len(list(ear.notifies(timeout=0.5))) == 1
        with db.transaction() as cursor:
            cancelling.cancel(cursor, 2, "anna")
        assert len(list(ear.notifies(timeout=0.5))) == 1
