"""``data-sync diff``, ``export``, ``import`` and ``reparse``, as somebody at a shell uses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from data_sync import catalogue
from data_sync.cli import cli
from data_sync.database import Database
from data_sync.errors import AirflowUnreachableError, ConfigError
from data_sync.schedules.yaml_source import read_file
from network_clients import registry
from tests.data_sync.catalogue.drawn import schedule
from tests.data_sync.kit import rows

OLD = """
schedules:
  daily: {networks: [admitad], interval: 1d, date_range: yesterday}
  hourly: {networks: [admitad], interval: 1h, date_range: today}
"""
NEW = """
schedules:
  daily: {networks: [admitad, boostiny], times: ["06:00"], date_range: yesterday, max_runs_per_day: 2}
  weekly: {networks: [admitad], cron: "0 6 * * mon", date_range: last_7_days, timezone: Asia/Dubai}
"""
BROKEN = """
schedules:
  daily: {networks: [admitat], interval: 1d, date_range: yesterday}
  hourly: {networks: [admitad], interval: 30m, date_range: today}
"""


def run(*words: object, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], input=given)


def write(folder: Path, text: str, name: str = "schedules.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def mirror(text: str, folder: Path) -> None:
    """Take a file over into the catalogue, as the dag-processor does."""
    file = read_file(write(folder, text, "mirrored.yaml"), registry.all_networks())
    found = {key: (item.schedule, item.line) for key, item in file.schedules.items()}
    catalogue.mirror_yaml(Database(), found, {}, content_hash=text, revision=1, problems=[])


# diff


def test_diff_shows_what_comes_goes_and_changes_against_another_file(tmp_path: Path) -> None:
    found = run("diff", write(tmp_path, NEW), "--against", write(tmp_path, OLD, "old.yaml"))
    assert found.exit_code == 0
    assert found.output.splitlines() == [
        "+ weekly: new.",
        '    networks: ["admitad"]',
        "    cron: 0 6 * * mon",
        "    timezone: Asia/Dubai",
        "    date_range: last_7_days",
        "- hourly: removed. Its DAG sync__hourly goes; its rows and logs stay.",
        "~ daily:",
        '    networks: ["admitad"] -> ["admitad", "boostiny"]',
        "    interval: 1d -> not set",
        '    times: [] -> ["06:00"]',
        "    max_runs_per_day: not set -> 2",
        "1 added, 1 removed, 1 changed.",
    ]


def test_diff_reads_the_other_file_from_a_pipe(tmp_path: Path) -> None:
    found = run("diff", write(tmp_path, OLD), "--against", "-", given=OLD)
    assert (found.exit_code, found.output) == (0, "Nothing changes.\n")


def test_diff_needs_no_database_for_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", "postgresql://nobody@127.0.0.1:1/none")
    path = write(tmp_path, OLD)
    assert run("diff", path, "--against", path).exit_code == 0
    assert "does not answer" in str(run("diff", path).exception)


def test_diff_compares_with_the_schedules_of_git_that_are_in_force(database: str, tmp_path: Path) -> None:
    mirror(OLD, tmp_path)
    assert run("diff", write(tmp_path, OLD)).output == "Nothing changes.\n"
    assert "~ daily:" in run("diff", write(tmp_path, NEW)).output


def test_diff_says_what_becomes_of_schedules_of_the_screens(database: str, tmp_path: Path) -> None:
    mirror(OLD, tmp_path)
    for key in ("hourly", "weekly", "mine"):
        with Database().transaction() as cursor:
            cursor.execute(
                "INSERT INTO data_sync.sync_schedules (key, source, name, definition, definition_hash) "
                "VALUES (%s, 'postgres', 'x', %s, '')",
                [key, json.dumps(schedule(key).to_dict())],
            )
    lines = run("diff", write(tmp_path, NEW)).output.splitlines()
    assert lines[0].endswith(" It overrules the schedule of the screens with this key.")
    assert lines[5] == "- hourly: removed. The schedule of the screens with this key comes back."
    assert "mine" not in "\n".join(lines)


def test_diff_tells_problems_first_and_exits_1_and_broken_entries_stay(tmp_path: Path) -> None:
    path, old = write(tmp_path, BROKEN), write(tmp_path, OLD, "old.yaml")
    found = run("diff", path, "--against", old)
    assert found.exit_code == 1
    problem, *rest = found.output.splitlines()
    assert problem.startswith(f"{path}:3: schedule daily: ")
    assert rest == ["~ hourly:", "    interval: 1h -> 30m", "0 added, 0 removed, 1 changed."]


def test_diff_of_a_file_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    found = run("diff", tmp_path / "none.yaml", "--against", write(tmp_path, OLD))
    assert found.exit_code == 1
    assert found.output.splitlines()[1:] == ["Nothing changes."]
    assert "does not exist" in found.output


def test_diff_against_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    found = run("diff", write(tmp_path, OLD), "--against", "-", given="")
    assert isinstance(found.exception, ConfigError)
    assert "Nothing can be compared with standard input" in str(found.exception)


def test_diff_against_a_file_with_problems_says_which_entries_were_none(tmp_path: Path) -> None:
    found = run("diff", write(tmp_path, OLD), "--against", write(tmp_path, BROKEN, "old.yaml"))
    assert found.exit_code == 0
    assert "these have problems and count as missing: daily." in found.output.splitlines()[0]


def test_diff_prints_json_for_programs(tmp_path: Path) -> None:
    told = run("diff", write(tmp_path, NEW), "--against", write(tmp_path, OLD, "old.yaml"), "--json")
    found = json.loads(told.output)
    assert (set(found["added"]), set(found["removed"])) == ({"weekly"}, {"hourly"})
    assert found["changed"]["daily"]["interval"] == {"old": "1d", "new": None}
    broken = run("diff", write(tmp_path, BROKEN), "--against", tmp_path / "old.yaml", "--json")
    assert broken.exit_code == 1
    found = json.loads(broken.output)
    assert (found["kept"], len(found["problems"]), found["removed"]) == (["daily"], 1, {})


# export and import


def exported(*words: object) -> str:
    found = run("export", *words)
    assert found.exit_code == 0, found.exception
    return found.output


def stored() -> list[dict[str, Any]]:
    statement = (
        "SELECT key, owner, definition, revision, deleted_at FROM data_sync.sync_schedules ORDER BY key"
    )
    return rows(Database(), statement)


def take_in(path: Path, owner: str = "anna") -> Result:
    return run("import", path, "--owner", owner)


@pytest.fixture
def trusted(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anna may use every account."""
    monkeypatch.setenv("AIRFLOW__DATA_SYNC__ADMINS", "anna")


