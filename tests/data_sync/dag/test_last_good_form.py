"""Whatever goes wrong, the DAG list never empties: snapshots, last good forms, bounds in time (law 4)."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, CronTriggerTimetable

from data_sync import catalogue
from data_sync.dag import builder, names, proving, reads
from data_sync.dag.patience import TookTooLongError, interrupted_after, within
from data_sync.dag.proving import build_all
from data_sync.dag.snapshot import Entry, Head, SnapshotFolder, new_generation
from data_sync.database import Database
from data_sync.schedules.model import Schedule
from tests.data_sync.dag.parsing import DAGS, Parser
from tests.data_sync.kit import rows

PROCESSOR = {"DATA_SYNC_DAG_PROCESSOR": "1"}
NOBODY = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of the DAG files with three schedules."""
    shutil.copytree(DAGS, tmp_path / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "config").mkdir()
    write(tmp_path, "one", "two", "three")
    return tmp_path


def write(site: Path, *keys: str, interval: str = "1d", extra: str = "") -> None:
    entries = "".join(
        f"  {key}: {{networks: [admitad], interval: {interval}, date_range: yesterday}}\n" for key in keys
    )
    (site / "config" / "schedules.yaml").write_text(f"schedules:\n{entries}{extra}")


def parse(parser: Parser, site: Path, **environment: str) -> dict[str, Any]:
    return parser.parse(site / "dags", **PROCESSOR, **environment)


def only_shard_of(site: Path, key: str) -> Path:
    """Leave the shard of one schedule alone in the folder of shards, and return that."""
    shards = site / "dags" / "shards"
    for path in shards.glob("shard_*.py"):
        if path.name != names.shard_file(names.shard_of(key)):
            path.unlink()
    return shards


def sync_dags(parsed: dict[str, Any]) -> dict[str, Any]:
    """The schedules' DAGs, each with the hash of its serialized form."""
    return {name: dag for name, dag in parsed["dags"].items() if name.startswith(names.PREFIX)}


def test_without_postgres_every_schedule_stays_as_it_was_and_edits_wait(
    site: Path, database: str, parser: Parser
) -> None:
    before = sync_dags(parse(parser, site))
    assert len(before) == 3
    write(site, "one", interval="1h", extra="  broken: {networks: [admitat]}\n")
    during = parse(parser, site, AIRFLOW_CONN_DATA_SYNC=NOBODY)
    assert sync_dags(during) == before
    assert "does not answer, so all schedules stay as they were" in str(during["errors"])
    after = parse(parser, site)
    assert set(sync_dags(after)) == {"sync__one"}
    assert sync_dags(after)["sync__one"] != before["sync__one"]
    assert "write admitad" in str(after["errors"])


def test_each_file_that_the_dag_processor_begins_to_read_is_noted(
    site: Path, database: str, parser: Parser, db: Database
) -> None:
    def noted() -> dict[str, Any]:
        found = rows(db, "SELECT file, read_at FROM data_sync.dag_file_reads")
        return {row["file"]: row["read_at"] for row in found}

    parser.parse(site / "dags")
    assert noted() == {}, "only the dag-processor"
    before = db.clock()
    parse(parser, site)
    first = noted()
    shards = {f"shard_{number:02}.py" for number in range(names.SHARDS)}
    assert set(first) == {*shards, "quick_sync.py", "data_sync_problems.py"}
    assert all(before < moment < db.clock() for moment in first.values())
    parse(parser, site)
    assert all(moment > first[file] for file, moment in noted().items())


def test_a_machine_that_cannot_keep_a_snapshot_has_all_dags_and_says_what_to_do(
    site: Path, database: str, parser: Parser
) -> None:
    (site / "taken").write_text("no folder")
    here = {"AIRFLOW__DATA_SYNC__STATE_FOLDER": str(site / "taken" / "state")}
    before = parse(parser, site, **here)
    assert len(sync_dags(before)) == 3
    assert "cannot write its folder" in str(before["errors"])
    assert "[data_sync] state_folder" in str(before["errors"])
    # As when its disk is mounted read-only later: what was known stays.
    here["AIRFLOW__DATA_SYNC__STATE_FOLDER"] = str(site / "state")
    known = sync_dags(parse(parser, site, **here))
    (root,) = (site / "state").iterdir()
    (root / "lock").unlink()
    (root / "lock").mkdir()
    write(site, "one", interval="1h")
    after = parse(parser, site, **here)
    assert sync_dags(after) == known
    assert "cannot write its folder" in str(after["errors"])


