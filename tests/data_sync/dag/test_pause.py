"""Airflow's pause switch is the on/off switch: how a schedule begins, and what a deleted one leaves."""

from __future__ import annotations

from airflow.utils.platform import getuser
from click.testing import CliRunner

from data_sync import catalogue
from data_sync.catalogue import editing, switches
from data_sync.cli import cli
from data_sync.dag import live
from data_sync.dag.names import SHARDS, dag_id_of, shard_of
from data_sync.dag.proving import build_all
from data_sync.dag.snapshot import Entry
from data_sync.database import Database
from tests.data_sync.catalogue.drawn import schedule
from tests.data_sync.dag.metadata import Metadata


def entry(key: str, *, starts_paused: bool) -> Entry:
    made = schedule(key)
    return Entry(key, "postgres", made.to_dict(), made.definition_hash, starts_paused=starts_paused)


def know(metadata: Metadata, key: str, *, is_paused: bool) -> None:
    metadata.know(dag_id_of(key), f"shards/shard_{shard_of(key):02}.py", is_paused=is_paused, is_stale=True)


def remake(db: Database, *keys: str) -> None:
    """Have git take out these keys, and make them again."""
    for number, present in enumerate((keys, (), keys)):
        made = {key: (schedule(key), 1) for key in present}
        catalogue.mirror_yaml(db, made, {}, content_hash=str(number), revision=number, problems=[])


def marked(db: Database) -> list[str]:
    with db.transaction() as cursor:
        return list(switches.marked(cursor))


def test_airflow_learns_how_a_schedule_begins() -> None:
    dags = build_all([entry("off", starts_paused=True), entry("on", starts_paused=False)], {}).dags
    assert dags["sync__off"].is_paused_upon_creation is True
    assert dags["sync__on"].is_paused_upon_creation is False


def test_a_key_of_the_screens_made_again_gets_the_status_that_it_is_made_with(
    db: Database, metadata: Metadata
) -> None:
    know(metadata, "mine", is_paused=False)
    live.create(db, schedule("mine"), owner="anna", trusted=True, paused=True)
    assert metadata.is_paused("mine")
    live.delete(db, "mine")
    live.create(db, schedule("mine"), owner="anna", trusted=True)
    assert not metadata.is_paused("mine")


def test_a_key_that_git_makes_again_is_unpaused_and_no_other_one(db: Database, metadata: Metadata) -> None:
    for key, is_paused in {"again": True, "running": False, "paused": True}.items():
        know(metadata, key, is_paused=is_paused)
    remake(db, "again", "running", "unknown")
    assert live.settle_switches(db, by="anna") == ["again"]
    assert [metadata.is_paused(key) for key in ("again", "running", "paused")] == [False, False, True]
    assert metadata.audit() == [("sync__again", "anna", '{"is_paused": false}')]
    assert (marked(db), live.settle_switches(db)) == ([], [])


def test_one_made_again_where_airflow_cannot_be_reached_is_set_later(
    db: Database, metadata: Metadata
) -> None:
    for key in ("begins", "waits"):
        know(metadata, key, is_paused=key == "begins")
        for _ in range(2):
            with db.transaction() as cursor:
                editing.create(cursor, schedule(key), owner="anna", trusted=True, paused=key == "waits")
                editing.delete(cursor, key)
        with db.transaction() as cursor:
            editing.create(cursor, schedule(key), owner="anna", trusted=True, paused=key == "waits")
    assert marked(db) == ["begins", "waits"]
    assert live.settle_switches(db) == ["begins"]
    assert [metadata.is_paused(key) for key in ("begins", "waits")] == [False, True]
    assert marked(db) == []


def test_what_screens_and_imports_make_again_is_set_at_once(db: Database, metadata: Metadata) -> None:
    for key in ("mine", "imported"):
        know(metadata, key, is_paused=True)
    for _ in range(2):
        live.create(db, schedule("mine"), owner="anna", trusted=True)
        live.take_over(db, [schedule("imported", networks=["admitad"])], owner=getuser())
        assert not any(metadata.is_paused(key) for key in ("mine", "imported"))
        assert marked(db) == []
        for key in ("mine", "imported"):
            live.pause(db, key, by="anna")
            live.delete(db, key)


def test_somebody_who_pauses_it_afterwards_is_not_overruled(db: Database, metadata: Metadata) -> None:
    know(metadata, "again", is_paused=True)
    remake(db, "again")
    live.settle_switches(db)
    live.pause(db, "again", by="anna")
    live.settle_switches(db)
    assert metadata.is_paused("again")


def test_one_who_pauses_it_before_it_was_looked_at_is_not_overruled_either(
    db: Database, metadata: Metadata
) -> None:
    know(metadata, "again", is_paused=True)
    remake(db, "again")
    live.pause(db, "again", by="anna")
    assert live.settle_switches(db) == []
    assert metadata.is_paused("again")


def test_reparse_unpauses_it_and_says_so(db: Database, metadata: Metadata) -> None:
    know(metadata, "again", is_paused=True)
    remake(db, "again")
    result = CliRunner().invoke(cli, ["reparse", "--wait", "0"])
    assert result.exit_code == 0
    assert "again is not paused any more: a deleted schedule of this key was." in result.output
    assert not metadata.is_paused("again")
    assert len(metadata.requests()) == SHARDS + 2