@pytest.mark.usefixtures("trusted")
def test_what_is_exported_and_imported_again_is_the_same(tmp_path: Path) -> None:
    assert take_in(write(tmp_path, NEW)).exit_code == 0
    before = stored()
    text = exported()
    assert text == exported("-")
    path = tmp_path / "out.yaml"
    assert "2 schedules are in" in exported(path)
    assert path.read_text() == text
    assert run("validate", path).exit_code == 0
    again = take_in(path)
    assert [line.split() for line in again.output.splitlines()[1:]] == [
        ["daily", "unchanged"],
        ["weekly", "unchanged"],
    ]
    assert stored() == before


@pytest.mark.usefixtures("trusted")
def test_an_export_overwrites_nothing_unless_it_is_forced_to(tmp_path: Path) -> None:
    path = write(tmp_path, "mine")
    found = run("export", path)
    assert isinstance(found.exception, ConfigError)
    assert "--force" in str(found.exception)
    assert path.read_text() == "mine"
    exported(path, "--force")
    assert path.read_text().endswith("schedules: {}\n")
    assert [file.name for file in tmp_path.iterdir()] == ["schedules.yaml"]
    lost = run("export", tmp_path / "none" / "out.yaml")
    assert "cannot be written" in str(lost.exception)


@pytest.mark.usefixtures("trusted")
def test_an_import_tells_what_it_did_and_deletes_nothing(tmp_path: Path) -> None:
    take_in(write(tmp_path, OLD))
    told = take_in(write(tmp_path, NEW))
    what = [line.split() for line in told.stdout.splitlines()[1:]]
    assert what == [["daily", "changed"], ["weekly", "created"]]
    assert [(row["key"], row["owner"], row["revision"]) for row in stored()] == [
        ("daily", "anna", 2),
        ("hourly", "anna", 1),
        ("weekly", "anna", 1),
    ]


@pytest.mark.usefixtures("trusted", "without_airflow")
def test_without_airflows_database_an_import_says_when_it_takes_effect(tmp_path: Path) -> None:
    told = take_in(write(tmp_path, OLD))
    assert told.exit_code == 0
    assert "Airflow's metadata database cannot be reached from here" in told.stderr
    assert take_in(write(tmp_path, OLD)).stderr == "", "nothing has changed"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("text", [BROKEN, "schedules: [", "schedules:\n  a: {networks: [admitad]}\n"])
def test_a_file_with_a_problem_is_not_taken_over_at_all(tmp_path: Path, text: str) -> None:
    found = take_in(write(tmp_path, text))
    assert found.exit_code == 1
    assert "schedules.yaml:" in found.output
    assert stored() == []


@pytest.mark.usefixtures("trusted")
def test_one_refused_account_refuses_the_whole_file(tmp_path: Path) -> None:
    found = take_in(write(tmp_path, OLD), owner="omar")
    assert isinstance(found.exception, ConfigError)
    assert str(found.exception).count("omar may not use the account admitad_default") == 2
    assert stored() == []


@pytest.mark.usefixtures("trusted")
def test_schedules_of_git_are_not_taken_over(tmp_path: Path) -> None:
    mirror(OLD, tmp_path)
    found = take_in(write(tmp_path, OLD))
    assert "config/schedules.yaml has a schedule of the key daily" in str(found.exception)


# reparse


@pytest.mark.usefixtures("without_airflow")
def test_where_airflow_cannot_be_reached_reparse_is_one_sentence() -> None:
    found = run("reparse", "daily")
    assert isinstance(found.exception, AirflowUnreachableError)
    assert "Do this where the scheduler or the api-server runs" in str(found.exception)


def test_reparse_refuses_what_can_be_no_key() -> None:
    found = run("reparse", "Daily!")
    assert isinstance(found.exception, ConfigError)
    assert "write daily" in str(found.exception)
