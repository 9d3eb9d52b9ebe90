"""The catalogue: the YAML file's schedules in one table, and what is kept when some are broken."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from data_sync import catalogue
from data_sync.database import Database
from data_sync.schedules.model import Schedule
from tests.data_sync.kit import rows


def schedule(key: str, **words: Any) -> Schedule:
    base = {
        "key": key,
        "name": key.title(),
        "networks": ["admitad"],
        "interval": "1d",
        "date_range": "yesterday",
    }
    return Schedule.from_dict({**base, **words})


def mirror(
    db: Database,
    *keys: str,
    content: str,
    revision: int,
    broken: dict[str, list[str]] | None = None,
    **words: Any,
) -> bool:
    made = {key: (schedule(key, **words), number) for number, key in enumerate(keys, 1)}
    problems = [text for found in (broken or {}).values() for text in found]
    return catalogue.mirror_yaml(
        db, made, broken or {}, content_hash=content, revision=revision, problems=problems
    )


def listed(db: Database) -> dict[str, str]:
    with db.transaction() as cursor:
        return {entry.key: entry.definition["name"] for entry in catalogue.list_schedules(cursor)}


def states(db: Database) -> list[dict]:
    return rows(db, "SELECT key, xmin::text, revision, updated_at FROM data_sync.sync_schedules ORDER BY key")


def test_a_file_is_mirrored_when_it_changed_and_not_again(db: Database) -> None:
    assert mirror(db, "a", "b", content="1", revision=1)
    before = states(db)
    assert not mirror(db, "a", "b", content="1", revision=1)
    assert not mirror(db, "a", "b", content="1", revision=9), "touched, not changed"
    assert states(db) == before
    assert listed(db) == {"a": "A", "b": "B"}


def test_only_what_changed_is_written(db: Database) -> None:
    mirror(db, "a", "b", content="1", revision=1)
    before = states(db)
    changed = {"a": (schedule("a"), 1), "b": (schedule("b", name="New"), 2)}
    catalogue.mirror_yaml(db, changed, {}, content_hash="2", revision=2, problems=[])
    after = states(db)
    assert after[0] == before[0]
    assert (after[1]["revision"], listed(db)["b"]) == (2, "New")


def test_an_older_file_never_overwrites_a_newer_one(db: Database) -> None:
    mirror(db, "a", content="new", revision=5, name="New")
    assert not mirror(db, "a", "b", content="old", revision=4, name="Old")
    assert listed(db) == {"a": "New"}


def test_a_removed_schedule_is_kept_as_deleted_and_comes_back(db: Database) -> None:
    mirror(db, "a", "b", content="1", revision=1)
    mirror(db, "a", content="2", revision=2)
    assert listed(db) == {"a": "A"}
    assert rows(
        db, "SELECT deleted_at IS NOT NULL AS gone FROM data_sync.sync_schedules WHERE key = 'b'"
    ) == [{"gone": True}]
    mirror(db, "a", "b", content="3", revision=3)
    assert listed(db) == {"a": "A", "b": "B"}


def test_a_broken_entry_keeps_its_last_good_form_and_shows_its_problem(db: Database) -> None:
    mirror(db, "a", "b", content="1", revision=1)
    mirror(db, "a", content="2", revision=2, broken={"b": ["line 7: what, and what to write"]})
    with db.transaction() as cursor:
        entry = catalogue.find(cursor, "b")
    assert entry is not None
    assert entry.problems == ["line 7: what, and what to write"]
    assert entry.schedule == schedule("b")
    mirror(db, "a", "b", content="3", revision=3)
    with db.transaction() as cursor:
        mended = catalogue.find(cursor, "b")
    assert mended is not None
    assert mended.problems == []


def test_an_entry_that_was_never_good_is_no_schedule(db: Database) -> None:
    mirror(db, "a", content="1", revision=1, broken={"new": ["line 3: wrong"]})
    assert listed(db) == {"a": "A"}
    assert rows(db, "SELECT problems FROM data_sync.yaml_mirror") == [{"problems": ["line 3: wrong"]}]


def test_schedules_of_the_screens_are_not_touched(db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO data_sync.sync_schedules (key, source, owner, name, definition, definition_hash) "
            "VALUES ('mine', 'postgres', 'ann', 'Mine', '{\"name\": \"Mine\"}', '')"
        )
    mirror(db, "a", content="1", revision=1)
    mirror(db, content="2", revision=2)
    assert listed(db) == {"mine": "Mine"}


@pytest.mark.parametrize("turn", range(3))
def test_machines_that_mirror_at_once_end_with_the_newest_file(db: Database, turn: int) -> None:
    """Each revision has a key of its own; afterwards only the newest one's is left."""
    revisions = list(range(1, 13))
    order = revisions[turn * 4 :] + revisions[: turn * 4]

    def work(revision: int) -> None:
        own = Database()
        mirror(own, "always", f"only-{revision}", content=str(revision), revision=revision)
        own.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, order))
    assert listed(db) == {"always": "Always", "only-12": "Only-12"}
