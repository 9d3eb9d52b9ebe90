"""Airflow is told of a changed schedule at once, in its own metadata database: here a real one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from click.testing import CliRunner

from data_sync import catalogue
from data_sync.catalogue import editing
from data_sync.cli import cli
from data_sync.dag import live, names, reads, reparse
from data_sync.dag.names import SHARDS, shard_of
from data_sync.database import Database, now
from data_sync.errors import (
    AccountRefusedError,
    AirflowUnreachableError,
    ConfigError,
    ScheduleChangedError,
    ScheduleExistsError,
    ScheduleMissingError,
    ScheduleReadOnlyError,
)
from tests.data_sync.catalogue.drawn import revision, schedule
from tests.data_sync.dag.metadata import BUNDLE, Metadata
from tests.data_sync.kit import eventually


def file_of(key: str) -> str:
    return f"shards/shard_{shard_of(key):02}.py"


# Which files are asked for.


def test_all_files_of_schedules_are_asked_for(metadata: Metadata) -> None:
    files = reparse.request()
    assert files == metadata.requests()
    assert len(files) == SHARDS + 2
    assert {"quick_sync.py", "data_sync_problems.py", "shards/shard_00.py", "shards/shard_31.py"} < set(files)


def test_the_files_of_given_schedules_are_asked_for_once_each(metadata: Metadata) -> None:
    keys = ["a", "b", "a", "not-there-any-more"]
    assert reparse.request(keys) == sorted({file_of(key) for key in keys}) == metadata.requests()


def test_asking_again_is_asking_once(metadata: Metadata) -> None:
    for _ in range(3):
        reparse.request(["a"])
    assert metadata.requests() == [file_of("a")]


def test_many_may_ask_at_once(metadata: Metadata) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: reparse.request(), range(12)))
    assert [files == answers[0] for files in answers] == [True] * 12
    assert metadata.requests() == answers[0]


def drop(metadata: Metadata) -> None:
    """Take the requests, as Airflow does."""
    metadata.rows("DELETE FROM dag_priority_parsing_request")


def read(db: Database, *keys: str) -> None:
    """Read the files of schedules, as the dag-processor begins to."""
    read_files(db, *map(file_of, keys))


def read_files(db: Database, *files: str, holds: str | None = "as it is due") -> None:
    with db.transaction() as cursor:
        for file in files:
            reads.note(cursor, f"/somewhere/dags/{file}", now(cursor), holds)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reparse, "_PAUSE", 0.1)


@pytest.mark.usefixtures("impatient")
def test_a_request_that_airflow_drops_is_made_again_until_the_file_is_read(
    metadata: Metadata, db: Database
) -> None:
    read(db, "a", "c")
    reparse.request_until_read(db, ["a", "c"])
    for _ in range(3):
        drop(metadata)
        eventually(lambda: metadata.requests() == sorted({file_of("a"), file_of("c")}))
    read(db, "a")
    eventually(lambda: reparse.wait_until_read(0) == [file_of("c")])
    drop(metadata)
    eventually(lambda: metadata.requests() == [file_of("c")])
    read(db, "c")
    assert reparse.wait_until_read(30) == []
    drop(metadata)
    time.sleep(0.5)
    assert metadata.requests() == []


@pytest.mark.usefixtures("impatient")
def test_an_edit_made_while_another_one_is_waited_for_is_waited_for_as_well(
    metadata: Metadata, db: Database
) -> None:
    reparse.request_until_read(db, ["a"])
    read(db, "a")
    reparse.request_until_read(db, ["a"])
    time.sleep(0.5)
    assert reparse.wait_until_read(0) == [file_of("a")]
    read(db, "a")
    assert reparse.wait_until_read(30) == []


@pytest.mark.usefixtures("impatient", "metadata")
def test_where_no_dag_processor_runs_it_stops_asking_and_says_so(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reparse, "_PATIENCE", 0.3)
    reparse.request_until_read(db, ["a"])
    eventually(lambda: "does it run?" in caplog.text)
    assert reparse.wait_until_read(30) == [file_of("a")]
    told = CliRunner().invoke(cli, ["reparse", "a", "--wait", "30"])
    assert "It has not come to" in told.stderr
    assert "reads" not in told.stdout
    assert f"has not read {file_of('a')} yet: does it run?" in caplog.text


def test_the_shards_lie_beside_quick_sync_wherever_that_is(metadata: Metadata) -> None:
    metadata.rows("UPDATE dag SET relative_fileloc = 'team/dags/' || relative_fileloc")
    assert reparse.request(["a"]) == [f"team/dags/{file_of('a')}"]


def test_a_dag_that_has_moved_counts_where_it_is_now(metadata: Metadata) -> None:
    metadata.rows(
        "UPDATE dag SET is_stale = true, relative_fileloc = 'old/quick_sync.py' WHERE dag_id = 'quick_sync'"
    )
    assert reparse.request(["a"]) == [file_of("a")]


def test_before_the_first_parse_a_sentence_says_what_to_wait_for(metadata: Metadata) -> None:
    metadata.rows("DELETE FROM dag")
    with pytest.raises(ConfigError, match="wait until the dag-processor has read"):
        reparse.request()


@pytest.mark.usefixtures("impatient", "pushed")
def test_the_command_waits_until_the_files_are_read_and_names_them(metadata: Metadata, db: Database) -> None:
    told = CliRunner().invoke(cli, ["reparse", "b", "--wait", "5"])
    assert (told.exit_code, told.stdout) == (0, "")
    assert told.stderr == f"It has not come to {file_of('b')} yet. It is asked to: does it run?\n"
    assert metadata.requests() == [file_of("b")]
    reparse._asker.forget()
    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(CliRunner().invoke, cli, ["reparse", "a", "c"])
        while not waiting.done():
            read(db, "a", "c")
            time.sleep(0.2)
    reading = ", ".join(sorted({file_of("a"), file_of("c")}))
    assert waiting.result().stdout == f"The dag-processor reads {reading}.\n"


def test_where_nobody_reads_what_is_named_is_asked_for_all_the_same(metadata: Metadata, db: Database) -> None:
    told = CliRunner().invoke(cli, ["reparse", "a", "--wait", "0"])
    assert told.exit_code == 0
    assert f"It has not come to data_sync_problems.py, {file_of('a')} yet." in told.stderr
    assert metadata.requests() == ["data_sync_problems.py", file_of("a")]


@pytest.mark.usefixtures("impatient", "pushed")
def test_what_is_wrong_with_the_schedules_is_shown_to_who_has_pushed(metadata: Metadata) -> None:
    metadata.rows(
        "INSERT INTO import_error (timestamp, bundle_name, filename, stacktrace) VALUES (now(), %s, %s, %s)",
        BUNDLE,
        "data_sync_problems.py",
        'Traceback:\n  File "x.py", line 5\nSchedulesHaveProblemsError: 1 problem(s).\n- line 3: no\n',
    )
    told = CliRunner().invoke(cli, ["reparse", "--wait", "2"])
    assert told.stderr.endswith("1 problem(s).\n- line 3: no\n")
    assert "Traceback" not in told.stderr


def test_where_our_database_cannot_be_seen_all_files_are_asked_for(
    metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", "postgresql://nobody@127.0.0.1:1/none")
    told = CliRunner().invoke(cli, ["reparse", "--wait", "0"])
    assert (told.exit_code, "cannot be seen now" in told.stderr) == (0, True)
    assert len(metadata.requests()) == SHARDS + 2


@pytest.mark.usefixtures("impatient")
def test_the_file_of_a_deleted_schedule_is_asked_for_again_when_airflow_takes_its_dag_for_gone(
    metadata: Metadata, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD", "8")
    live.create(db, schedule("mine"), owner="anna", trusted=True)
    live.delete(db, "mine")
    read(db, "mine")
    assert reparse.wait_until_read(30) == []
    drop(metadata)
    time.sleep(0.5)
    assert metadata.requests() == [], "not before its time"
    eventually(lambda: metadata.requests() == [file_of("mine")])
    read(db, "mine")
    eventually(lambda: not reparse._asker._works)


# What a push has changed.


@pytest.fixture
def pushed(metadata: Metadata, db: Database) -> Iterator[None]:
    """A dag-processor that reads the file without DAGs, and finds that b was pushed to a and c."""
    current = {name: "as it is due" for name in ("quick_sync.py", *map(names.shard_file, range(SHARDS)))}
    with db.transaction() as cursor:
        reads.expect(cursor, current)
    read_files(db, *current)
    ended = threading.Event()

    def process() -> None:
        while not ended.wait(0.1):
            if "data_sync_problems.py" in metadata.requests():
                metadata.rows("DELETE FROM dag_priority_parsing_request")
                with db.transaction() as cursor:
                    due = {names.shard_file(shard_of(key)): "something else" for key in ("a", "c")}
                    reads.expect(cursor, due)
                read_files(db, "data_sync_problems.py", holds=None)

    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(process)
        yield
        ended.set()
        running.result()


@pytest.mark.usefixtures("impatient", "pushed")
def test_after_a_push_the_files_of_what_has_changed_are_asked_for_and_no_other(
    metadata: Metadata, db: Database
) -> None:
    changed = sorted({file_of("a"), file_of("c")})
    assert reparse.find_anew(db, 30)
    assert reparse.request_behind_until_read(db) == changed
    eventually(lambda: metadata.requests() == changed)
    for key in ("a", "c"):
        read_files(db, file_of(key), holds="something else")
    assert reparse.wait_until_read(30) == []
    told = CliRunner().invoke(cli, ["reparse"])
    assert told.output.startswith("No file is behind")


@pytest.mark.usefixtures("impatient", "pushed")
def test_a_file_that_was_read_before_its_change_is_behind_until_it_is_read_again(db: Database) -> None:
    assert reparse.find_anew(db, 30)
    with db.transaction() as cursor:
        # A parse that had begun before the change ends later than its successor.
        reads.note(cursor, file_of("a"), now(cursor), "something else")
        reads.note(cursor, file_of("a"), now(cursor) - timedelta(seconds=5), "as it is due")
        assert reads.behind(cursor) == [names.shard_file(shard_of("c"))]


@pytest.mark.usefixtures("impatient")
def test_where_nobody_reads_in_time_all_files_are_asked_for(metadata: Metadata, db: Database) -> None:
    assert not reparse.find_anew(db, 0.5)
    assert CliRunner().invoke(cli, ["reparse", "--wait", "0.5"]).exit_code == 0
    assert len(metadata.requests()) == SHARDS + 2


def test_all_files_can_be_asked_for_by_a_word_and_not_with_keys(metadata: Metadata) -> None:
    assert CliRunner().invoke(cli, ["reparse", "--all", "--wait", "0"]).exit_code == 0
    assert len(metadata.requests()) == SHARDS + 2
    told = CliRunner().invoke(cli, ["reparse", "a", "--all"])
    assert (told.exit_code, "Name schedules, or say --all" in told.output) == (2, True)


# Where it cannot be reached.


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("sqlite:////nowhere/airflow.db", "names none"),
        ("airflow-db-not-allowed:///", "names none"),
    ],
)
def test_where_there_is_no_metadata_database_a_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch, address: str, reason: str
) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", address)
    with pytest.raises(AirflowUnreachableError, match=reason):
        reparse.request()


def test_a_metadata_database_without_tables_is_told(metadata: Metadata) -> None:
    metadata.rows("ALTER TABLE dag RENAME TO dag_elsewhere")
    try:
        with pytest.raises(AirflowUnreachableError, match="cannot be reached from here"):
            reparse.request()
    finally:
        metadata.rows("ALTER TABLE dag_elsewhere RENAME TO dag")


def test_a_schedule_is_not_made_where_airflow_cannot_be_told(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite://")
    before = revision(db)
    with pytest.raises(AirflowUnreachableError):
        live.create(db, schedule("mine"), owner="anna", trusted=True)
    assert revision(db) == before


def test_a_change_is_stored_all_the_same_where_airflow_cannot_be_told(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.transaction() as cursor:
        editing.create(cursor, schedule("mine"), owner="anna", trusted=True)
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite://")
    assert live.change(db, schedule("mine", interval="1h"), revision=1, trusted=True).revision == 2
    live.delete(db, "mine", revision=2)
    with db.transaction() as cursor:
        assert catalogue.find(cursor, "mine") is None


# What screens and API do.


def test_every_edit_is_stored_and_its_file_is_asked_for(metadata: Metadata, db: Database) -> None:
    def asked() -> list[str]:
        found = metadata.requests()
        drop(metadata)
        return found

    made = live.create(db, schedule("mine"), owner="anna", trusted=True)
    assert asked() == [file_of("mine")]
    changed = live.change(db, schedule("mine", interval="1h"), revision=made.revision, trusted=True)
    assert asked() == [file_of("mine")]
    assert changed.definition["interval"] == "1h"
    live.delete(db, "mine", revision=changed.revision)
    assert asked() == [file_of("mine")]


def test_what_is_refused_tells_airflow_nothing(metadata: Metadata, db: Database) -> None:
    metadata.know("sync__taken", file_of("taken"), is_paused=True)
    with db.transaction() as cursor:
        editing.create(cursor, schedule("taken"), owner="anna", trusted=True)
    with pytest.raises(ScheduleExistsError):
        live.create(db, schedule("taken"), owner="anna", trusted=True)
    with pytest.raises(AccountRefusedError):
        live.create(db, schedule("other"), owner="anna", trusted=False)
    with pytest.raises(ScheduleChangedError):
        live.change(db, schedule("taken"), revision=7, trusted=True)
    with pytest.raises(ScheduleMissingError):
        live.delete(db, "other")
    assert metadata.is_paused("taken")
    assert (metadata.requests(), metadata.audit()) == ([], [])


def test_pausing_is_airflows_own_switch_and_stands_in_its_audit_log(metadata: Metadata, db: Database) -> None:
    live.create(db, schedule("mine"), owner="anna", trusted=True)
    metadata.know("sync__mine", file_of("mine"))
    live.pause(db, "mine", by="anna")
    live.pause(db, "mine", by="omar")
    assert metadata.is_paused("mine")
    live.unpause(db, "mine", by="omar")
    assert not metadata.is_paused("mine")
    assert metadata.audit() == [
        ("sync__mine", "anna", '{"is_paused": true}'),
        ("sync__mine", "omar", '{"is_paused": false}'),
    ]


def test_a_schedule_of_the_file_can_be_paused_and_not_changed(metadata: Metadata, db: Database) -> None:
    catalogue.mirror_yaml(
        db, {"theirs": (schedule("theirs"), 2)}, {}, content_hash="1", revision=1, problems=[]
    )
    metadata.know("sync__theirs", file_of("theirs"))
    live.pause(db, "theirs", by="anna")
    assert metadata.is_paused("theirs")
    with pytest.raises(ScheduleReadOnlyError):
        live.change(db, schedule("theirs", interval="1h"), revision=1, trusted=True)


def test_a_paused_schedule_that_is_only_changed_stays_paused(metadata: Metadata, db: Database) -> None:
    live.create(db, schedule("mine"), owner="anna", trusted=True)
    metadata.know("sync__mine", file_of("mine"), is_paused=True)
    live.change(db, schedule("mine", interval="1h"), revision=1, trusted=True)
    assert metadata.is_paused("mine")


def test_a_deleted_key_that_is_made_again_is_not_paused_by_its_past(metadata: Metadata, db: Database) -> None:
    live.create(db, schedule("mine"), owner="anna", trusted=True)
    metadata.know("sync__mine", file_of("mine"), is_paused=True)
    live.delete(db, "mine")
    assert metadata.is_paused("mine"), "a DAG that goes keeps its switch"
    live.create(db, schedule("mine"), owner="omar", trusted=True)
    assert not metadata.is_paused("mine")
    assert metadata.audit() == [("sync__mine", "omar", '{"is_paused": false}')]


def test_a_schedule_without_a_dag_cannot_be_paused_yet(metadata: Metadata, db: Database) -> None:
    with pytest.raises(ScheduleMissingError):
        live.pause(db, "mine", by="anna")
    live.create(db, schedule("mine"), owner="anna", trusted=True)
    with pytest.raises(ConfigError, match="try again in a few seconds"):
        live.pause(db, "mine", by="anna")


def test_schedules_that_are_taken_over_are_shown_and_those_made_again_unpaused(
    metadata: Metadata, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DATA_SYNC__ADMINS", "anna")
    kept, made, old = (schedule(key) for key in ("kept", "made", "old"))
    live.take_over(db, [kept, old], owner="anna")
    for key in ("kept", "made", "old"):
        metadata.know(f"sync__{key}", file_of(key), is_paused=True)
    live.delete(db, "old")
    metadata.rows("DELETE FROM dag_priority_parsing_request")
    taken = live.take_over(db, [kept, made, old], owner="anna")
    assert taken == live.TakenOver({"kept": "unchanged", "made": "created", "old": "created"}, None)
    assert metadata.requests() == sorted({file_of("made"), file_of("old")})
    assert [metadata.is_paused(key) for key in ("kept", "made", "old")] == [True, False, False]