def test_an_edit_of_the_file_leaves_behind_the_files_that_hold_it_and_no_other(
    site: Path, database: str, parser: Parser, db: Database
) -> None:
    def behind(path: Path) -> list[str]:
        parser.parse(path, **PROCESSOR)
        with db.transaction() as cursor:
            return reads.behind(cursor)

    dags = site / "dags"
    assert behind(dags) == []
    problems = dags / "data_sync_problems.py"
    assert behind(problems) == []
    # A line above moves all others in the file, which concerns no DAG.
    file = site / "config" / "schedules.yaml"
    file.write_text("# A word about it.\n" + file.read_text())
    assert behind(problems) == []
    file.write_text(
        file.read_text().replace(
            "two: {networks: [admitad], interval: 1d", "two: {networks: [admitad], cron: 5 * * * *"
        )
    )
    assert behind(problems) == [names.shard_file(names.shard_of("two"))]
    assert behind(dags) == []


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that takes connections and says nothing, as a server that hangs does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield server.getsockname()[1]
        for connection in held:
            connection.close()


def test_a_postgres_that_hangs_costs_seconds_and_no_dag(
    site: Path, database: str, parser: Parser, silent_server: int
) -> None:
    shards = only_shard_of(site, "one")
    before = sync_dags(parser.parse(shards, **PROCESSOR))
    started = time.monotonic()
    hung = parser.parse(
        shards, **PROCESSOR, AIRFLOW_CONN_DATA_SYNC=f"postgresql://x@127.0.0.1:{silent_server}/x"
    )
    assert sync_dags(hung) == before
    assert "sync__one" in before
    assert hung["errors"] == {}
    assert time.monotonic() - started < 60, "Airflow's own limit for a file was not needed"


def test_a_catalogue_that_is_locked_for_long_costs_seconds_and_no_dag(
    site: Path, database: str, parser: Parser, db: Database
) -> None:
    shards = only_shard_of(site, "one")
    before = sync_dags(parser.parse(shards, **PROCESSOR))
    for table in ("catalogue_state", "dag_file_reads"):
        with db.transaction() as cursor:
            cursor.execute(f"LOCK TABLE data_sync.{table} IN ACCESS EXCLUSIVE MODE")
            held = parser.parse(shards, **PROCESSOR)
        # Airflow gives up a file after 30 s, and counts that as an error of it.
        assert (sync_dags(held), held["errors"]) == (before, {})


def spoil(key: str) -> None:
    """Store a definition that an older version of the model might have accepted, and this one does not."""
    with Database().transaction() as cursor:
        cursor.execute(
            'UPDATE data_sync.sync_schedules SET definition = definition || \'{"interval": "9z"}\' '
            "WHERE key = %s",
            [key],
        )


def test_a_definition_that_can_be_no_dag_keeps_its_last_good_form_and_is_told(
    site: Path, database: str, parser: Parser
) -> None:
    before = sync_dags(parse(parser, site))
    spoil("two")
    during = parse(parser, site)
    assert sync_dags(during) == before
    assert "schedule two: it cannot become a DAG" in str(parse(parser, site)["errors"])
    with Database().transaction() as cursor:
        two = catalogue.find(cursor, "two")
    assert two is not None
    assert "its last good form stays" in str(two.build_problem)
    assert two.last_good is not None
    assert two.last_good["interval"] == "1d"
    write(site, "one", "two", "three", interval="2h")
    parse(parser, site)
    assert parse(parser, site)["errors"] == {}
    with Database().transaction() as cursor:
        two = catalogue.find(cursor, "two")
    assert two is not None
    assert (two.problems, two.build_problem, two.last_good) == ([], None, None)


def test_another_machine_without_a_snapshot_builds_the_last_good_form_of_the_catalogue(
    site: Path, database: str, parser: Parser, tmp_path: Path
) -> None:
    before = sync_dags(parse(parser, site))
    spoil("two")
    parse(parser, site)
    other = {"AIRFLOW__DATA_SYNC__STATE_FOLDER": str(tmp_path / "other-machine")}
    assert sync_dags(parse(parser, site, **other)) == before


