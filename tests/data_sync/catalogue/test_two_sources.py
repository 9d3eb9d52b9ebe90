"""A key in git and on the screens at once: the file counts, the clash is shown, and nothing is lost."""

from __future__ import annotations

from datetime import datetime

import pytest

from data_sync import catalogue
from data_sync.catalogue import StoredSchedule, editing
from data_sync.dag.files import parsed
from data_sync.dag.source import Source
from data_sync.database import Database
from data_sync.errors import ScheduleReadOnlyError
from data_sync.schedules.yaml_source import ScheduleFile
from data_sync.schedules.yaml_text import Content, UnreadableFileError
from tests.data_sync.catalogue.drawn import revision, schedule
from tests.data_sync.catalogue.parses import OTHER, built, write
from tests.data_sync.kit import rows

THEIRS = "  shared: {name: Of the file, networks: [admitad], interval: 1h, date_range: today}\n"


def in_force(db: Database, key: str) -> StoredSchedule:
    with db.transaction() as cursor:
        found = catalogue.find(cursor, key)
    assert found is not None
    return found


def test_the_file_wins_the_clash_is_shown_and_the_other_comes_back(db: Database, source: Source) -> None:
    with db.transaction() as cursor:
        editing.create(cursor, schedule("shared", name="Of the screens"), owner="anna", trusted=True)
    assert built(source)["shared"].name == "Of the screens"
    assert source.problems() == []

    write(source.path, OTHER + THEIRS)
    assert built(source)["shared"].name == "Of the file"
    assert (in_force(db, "shared").source, in_force(db, "shared").owner) == ("yaml", None)
    (shown,) = source.problems()
    assert shown.startswith("schedule shared: config/schedules.yaml and the screens both have")

    write(source.path, OTHER)
    back = in_force(db, "shared") if built(source) else None
    assert back is not None
    assert (back.source, back.owner, back.problems, back.revision) == ("postgres", "anna", [], 1)
    assert built(source)["shared"] == schedule("shared", name="Of the screens")
    assert source.problems() == []


def test_an_edit_on_the_screens_does_not_have_the_file_read_and_a_backup_put_back_does(
    db: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(source.path, OTHER + "  broken: {networks: [admitat], date_range: today}\n")
    built(source)
    before = source.problems()
    assert len(before) == 1
    times_read = []

    def counted(content: Content | UnreadableFileError) -> ScheduleFile:
        times_read.append(content)
        return parsed(content)

    monkeypatch.setattr("data_sync.dag.source.parsed", counted)
    with db.transaction() as cursor:
        editing.create(cursor, schedule("mine"), owner="anna", trusted=True)
    assert set(built(source)) == {"other", "mine"}
    assert (source.problems(), times_read) == (before, [])
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.yaml_mirror SET content_hash = 'of yesterday'")
        cursor.execute("UPDATE data_sync.sync_schedules SET deleted_at = now() WHERE key = 'other'")
    assert set(built(source)) == {"other", "mine"}
    assert len(times_read) == 1


def test_an_entry_that_comes_back_is_as_old_as_it_was_unless_its_key_was_somebody_elses(
    db: Database, source: Source
) -> None:
    def made_at() -> datetime:
        built(source)
        where = "(key, source) = ('shared', 'yaml')"
        (row,) = rows(db, f"SELECT created_at FROM data_sync.sync_schedules WHERE {where}")
        found: datetime = row["created_at"]
        return found

    write(source.path, OTHER + THEIRS)
    first = made_at()
    write(source.path, OTHER)
    built(source)
    write(source.path, OTHER + THEIRS)
    assert made_at() == first
    write(source.path, OTHER)
    built(source)
    with db.transaction() as cursor:
        editing.create(cursor, schedule("shared"), owner="anna", trusted=True)
    write(source.path, OTHER + THEIRS)
    assert made_at() > first


def test_two_machines_that_look_in_turns_do_not_make_each_other_read_everything_again(
    db: Database, source: Source
) -> None:
    built(source)
    before = revision(db)
    words = {"content_hash": "1", "revision": 2**45, "problems": ["one"]}
    known = {"theirs": (schedule("theirs"), 2)}
    assert catalogue.mirror_yaml(db, known, {}, **words)
    taken = revision(db)
    assert taken > before
    assert not catalogue.mirror_yaml(db, known, {}, **words)
    assert not catalogue.mirror_yaml(db, {}, {}, content_hash="2", revision=1, problems=[])
    assert revision(db) == taken


def test_the_one_that_is_overruled_can_be_deleted_and_not_changed(db: Database, source: Source) -> None:
    with db.transaction() as cursor:
        editing.create(cursor, schedule("shared"), owner="anna", trusted=True)
    write(source.path, THEIRS)
    assert len(source.problems()) == 1
    with pytest.raises(ScheduleReadOnlyError), db.transaction() as cursor:
        editing.change(cursor, schedule("shared", interval="2h"), revision=1, trusted=True)
    with db.transaction() as cursor:
        editing.delete(cursor, "shared")
    assert source.problems() == []
    assert built(source)["shared"].name == "Of the file"


def test_edits_of_both_sources_in_one_moment_are_all_whole(db: Database, source: Source) -> None:
    built(source)
    for number in range(1, 4):
        with db.transaction() as cursor:
            editing.create(cursor, schedule(f"mine{number}"), owner="anna", trusted=True)
        write(source.path, OTHER.replace("1d", f"{['1h', '2h', '6h'][number - 1]}"))
        now = built(source)
        assert set(now) == {"other", *(f"mine{n}" for n in range(1, number + 1))}
        assert now["other"].interval == ["1h", "2h", "6h"][number - 1]
