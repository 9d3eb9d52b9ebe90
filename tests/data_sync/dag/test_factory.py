"""How schedules become DAGs: all of them, the same in every process, and never fewer than before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_sync import accounts, catalogue
from data_sync.dag import names
from data_sync.database import Database
from data_sync.schedules.yaml_source import read_file
from network_clients import registry
from tests.data_sync.dag.parsing import CHECKOUT, DAGS, Parser

KEYS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,99}", fullmatch=True)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of the DAG files with a schedules.yaml of its own."""
    shutil.copytree(DAGS, tmp_path / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "config").mkdir()
    write(tmp_path, "daily", "hourly")
    return tmp_path


def write(site: Path, *keys: str, extra: str = "") -> None:
    entries = "".join(
        f"  {key}: {{networks: [admitad], interval: 1d, date_range: yesterday}}\n" for key in keys
    )
    (site / "config" / "schedules.yaml").write_text(f"schedules:\n{entries}{extra}")


def sync_dags(parsed: dict[str, object]) -> set[str]:
    dags = parsed["dags"]
    assert isinstance(dags, dict)
    return {name for name in dags if name.startswith(names.PREFIX)}


def test_every_shipped_schedule_becomes_a_dag_of_the_one_shape(parser: Parser) -> None:
    parsed = parser.parse()
    assert parsed["errors"] == {}
    assert {"quick_sync", "data_sync_upkeep", "example_fresh_purchases"} <= set(parsed["dags"])
    assert len(sync_dags(parsed)) >= 5
    shipped = read_file(CHECKOUT / "config" / "schedules.yaml", registry.all_networks()).schedules
    assert sync_dags(parsed) == {names.dag_id_of(key) for key in shipped}
    for key, entry in shipped.items():
        name, refs = names.dag_id_of(key), entry.schedule.networks
        syncs = [f"{ref.group_id}.sync" for ref in refs]
        assert parsed["dags"][name]["tasks"] == sorted([*syncs, "close_run", "open_run"])
        pools = {f"network_{ref.network}" for ref in refs}
        assert parsed["dags"][name]["pools"] == sorted({"default_pool", *pools})
        assert parsed["dags"][name]["timetable"] in (
            "CronTriggerTimetable",
            "MultipleCronTriggerTimetable",
            "NullTimetable",
        )


def test_the_same_definitions_give_the_same_dags_in_every_process(tmp_path: Path) -> None:
    parsers = [Parser(tmp_path, PYTHONHASHSEED=seed) for seed in ("1", "77")]
    one, other = ([found.parse()["dags"], found.stop()][0] for found in parsers)
    assert one == other


def test_a_broken_entry_costs_no_other_schedule_and_keeps_its_last_good_form(
    site: Path, database: str, parser: Parser
) -> None:
    mirrored = parser.parse(site / "dags", DATA_SYNC_DAG_PROCESSOR="1")
    assert sync_dags(mirrored) == {"sync__daily", "sync__hourly"}
    write(site, "daily", extra="  hourly: {networks: [admitat], interval: 1d, date_range: yesterday}\n")
    parsed = parser.parse(site / "dags")
    assert sync_dags(parsed) == {"sync__daily", "sync__hourly"}
    assert parsed["dags"]["sync__hourly"] == mirrored["dags"]["sync__hourly"]
    (message,) = parsed["errors"].values()
    assert "config/schedules.yaml:3:" in message
    assert "admitad" in message


@pytest.mark.parametrize("damage", ["schedules:\n\t- broken: [", "<<<<<<< ours\nschedules: {}\n", None])
def test_an_unreadable_file_keeps_every_schedule(
    site: Path, database: str, parser: Parser, damage: str | None
) -> None:
    before = parser.parse(site / "dags", DATA_SYNC_DAG_PROCESSOR="1")
    path = site / "config" / "schedules.yaml"
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage)
    after = parser.parse(site / "dags", DATA_SYNC_DAG_PROCESSOR="1")
    assert {name: after["dags"][name] for name in sync_dags(before)} == {
        name: before["dags"][name] for name in sync_dags(before)
    }
    assert len(after["errors"]) == 1


