"""Schedules of the screens: made, changed, deleted and made again, by several people at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_sync import accounts, catalogue
from data_sync.catalogue import StoredSchedule, editing
from data_sync.database import Database
from data_sync.errors import (
    AccountRefusedError,
    ConfigError,
    DataSyncError,
    ScheduleChangedError,
    ScheduleExistsError,
    ScheduleMissingError,
    ScheduleReadOnlyError,
)
from data_sync.schedules.model import Schedule
from tests.data_sync.catalogue.drawn import revision, schedule
from tests.data_sync.kit import rows


def create(db: Database, made: Schedule, owner: str = "anna", *, trusted: bool = True) -> StoredSchedule:
    with db.transaction() as cursor:
        return editing.create(cursor, made, owner=owner, trusted=trusted)


def change(db: Database, made: Schedule, revision: int, *, trusted: bool = True) -> StoredSchedule:
    with db.transaction() as cursor:
        return editing.change(cursor, made, revision=revision, trusted=trusted)


def delete(db: Database, key: str, revision: int | None = None) -> None:
    with db.transaction() as cursor:
        editing.delete(cursor, key, revision=revision)


def found(db: Database, key: str) -> StoredSchedule | None:
    with db.transaction() as cursor:
        return catalogue.find(cursor, key)


def into_yaml(db: Database, *keys: str) -> None:
    entries = {key: (schedule(key, name="Of the file"), 2) for key in keys}
    number = rows(db, "SELECT COALESCE(max(revision), 0) + 1 AS next FROM data_sync.yaml_mirror")[0]["next"]
    catalogue.mirror_yaml(db, entries, {}, content_hash=str(number), revision=number, problems=[])


def test_a_schedule_is_made_changed_and_deleted(db: Database) -> None:
    made = create(db, schedule("mine", interval="1h"))
    assert (made.source, made.owner, made.revision, made.problems) == ("postgres", "anna", 1, [])
    assert found(db, "mine") == made
    changed = change(db, schedule("mine", interval="2h"), made.revision)
    assert (changed.definition["interval"], changed.owner, changed.revision) == ("2h", "anna", 2)
    assert found(db, "mine") == changed
    delete(db, "mine", changed.revision)
    assert found(db, "mine") is None


def test_a_deleted_key_keeps_its_row_with_its_name_and_can_be_made_again(db: Database) -> None:
    create(db, schedule("mine", name="Summer sale"))
    delete(db, "mine")
    statement = "SELECT name, owner, revision, deleted_at IS NOT NULL AS gone FROM data_sync.sync_schedules"
    assert rows(db, statement) == [{"name": "Summer sale", "owner": "anna", "revision": 2, "gone": True}]
    again = create(db, schedule("mine", name="Winter sale"), "omar")
    assert (again.owner, again.schedule.name, again.revision) == ("omar", "Winter sale", 3)
    assert rows(db, statement) == [{"name": "Winter sale", "owner": "omar", "revision": 3, "gone": False}]


def test_what_was_wrong_with_a_deleted_schedule_is_not_wrong_with_its_successor(db: Database) -> None:
    create(db, schedule("mine"))
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_schedules SET build_problem = 'no DAG', last_good = '{}'")
    delete(db, "mine")
    again = create(db, schedule("mine"))
    assert (again.all_problems, again.last_good) == ([], None)


def test_a_key_of_the_file_is_refused_everywhere_with_a_sentence(db: Database) -> None:
    into_yaml(db, "theirs")
    for attempt in (
        lambda: create(db, schedule("theirs")),
        lambda: change(db, schedule("theirs"), 1),
        lambda: delete(db, "theirs"),
    ):
        with pytest.raises(ScheduleReadOnlyError, match=r"config/schedules\.yaml"):
            attempt()
    assert rows(db, "SELECT source FROM data_sync.sync_schedules") == [{"source": "yaml"}]


def test_a_key_can_be_made_when_the_file_has_it_no_more(db: Database) -> None:
    into_yaml(db, "theirs")
    into_yaml(db)
    assert create(db, schedule("theirs")).source == "postgres"


def test_a_key_that_is_taken_is_refused(db: Database) -> None:
    create(db, schedule("mine", name="First"))
    with pytest.raises(ScheduleExistsError, match="choose another key"):
        create(db, schedule("mine", name="Second"), "omar")
    kept = found(db, "mine")
    assert kept is not None
    assert (kept.schedule.name, kept.owner, kept.revision) == ("First", "anna", 1)


@pytest.mark.parametrize("key", ["never", "deleted"])
def test_what_is_not_there_cannot_be_changed_or_deleted(db: Database, key: str) -> None:
    create(db, schedule("deleted"))
    delete(db, "deleted")
    with pytest.raises(ScheduleMissingError, match="data-sync schedules"):
        change(db, schedule(key), 1)
    with pytest.raises(ScheduleMissingError, match="data-sync schedules"):
        delete(db, key)


def test_a_change_made_from_an_older_revision_is_refused_and_nothing_is_lost(db: Database) -> None:
    create(db, schedule("mine"))
    first = change(db, schedule("mine", name="First"), 1)
    for attempt in (lambda: change(db, schedule("mine", name="Late"), 1), lambda: delete(db, "mine", 1)):
        with pytest.raises(ScheduleChangedError, match="at revision 2, you looked at 1"):
            attempt()
    assert found(db, "mine") == first
    delete(db, "mine", 2)
    create(db, schedule("mine", name="Another"))
    with pytest.raises(ScheduleChangedError):
        change(db, schedule("mine", name="Of the one before"), 2)


def test_a_change_to_what_it_is_already_writes_nothing(db: Database) -> None:
    made = create(db, schedule("mine"))
    before = revision(db), rows(db, "SELECT xmin::text FROM data_sync.sync_schedules")
    assert change(db, schedule("mine"), 1) == made
    assert (revision(db), rows(db, "SELECT xmin::text FROM data_sync.sync_schedules")) == before


def at_once(*attempts: Callable[[Database], object]) -> list[object]:
    """Do things at the same moment, each on a connection of its own; return the results and errors."""
    start = threading.Barrier(len(attempts))

    def attempt(work: Callable[[Database], object]) -> object:
        own = Database()
        try:
            own.clock()
            start.wait()
            return work(own)
        except DataSyncError as error:
            return error
        finally:
            own.close()

    with ThreadPoolExecutor(len(attempts)) as pool:
        return list(pool.map(attempt, attempts))


@pytest.mark.parametrize("turn", range(3))
def test_of_changes_from_the_same_revision_exactly_one_wins(db: Database, turn: int) -> None:
    create(db, schedule("mine"))
    names = ["red", "green", "blue", "white"]
    results = at_once(*(lambda own, n=name: change(own, schedule("mine", name=n), 1) for name in names))
    (winner,) = [result for result in results if isinstance(result, StoredSchedule)]
    assert [type(r) for r in results if r is not winner] == [ScheduleChangedError] * 3
    assert found(db, "mine") == winner
    assert winner.revision == 2


def test_of_schedules_made_at_once_with_the_same_key_exactly_one_is(db: Database) -> None:
    owners = ["anna", "omar", "lea", "jo"]
    results = at_once(*(lambda own, o=owner: create(own, schedule("mine", name=o), o) for owner in owners))
    (winner,) = [result for result in results if isinstance(result, StoredSchedule)]
    assert [type(r) for r in results if r is not winner] == [ScheduleExistsError] * 3
    assert found(db, "mine") == winner


def test_many_people_who_work_on_many_schedules_do_not_stand_in_each_others_way(db: Database) -> None:
    """New accounts, new schedules and the file of git at the same time: no deadlock, nothing lost."""
    shops = [f"admitad:shop{number}" for number in range(8)]
    results = at_once(
        *(lambda own, n=n: create(own, schedule(f"s{n}", networks=shops[n:])) for n in range(8)),
        lambda own: into_yaml(own, "y1", "y2"),
        lambda own: into_yaml(own, "y1"),
    )
    assert [result for result in results if isinstance(result, Exception)] == []
    assert len(rows(db, "SELECT 1 FROM data_sync.sync_schedules WHERE source = 'postgres'")) == 8


def test_two_edits_within_a_second_are_both_whole(db: Database) -> None:
    made = create(db, schedule("mine"))
    seen = [revision(db)]
    for number in (1, 2):
        words = {"name": f"Edit {number}", "interval": f"{number}h", "networks": [f"admitad:shop{number}"]}
        made = change(db, schedule("mine", **words), made.revision)
        assert found(db, "mine") == made
        assert made.schedule == schedule("mine", **words)
        seen.append(revision(db))
    assert seen == sorted(set(seen))


# Who may use which account.


def test_an_author_may_use_only_what_was_granted(db: Database) -> None:
    with pytest.raises(AccountRefusedError, match="data-sync accounts grant admitad_default anna"):
        create(db, schedule("mine"), trusted=False)
    assert found(db, "mine") is None
    with db.transaction() as cursor:
        accounts.grant(cursor, "admitad_default", "anna")
    made = create(db, schedule("mine"), trusted=False)
    with pytest.raises(AccountRefusedError, match="boostiny_default"):
        change(db, schedule("mine", networks=["admitad", "boostiny"]), made.revision, trusted=False)
    assert found(db, "mine") == made


def test_the_owner_counts_and_not_who_changes_it(db: Database) -> None:
    with db.transaction() as cursor:
        accounts.grant(cursor, "admitad_default", "anna")
    create(db, schedule("mine"), trusted=False)
    assert change(db, schedule("mine", interval="1h"), 1, trusted=False).owner == "anna"


def test_an_account_that_does_not_exist_is_refused_with_what_to_do(db: Database) -> None:
    with db.transaction() as cursor:
        accounts.mirror_unknown(cursor, ["admitad_gone"])
        accounts.mirror(cursor, "admitad_gone", exists=False)
    with pytest.raises(AccountRefusedError, match="There is no Airflow connection 'admitad_gone'"):
        create(db, schedule("mine", networks=["admitad:gone"]))


def test_an_account_that_is_named_for_the_first_time_becomes_known(db: Database) -> None:
    create(db, schedule("mine", networks=["admitad:new"]))
    assert rows(db, "SELECT account, state FROM data_sync.accounts") == [
        {"account": "admitad_new", "state": "unknown"}
    ]


def test_a_refusal_leaves_no_trace(db: Database) -> None:
    before = revision(db)
    with pytest.raises(AccountRefusedError):
        create(db, schedule("mine", networks=["admitad:new"]), trusted=False)
    assert revision(db) == before
    assert rows(db, "SELECT 1 FROM data_sync.accounts") == []
    assert rows(db, "SELECT 1 FROM data_sync.sync_schedules") == []


# What others see of it.

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "change", "delete"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["1h", "2h"]),
        st.integers(1, 3),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS)
def test_every_change_is_visible_and_nothing_else_is(db: Database, steps: list[tuple]) -> None:
    with db.transaction() as cursor:
        cursor.execute("DELETE FROM data_sync.sync_schedules")
    for what, key, interval, seen in steps:
        before = listed(db), revision(db)
        try:
            if what == "create":
                create(db, schedule(key, interval=interval))
            elif what == "change":
                change(db, schedule(key, interval=interval), seen)
            else:
                delete(db, key, seen)
        except ConfigError:
            assert (listed(db), revision(db)) == before
        else:
            after = listed(db), revision(db)
            assert (after[0] != before[0]) == (after[1] > before[1])


def listed(db: Database) -> list[StoredSchedule]:
    with db.transaction() as cursor:
        return catalogue.list_schedules(cursor)
