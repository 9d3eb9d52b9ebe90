"""A key that git makes again is not paused because a schedule of that key once was."""

from __future__ import annotations

from data_sync.catalogue import editing, switches
from data_sync.dag.source import Source
from data_sync.database import Database
from tests.data_sync.catalogue.drawn import schedule
from tests.data_sync.catalogue.parses import OTHER, built, entries, write

PAUSED = "schedule other: This key was deleted while its DAG was paused"


def marked(db: Database) -> list[str]:
    with db.transaction() as cursor:
        return list(switches.marked(cursor))


def remake(source: Source) -> None:
    """Take the entry out, and write it again."""
    for text in (OTHER, "", OTHER):
        write(source.path, text)
        built(source)


def test_only_a_key_that_was_deleted_is_marked(db: Database, source: Source) -> None:
    built(source)
    write(source.path, OTHER.replace("1d", "1h"))
    built(source)
    assert marked(db) == []
    remake(source)
    assert marked(db) == ["other"]
    write(source.path, "")
    built(source)
    assert marked(db) == []


def test_upkeep_has_it_shown_while_it_is_paused_and_forgets_it_when_it_is_not(
    db: Database, source: Source
) -> None:
    remake(source)

    def nobody_knows(key: str) -> bool:
        raise LookupError(key)

    switches.look(db, nobody_knows)
    assert (marked(db), source.problems()) == (["other"], [])
    switches.look(db, lambda key: True)
    (shown,) = source.problems()
    assert shown.startswith(PAUSED)
    assert "data-sync reparse" in shown
    write(source.path, OTHER.replace("1d", "1h"))
    assert source.problems() == [shown], "another edit does not hide it"
    switches.look(db, lambda key: False)
    assert (marked(db), source.problems()) == ([], [])


def test_a_key_of_a_deleted_schedule_of_the_screens_is_marked_too(db: Database, source: Source) -> None:
    with db.transaction() as cursor:
        editing.create(cursor, schedule("mine"), owner="anna", trusted=True, paused=True)
    assert entries(source)["mine"].starts_paused
    with db.transaction() as cursor:
        editing.delete(cursor, "mine")
    write(source.path, OTHER.replace("other", "mine"))
    assert not entries(source)["mine"].starts_paused
    assert marked(db) == ["mine"]


def test_a_key_that_the_file_takes_from_a_living_one_keeps_its_switch(db: Database, source: Source) -> None:
    with db.transaction() as cursor:
        editing.create(cursor, schedule("mine"), owner="anna", trusted=True)
    write(source.path, OTHER.replace("other", "mine"))
    built(source)
    assert marked(db) == []


def test_a_schedule_begins_as_it_was_made_and_again_as_it_is_made_again(db: Database, source: Source) -> None:
    for paused in (True, False, True):
        with db.transaction() as cursor:
            made = editing.create(cursor, schedule("mine"), owner="anna", trusted=True, paused=paused)
        assert entries(source)["mine"].starts_paused is made.starts_paused is paused
        edited = schedule("mine", interval="1h")
        with db.transaction() as cursor:
            changed = editing.change(cursor, edited, revision=made.revision, trusted=True)
        assert changed.starts_paused is paused
        with db.transaction() as cursor:
            editing.delete(cursor, "mine")