def test_without_the_catalogue_the_file_alone_is_enough(site: Path, parser: Parser) -> None:
    parsed = parser.parse(site / "dags", AIRFLOW_CONN_DATA_SYNC="postgresql://nobody@127.0.0.1:1/none")
    assert sync_dags(parsed) == {"sync__daily", "sync__hourly"}
    assert parsed["errors"] == {}


def test_only_the_dag_processor_mirrors_the_file(site: Path, database: str, parser: Parser) -> None:
    def stored() -> list[str]:
        with Database().transaction() as cursor:
            return [entry.key for entry in catalogue.list_schedules(cursor)]

    parser.parse(site / "dags")
    assert stored() == []
    parser.parse(site / "dags", DATA_SYNC_DAG_PROCESSOR="1")
    assert stored() == ["daily", "hourly"]
    write(site, "hourly")
    parser.parse(site / "dags", DATA_SYNC_DAG_PROCESSOR="1")
    assert stored() == ["hourly"]


def test_an_account_that_does_not_exist_is_a_problem_of_its_schedule_and_keeps_no_dag_away(
    site: Path, database: str, parser: Parser
) -> None:
    write(
        site,
        "daily",
        extra="  shop: {networks: [admitad, 'admitad:shop2'], interval: 1d, date_range: today}\n",
    )
    parser.parse(site / "dags", DATA_SYNC_DAG_PROCESSOR="1")
    with Database().transaction() as cursor:
        known = {row["account"]: row["state"] for row in accounts.list_accounts(cursor)}
        assert known["admitad_shop2"] == "unknown"
        accounts.mirror(cursor, "admitad_shop2", exists=False)
    parsed = parser.parse(site / "dags", DATA_SYNC_DAG_PROCESSOR="1")
    assert sync_dags(parsed) == {"sync__daily", "sync__shop"}
    (message,) = parsed["errors"].values()
    assert "config/schedules.yaml:3: schedule shop: networks: there is no account admitad:shop2" in message
    with Database().transaction() as cursor:
        shop = catalogue.find(cursor, "shop")
        assert shop is not None
        assert "add the connection admitad_shop2" in shop.problems[0]
        accounts.mirror(cursor, "admitad_shop2", exists=True)
    assert parser.parse(site / "dags", DATA_SYNC_DAG_PROCESSOR="1")["errors"] == {}
    with Database().transaction() as cursor:
        assert [entry.problems for entry in catalogue.list_schedules(cursor)] == [[], []]


def test_a_worker_builds_one_skeleton_and_reads_no_definition(site: Path, parser: Parser) -> None:
    (site / "config" / "schedules.yaml").unlink()
    for task, group in (("open_run", "network"), ("admitad__shop2.sync", "admitad__shop2")):
        parsed = parser.parse(
            site / "dags" / "shards",
            _AIRFLOW_PARSING_CONTEXT_DAG_ID="sync__daily",
            _AIRFLOW_PARSING_CONTEXT_TASK_ID=task,
            AIRFLOW_CONN_DATA_SYNC="postgresql://nobody@127.0.0.1:1/none",
        )
        assert {name: dag["tasks"] for name, dag in parsed["dags"].items()} == {
            "sync__daily": sorted(["close_run", f"{group}.sync", "open_run"])
        }


def test_each_shard_number_has_its_file() -> None:
    files = sorted(path.stem for path in (CHECKOUT / "dags" / "shards").glob("*.py"))
    assert files == [f"shard_{number:02}" for number in range(names.SHARDS)]


@given(KEYS)
def test_a_schedules_shard_is_one_of_the_files_and_its_id_leads_back(key: str) -> None:
    assert 0 <= names.shard_of(key) < names.SHARDS
    assert names.key_of(names.dag_id_of(key)) == key


def test_a_shard_never_moves() -> None:
    # Another shard would be another file, and so a new version of the DAG.
    assert [names.shard_of(key) for key in ("daily", "hourly", "admitad-today")] == [6, 5, 2]
