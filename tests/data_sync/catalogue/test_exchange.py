"""Schedules from one source to the other, and what an edit would change."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from data_sync import accounts, catalogue
from data_sync.catalogue import editing, exchange
from data_sync.catalogue.exchange import FieldChange
from data_sync.dag.people import is_trusted
from data_sync.database import Database
from data_sync.errors import ConfigError
from data_sync.schedules.model import Schedule
from data_sync.schedules.yaml_source import parse
from network_clients import registry
from tests.data_sync.catalogue.drawn import revision, schedule, schedules

NETWORKS = registry.all_networks()
several = st.lists(schedules, max_size=4, unique_by=lambda made: made.key)


def read(text: str) -> dict[str, Schedule]:
    """Read a file with our own reader, which must find nothing wrong."""
    file = parse(text, NETWORKS)
    assert file.problems == ()
    return {key: item.schedule for key, item in file.schedules.items()}


def stored(db: Database) -> dict[str, Schedule]:
    with db.transaction() as cursor:
        return {entry.key: entry.schedule for entry in catalogue.list_schedules(cursor, source="postgres")}


def take_over(db: Database, *made: Schedule, owner: str = "anna") -> dict[str, str]:
    with db.transaction() as cursor:
        return exchange.take_over(cursor, made, owner=owner, is_trusted=lambda user: user == "anna")


# Export.


@settings(max_examples=150, deadline=None)
@given(several)
def test_what_is_written_is_read_as_the_same_schedules(made: list[Schedule]) -> None:
    text = exchange.render(made)
    assert read(text) == {schedule.key: schedule for schedule in made}
    assert text == exchange.render(reversed(made)), "in whatever order they come"


@settings(max_examples=60, deadline=None)
@given(schedules)
def test_an_entry_holds_nothing_that_could_be_left_out(made: Schedule) -> None:
    entry = exchange.entry_of(made)
    for word in entry:
        shorter = {name: value for name, value in entry.items() if name != word}
        assert not exchange.reads_as(shorter, made), word


def test_other_readers_of_yaml_see_the_same_words() -> None:
    made = schedule("123", times=["06:00", "18:30"], interval=None, name="no", networks=["admitad:shop2"])
    text = exchange.render([made])
    assert yaml.safe_load(text) == {
        "schedules": {
            "123": {
                "name": "no",
                "networks": ["admitad:shop2"],
                "times": ["06:00", "18:30"],
                "date_range": "yesterday",
            }
        }
    }
    assert '    times: ["06:00", "18:30"]\n' in text


def test_no_schedule_is_a_valid_file_too() -> None:
    assert read(exchange.render([])) == {}


def test_more_than_is_read_is_not_written() -> None:
    big = [schedule(f"s{number}", visible_to=["x" * 190] * 100) for number in range(120)]
    with pytest.raises(ConfigError, match="larger than 2 MiB"):
        exchange.render(big)


# Import.


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(several)
@example([])
def test_export_then_import_gives_equal_schedules(db: Database, made: list[Schedule]) -> None:
    with db.transaction() as cursor:
        cursor.execute("DELETE FROM data_sync.sync_schedules")
    take_over(db, *made)
    text = exchange.render(stored(db).values())
    with db.transaction() as cursor:
        cursor.execute("DELETE FROM data_sync.sync_schedules")
    take_over(db, *read(text).values())
    assert stored(db) == {schedule.key: schedule for schedule in made}
    before = revision(db)
    assert set(take_over(db, *read(text).values()).values()) <= {"unchanged"}
    assert revision(db) == before


def test_what_is_missing_is_made_what_differs_is_changed_and_nothing_is_deleted(db: Database) -> None:
    take_over(db, schedule("a"), schedule("b"), schedule("c"))
    done = take_over(db, schedule("d"), schedule("a"), schedule("b", interval="1h"))
    assert done == {"a": "unchanged", "b": "changed", "d": "created"}
    assert set(stored(db)) == {"a", "b", "c", "d"}
    assert stored(db)["b"] == schedule("b", interval="1h")


def test_a_deleted_one_is_made_again(db: Database) -> None:
    take_over(db, schedule("a"))
    with db.transaction() as cursor:
        editing.delete(cursor, "a")
    assert take_over(db, schedule("a")) == {"a": "created"}
    assert set(stored(db)) == {"a"}


def test_who_owns_it_stays_and_decides_on_the_accounts(db: Database) -> None:
    with db.transaction() as cursor:
        accounts.grant(cursor, "admitad_default", "omar")
    take_over(db, schedule("a"), owner="omar")
    assert take_over(db, schedule("a", interval="1h"), owner="anna") == {"a": "changed"}
    with pytest.raises(ConfigError, match="omar may not use the account boostiny_default"):
        take_over(db, schedule("a", networks=["boostiny"]), owner="anna")


def test_one_that_is_refused_stops_all_and_every_refusal_is_told(db: Database) -> None:
    file = {"theirs": (schedule("theirs"), 2)}
    catalogue.mirror_yaml(db, file, {}, content_hash="1", revision=1, problems=[])
    take_over(db, schedule("kept"))
    before = revision(db)
    with pytest.raises(ConfigError) as refusal:
        take_over(
            db, schedule("kept"), schedule("new"), schedule("theirs"), schedule("x", networks=["boostiny"]),
            owner="omar",
        )  # fmt: skip
    lines = str(refusal.value).splitlines()
    assert lines[0] == "Nothing was taken over."
    assert [line.split(":")[0] for line in lines[1:]] == ["- new", "- theirs", "- x"]
    assert "config/schedules.yaml has a schedule of the key theirs" in lines[2]
    assert "omar may not use the account boostiny_default" in lines[3]
    assert stored(db) == {"kept": schedule("kept")}
    assert revision(db) == before


def test_the_people_of_a_real_airflow_fit(db: Database) -> None:
    with db.transaction() as cursor:
        done = exchange.take_over(cursor, [], owner="anna", is_trusted=is_trusted)
    assert done == {}


# What an edit changes.


def test_a_difference_names_what_comes_goes_and_changes_field_by_field() -> None:
    old = {made.key: made for made in (schedule("a"), schedule("b"), schedule("c"))}
    edited = schedule("b", interval=None, times=["06:00"], max_runs_per_day=2)
    new = {made.key: made for made in (schedule("a"), edited, schedule("d"))}
    found = exchange.compare(old, new)
    assert (list(found.added), list(found.removed)) == (["d"], ["c"])
    assert found.changed == {
        "b": (
            FieldChange("interval", "1d", None),
            FieldChange("times", [], ["06:00"]),
            FieldChange("max_runs_per_day", None, 2),
        )
    }


def test_an_entry_with_problems_counts_as_what_it_was() -> None:
    found = exchange.compare({"a": schedule("a")}, {}, refused={"a", "never"})
    assert (found.added, found.removed, found.changed) == ({}, {}, {})


@settings(max_examples=60, deadline=None)
@given(several, several)
def test_a_difference_taken_over_gives_the_new_ones(old: list[Schedule], new: list[Schedule]) -> None:
    before, after = ({made.key: made for made in made_ones} for made_ones in (old, new))
    found = exchange.compare(before, after)
    result = {key: made.to_dict() for key, made in before.items() if key not in found.removed}
    result |= {key: made.to_dict() for key, made in found.added.items()}
    for key, changes in found.changed.items():
        for change in changes:
            assert result[key].get(change.field) == change.old
            result[key][change.field] = change.new
        result[key] = {word: value for word, value in result[key].items() if value is not None}
    assert result == {key: made.to_dict() for key, made in after.items()}
