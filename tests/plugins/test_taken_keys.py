"""A key that passes to somebody else takes nothing of what was done under it before along."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from data_sync.catalogue import editing, mirror_yaml
from data_sync.database import Database, now
from data_sync.looking.log_filters import LogFilter
from data_sync.looking.progress import begin
from data_sync.looking.stats import By, stats
from data_sync.looking.viewer import Viewer
from data_sync.schedules.model import Schedule
from tests.plugins.airflow_app import App
from tests.plugins.log_stock import COMPLETE, FAILED, FIRST, make_log
from tests.plugins.routes import DEFINITION

MINE = Schedule.from_dict(DEFINITION)
FOR_ALL = Schedule.from_dict({**DEFINITION, "visible_to": ["everyone"]})


def write_yaml(db: Database, *schedules: Schedule, revision: int) -> None:
    """As the dag-processor does when the file holds these."""
    found = {schedule.key: (schedule, 3) for schedule in schedules}
    assert mirror_yaml(
        db, found, {}, content_hash=str(revision), revision=revision, problems=()
    ), "the file was not taken over"  # fmt: skip


def make(db: Database, *, status: str = "completed") -> int:
    """A log of the key as it is now."""
    with db.transaction() as cursor:
        return make_log(cursor, MINE, key="nightly", status=status, at=now(cursor))


def listed(app: App, who: str) -> list[int]:
    items = app.call(who, "GET", "/sync/logs?limit=200").json()["items"]
    return sorted(item["id"] for item in items if item["schedule_key"] == "nightly")


def told(db: Database, who: str) -> list[int]:
    """What a stream of events begins with; all logs are under way for it."""
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_logs SET status = 'processing'")
    with db.transaction() as cursor:
        found = begin(cursor, Viewer(who), None)
    return sorted(log["id"] for log in found.logs if log["schedule_key"] == "nightly")


def added_up(db: Database, who: str) -> int:
    day = FIRST.date()
    with db.transaction() as cursor:
        entries = stats(cursor, Viewer(who), LogFilter(schedule="nightly"), By.DAY,
                        first=day, last=day + timedelta(days=3), zone="UTC")  # fmt: skip
    return sum(entry["runs"] for entry in entries)


@pytest.mark.parametrize("is_deleted", [True, False], ids=["deleted", "overruled"])
def test_what_git_makes_public_are_its_own_logs_and_not_those_from_before(
    stocked: App, db: Database, is_deleted: bool
) -> None:
    assert [added_up(db, who) for who in ("anna", "ben", "vera")] == [2, 0, 0]
    if is_deleted:
        with db.transaction() as cursor:
            editing.delete(cursor, "nightly")
    write_yaml(db, FOR_ALL, revision=1)
    new = make(db)
    assert [listed(stocked, who) for who in ("ben", "vera")] == [[new], [new]]
    assert listed(stocked, "anna") == [FAILED, COMPLETE, new]
    assert [added_up(db, who) for who in ("anna", "ben", "vera")] == [2, 0, 0]
    assert stocked.call("ben", "GET", f"/sync/logs/{FAILED}").status_code == 404
    assert stocked.call("ben", "POST", f"/sync/logs/{FAILED}/retry").status_code == 404
    assert stocked.call("anna", "GET", f"/sync/logs/{FAILED}").status_code == 200
    assert "wrong credentials" not in stocked.call("ben", "GET", "/sync/logs/export").text
    around = stocked.call("ben", "GET", f"/sync/logs/{new}").json()["around"]
    assert [entry["id"] for entry in around] == [new]
    assert told(db, "ben") == [new]
    assert told(db, "anna") == [FAILED, COMPLETE, new]


def test_who_gets_the_key_back_from_git_does_not_see_what_git_did_with_it(stocked: App, db: Database) -> None:
    for_ben = Schedule.from_dict({**DEFINITION, "visible_to": ["ben"]})
    write_yaml(db, for_ben, revision=1)
    of_git = make(db)
    assert (listed(stocked, "ben"), listed(stocked, "anna")) == ([of_git], [FAILED, COMPLETE])
    write_yaml(db, revision=2)
    again = make(db)
    assert listed(stocked, "anna") == [FAILED, COMPLETE, again]
    assert listed(stocked, "ben") == [of_git]
    assert (told(db, "anna"), told(db, "ben")) == ([FAILED, COMPLETE, again], [of_git])


def last_run(app: App, who: str) -> Any:
    found = app.call(who, "GET", "/sync/schedules/nightly").json()["last_run"]
    items: Iterable[Any] = app.call(who, "GET", "/sync/schedules").json()["items"]
    (entry,) = (item for item in items if item["key"] == "nightly")
    assert entry["last_run"] == found
    return found


def test_a_schedule_does_not_show_its_predecessors_last_run(stocked: App, db: Database) -> None:
    assert last_run(stocked, "anna")["statuses"] == ["completed"]
    with db.transaction() as cursor:
        editing.delete(cursor, "nightly")
        editing.create(cursor, MINE, owner="ben", trusted=True)
    assert last_run(stocked, "ben") is None
    make(db, status="failed")
    assert last_run(stocked, "ben")["statuses"] == ["failed"]


def test_a_schedule_that_git_overrules_for_a_while_does_not_show_gits_last_run(
    stocked: App, db: Database
) -> None:
    write_yaml(db, FOR_ALL, revision=1)
    assert last_run(stocked, "ben") is None
    make(db, status="failed")
    assert last_run(stocked, "ben")["statuses"] == ["failed"]
    write_yaml(db, revision=2)
    assert last_run(stocked, "anna") is None
    make(db)
    assert last_run(stocked, "anna")["statuses"] == ["completed"]