def test_a_machine_with_an_older_file_builds_what_the_newer_one_says_and_tells_it(
    site: Path, database: str, parser: Parser, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    old = tmp_path_factory.mktemp("older")
    shutil.copytree(site / "dags", old / "dags")
    (old / "config").mkdir()
    write(old, "one", interval="12h")
    path = old / "config" / "schedules.yaml"
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    newer = sync_dags(parse(parser, site))
    other = {"AIRFLOW__DATA_SYNC__STATE_FOLDER": str(tmp_path / "older-machine")}
    found = parse(parser, old, **other)
    assert set(sync_dags(found)) == set(newer)
    assert "is older than the one that was taken over" in str(found["errors"])
    os.utime(path)
    assert set(sync_dags(parse(parser, old, **other))) == {"sync__one"}
    assert set(sync_dags(parse(parser, site))) == {"sync__one"}


def test_a_file_that_disappears_or_is_half_written_changes_nothing(
    site: Path, database: str, parser: Parser
) -> None:
    before = sync_dags(parse(parser, site))
    path = site / "config" / "schedules.yaml"
    whole = path.read_text()
    for damage in (whole[:40], "<<<<<<< ours\n" + whole, "schedules:\n\t- x", whole.encode("utf-16")):
        path.write_bytes(damage.encode() if isinstance(damage, str) else damage)
        found = parse(parser, site)
        assert sync_dags(found) == before, damage
        assert "config/schedules.yaml:" in str(found["errors"])
    path.unlink()
    assert sync_dags(parse(parser, site)) == before
    path.write_text(whole)
    found = parse(parser, site)
    assert (sync_dags(found), found["errors"]) == (before, {})


def entries(*keys: str) -> list[Entry]:
    made = []
    for key in keys:
        schedule = Schedule.from_dict(
            {"key": key, "networks": ["admitad"], "interval": "1d", "date_range": "yesterday"}
        )
        made.append(Entry(key, "yaml", schedule.to_dict(), schedule.definition_hash))
    return made


def test_a_schedule_that_takes_too_long_costs_no_other_its_dag(monkeypatch: pytest.MonkeyPatch) -> None:
    build = builder.build_dag

    def slow(schedule: Schedule, also: tuple[str, ...] = ()) -> DAG:
        while schedule.key == "two":
            pass
        return build(schedule)

    # Only what is new is bounded, so that a busy machine does not count the others as slow.
    proofs = build_all(entries("one", "three"), {}).proofs
    monkeypatch.setattr(builder, "build_dag", slow)
    monkeypatch.setattr(proving, "_LONGEST_BUILD", 0.3)
    built = build_all(entries("one", "two", "three"), proofs)
    assert set(built.dags) == {"sync__one", "sync__three"}
    assert "took longer than 0.3 s" in built.failures["two"]


class UnknownTimetable(CronTriggerTimetable):
    """A timetable that no plugin has registered."""


def test_a_schedule_that_airflow_cannot_serialize_keeps_the_form_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = build_all(entries("one", "two"), {})
    assert set(first.proofs) == {"one", "two"}
    changed = [Entry(e.key, e.source, e.definition | {"interval": "2h"}, "changed") for e in entries("two")]
    build = builder.build_dag

    def unserializable(schedule: Schedule, also: tuple[str, ...] = ()) -> DAG:
        dag = build(schedule)
        if schedule.interval == "2h":
            dag.timetable = UnknownTimetable("0 0 * * *", timezone="UTC")
        return dag

    monkeypatch.setattr(builder, "build_dag", unserializable)
    built = build_all(changed, first.proofs)
    assert built.failures
    assert type(built.dags["sync__two"].timetable).__name__ == "CronTriggerTimetable"
    assert built.proofs == {"two": first.proofs["two"]}


def test_what_is_proved_is_not_tried_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_all(entries("one"), {})

    def refuse(dag: DAG) -> None:
        raise AssertionError("serialized again")

    monkeypatch.setattr(proving.DagSerialization, "to_dict", refuse)
    assert build_all(entries("one"), first.proofs).failures == {}
    assert build_all(entries("one"), {}).failures


def test_an_alarm_of_somebody_else_goes_off_all_the_same() -> None:
    def work() -> None:
        with interrupted_after(0.2):
            with interrupted_after(30):
                time.sleep(0.05)
            time.sleep(5)

    with pytest.raises(TookTooLongError, match=r"0\.2"):
        work()


def test_waiting_ends_in_time_and_errors_come_through() -> None:
    started = time.monotonic()
    with pytest.raises(TookTooLongError):
        within(0.1, lambda: time.sleep(30))
    assert time.monotonic() - started < 5
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
    assert within(5, lambda: "done") == "done"


def test_a_snapshot_that_is_half_written_is_never_seen(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path / "state")
    assert folder.head() is None
    first = Head(new_generation(), "a", 1, ["admitad_default"], [], [], [], {})
    folder.write(first, {0: entries("one"), 1: []})
    second = Head(new_generation(), "b", 2, [], ["a problem"], [], [], {})
    (folder.root / second.generation).mkdir()
    (folder.root / second.generation / "shard_00.json").write_text("[{")
    assert folder.head() == first
    assert folder.shard(first, 0) == entries("one")
    shutil.rmtree(folder.root / second.generation)
    folder.write(second, {0: entries("two"), 1: []})
    assert folder.head() == second
    assert folder.shard(first, 0) == entries("one"), "a parse that began before can go on"
    third = Head(new_generation(), "c", 3, [], [], [], [], {})
    folder.write(third, {0: [], 1: []})
    assert folder.shard(first, 0) is None
    (folder.root / "head.json").write_text('{"generation": "')
    assert folder.head() is None


def test_one_parse_of_a_machine_makes_a_snapshot_at_a_time(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path / "state")
    with folder.lock(1) as ours:
        assert ours
        with folder.lock(0.2) as other:
            assert not other
    with folder.lock(0.2) as again:
        assert again
