"""DAG files and schedules come from a git repository, through Airflow's own git bundle (docs/git.md)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from data_sync.dag.names import shard_file, shard_of
from data_sync.local.ports import free_port
from tests.e2e.airflow_site import CHECKOUT, AirflowSite, conninfo_of
from tests.e2e.in_flight import Flight, calm, pause, slow_pages

pytestmark = [pytest.mark.airflow, pytest.mark.prove, pytest.mark.timeout(600)]

BUNDLE = "publisher"
#: How often Airflow looks for new commits, in seconds; it reads each file every ten.
_REFRESH_SECONDS = 5
#: How soon a pushed edit changes the DAG at the latest: every file is read in turn, slowly on a busy machine.
_EDIT_SECONDS = 120

DEFAULTS = {
    "networks": ["admitad"],
    "sync_type": "purchases",
    "interval": "1d",
    "timezone": "Europe/Moscow",
    "active": False,
    "date_range": "custom",
}
SCHEDULES = {
    "edited": {"name": "Before", "from": "2026-01-01", "to": "2026-01-01"},
    "flight": {"name": "In flight", "from": "2026-02-01", "to": "2026-02-07"},
}


class Repository:
    """A bare repository, and a checkout of it in which somebody works."""

    def __init__(self, folder: Path) -> None:
        self.bare = folder / "schedules.git"
        self.work = folder / "work"
        self._git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        self._git(folder, "clone", "--quiet", str(self.bare), str(self.work))
        shutil.copytree(CHECKOUT / "dags", self.work / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        self.file = self.work / "config" / "schedules.yaml"
        self.file.parent.mkdir()
        self.schedules = dict(SCHEDULES)
        self.push()

    def _git(self, where: Path, *words: str) -> str:
        identity = ("-c", "user.name=Anna", "-c", "user.email=anna@example.com")
        env = {"PATH": os.environ["PATH"], "HOME": str(where), "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *identity, *words], cwd=where, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def edit(self, key: str, changes: dict[str, Any] | None) -> str:
        """Change an entry, or take it out; commit, push, and return the commit."""
        before = self.schedules.pop(key, {})
        if changes is not None:
            self.schedules[key] = before | changes
        return self.push()

    def push(self, text: str | None = None) -> str:
        written = {"defaults": DEFAULTS, "schedules": self.schedules}
        self.file.write_text(yaml.safe_dump(written, sort_keys=False) if text is None else text)
        self._git(self.work, "add", "--all")
        self._git(self.work, "commit", "--quiet", "--allow-empty", "--message", "An edit")
        self._git(self.work, "push", "--quiet", "origin", "HEAD:main")
        return self._git(self.work, "rev-parse", "HEAD")


class GitSite(AirflowSite):
    """An Airflow whose files come from a repository; nothing else tells it where the schedules are."""

    def __init__(self, folder: Path, repository: Repository) -> None:
        self.home = folder / "home"
        self.schedules = repository.file
        self.port, self.sandbox_port = free_port(), free_port()
        self.output = folder / "serve.log"
        self._configure(repository)
        sandbox = folder / "sandbox.json"
        sandbox.write_text(json.dumps({"now": "2026-03-15T12:00:00Z", "rows_per_day": 600}))
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "data_sync.local", "serve", "--home", str(self.home)),
                *("--port", str(self.port), "--sandbox-port", str(self.sandbox_port)),
                f"--sandbox-option=--settings={sandbox}",
            ],
            stdout=self.output.open("w"),
            stderr=subprocess.STDOUT,
            cwd=CHECKOUT,
        )
        try:
            self.env = self._wait_for_environment()
        except BaseException:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=60)
            raise
        self.conninfo = conninfo_of(self.env)
        self.api = requests.Session()
        self.api.trust_env = False
        self.api.headers["Authorization"] = f"Bearer {self.env['AIRFLOW__DATA_SYNC__API_TOKEN']}"

    def _configure(self, repository: Repository) -> None:
        bundle = {
            "name": BUNDLE,
            "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
            "kwargs": {
                "repo_url": str(repository.bare),
                "tracking_ref": "main",
                "subdir": "dags",
                "refresh_interval": _REFRESH_SECONDS,
            },
        }
        (self.home / "airflow").mkdir(parents=True)
        (self.home / "airflow" / "airflow.cfg").write_text(
            # Else Airflow would go on with a clone of that name which another test has left behind.
            f"[dag_processor]\ndag_bundle_storage_path = {self.home / 'bundles'}\n"
            f"dag_bundle_config_list = {json.dumps([bundle])}\n"
        )

    def dag(self, key: str) -> dict[str, Any]:
        """What Airflow knows of a schedule's DAG; empty when it knows none."""
        path = f"http://127.0.0.1:{self.port}/api/v2/dags/sync__{key}/details"
        answer = self.api.get(path, timeout=60)
        return answer.json() if answer.ok else {}

    def name(self, key: str) -> str | None:
        return self.dag(key).get("dag_display_name")

    def versions(self, key: str) -> int:
        """How many versions of a schedule's DAG there are."""
        return int(self.call("GET", f"/dags/sync__{key}/dagVersions")["total_entries"])

    def until_named(self, key: str, name: str) -> None:
        """Wait until a schedule's DAG has a name."""
        self.until(lambda: self.name(key) == name, f"the DAG {key} to be {name!r}", _EDIT_SECONDS)

    def problems(self) -> list[str]:
        found = self.call("GET", "/importErrors")["import_errors"]
        return [error["stack_trace"] for error in found if "schedules.yaml" in error["stack_trace"]]

    def do(self, code: str) -> str:
        """Do something as the screens do: with the module ``live`` and an open database."""
        opening = (
            "from data_sync.database import Database; from data_sync.dag import live; "
            "from data_sync.schedules.model import Schedule; db = Database(); "
        )
        return self.command("python", "-c", opening + code)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A publisher's repository: our thin DAG files, and schedules that run by hand only."""
    return Repository(tmp_path_factory.mktemp("git"))


@pytest.fixture(scope="module")
def git_site(tmp_path_factory: pytest.TempPathFactory, repository: Repository) -> Iterator[GitSite]:
    """An Airflow that follows the repository."""
    found = GitSite(tmp_path_factory.mktemp("site"), repository)
    yield found
    found.stop()


def test_a_pushed_edit_changes_the_dag(git_site: GitSite, repository: Repository) -> None:
    git_site.until_named("edited", "Before")
    never = git_site.dag("edited")["timetable_summary"]
    commit = repository.edit("edited", {"name": "After", "active": True, "interval": "2h"})
    git_site.until_named("edited", "After")
    found = git_site.dag("edited")
    assert (found["bundle_name"], found["bundle_version"]) == (BUNDLE, commit)
    assert found["relative_fileloc"].startswith("shards/shard_")
    assert found["timetable_summary"] != never
    (row,) = git_site.rows("SELECT definition FROM data_sync.sync_schedules WHERE key = 'edited'")
    assert row["definition"]["interval"] == "2h"


def test_a_run_in_flight_ends_with_the_definition_that_it_started_with(
    git_site: GitSite, repository: Repository
) -> None:
    git_site.wait_for_dag("sync__flight")
    slow_pages(git_site, 2)
    flight = Flight(git_site, "flight")
    flight.until_reading()
    before, version = flight.stored(), git_site.call("GET", flight.path)["bundle_version"]
    commit = repository.edit("flight", {"name": "Other days", "from": "2025-11-10", "to": "2025-11-11"})
    git_site.until_named("flight", "Other days")
    assert flight.state == "running"
    calm(git_site)
    assert flight.land() == "success"
    assert flight.stored()["definition"] == before["definition"]
    days = ("2026-02-01", "2026-02-07")
    assert git_site.table_totals(*days) == git_site.sandbox_totals(*days)
    assert git_site.rows("SELECT 1 FROM data_sync.purchases WHERE day < '2025-12-01'") == []
    assert git_site.call("GET", flight.path)["bundle_version"] == version != commit

    following = Flight(git_site, "flight")
    assert following.land() == "success"
    assert git_site.call("GET", following.path)["bundle_version"] == commit
    days = ("2025-11-10", "2025-11-11")
    assert git_site.table_totals(*days) == git_site.sandbox_totals(*days)

    versions = git_site.versions("flight")
    commit = repository.edit("edited", {"name": "Another commit"})
    git_site.until_named("edited", "Another commit")
    git_site.until(lambda: git_site.dag("flight")["bundle_version"] == commit, "the commit", _EDIT_SECONDS)
    assert git_site.versions("flight") == versions > 1, "a commit that does not touch it makes no version"


def test_a_push_that_cannot_be_read_changes_no_dag(git_site: GitSite, repository: Repository) -> None:
    before = git_site.name("edited")
    repository.push("schedules: [\n")
    git_site.until(git_site.problems, "the banner", _EDIT_SECONDS)
    found = git_site.dag("edited")
    assert (found["dag_display_name"], found["is_stale"]) == (before, False)
    repository.push()
    git_site.until(lambda: not git_site.problems(), "the banner to go", _EDIT_SECONDS)


def test_the_hook_after_a_push_has_it_fetched_and_read_at_once(
    git_site: GitSite, repository: Repository
) -> None:
    log = git_site.home / "logs" / "dag-processor.log"
    repository.edit("edited", {"name": "Hooked"})
    told = git_site.command("data-sync", "reparse")
    # Its turn may have come just before.
    asked = f"The dag-processor reads shards/{shard_file(shard_of('edited'))}.\n"
    assert told == asked or told.startswith("No file is behind")
    git_site.until_named("edited", "Hooked")
    assert f"Bundles being force refreshed: {BUNDLE}" in log.read_text()


def test_schedules_of_the_screens_live_beside_those_of_git(
    git_site: GitSite, repository: Repository, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    mine = {**DEFAULTS, "name": "Of the screens", "from": "2026-01-02", "to": "2026-01-02"}
    file.write_text(yaml.safe_dump({"schedules": {"mine": mine}}))
    assert "created" in git_site.command("data-sync", "import", str(file), "--owner", "admin")
    git_site.until_named("mine", "Of the screens")
    assert "Of the screens" in git_site.command("data-sync", "export")

    repository.edit("mine", {**mine, "name": "Of the file"})
    git_site.until_named("mine", "Of the file")
    git_site.until(git_site.problems, "the clash to be shown", _EDIT_SECONDS)
    repository.edit("mine", None)
    git_site.until_named("mine", "Of the screens")
    git_site.until(lambda: not git_site.problems(), "the clash to be over", _EDIT_SECONDS)


def test_a_paused_schedule_stays_paused_when_changed_and_not_when_made_again(git_site: GitSite) -> None:
    words = {**DEFAULTS, "key": "again", "name": "First", "from": "2026-01-03", "to": "2026-01-03"}
    create = "live.create(db, Schedule.from_dict({}), owner='admin', trusted=True)"
    git_site.do(create.format(words))
    git_site.until_named("again", "First")
    assert git_site.dag("again")["is_paused"] is False
    pause(git_site, "sync__again")
    words["name"] = "Second"
    git_site.do(f"live.change(db, Schedule.from_dict({words}), revision=1, trusted=True)")
    git_site.until_named("again", "Second")
    assert git_site.dag("again")["is_paused"] is True
    git_site.do("live.delete(db, 'again')")
    words["name"] = "Third"
    git_site.do(create.format(words))
    git_site.until_named("again", "Third")
    assert git_site.dag("again")["is_paused"] is False
    assert Flight(git_site, "again").land() == "success"


def test_a_key_that_comes_back_is_not_paused_as_it_was_when_it_went(
    git_site: GitSite, repository: Repository
) -> None:
    words = {"name": "Comes back", "from": "2026-01-04", "to": "2026-01-04"}
    repository.edit("back", words)
    git_site.until_named("back", "Comes back")
    pause(git_site, "sync__back")
    repository.edit("back", None)
    git_site.until(lambda: git_site.dag("back").get("is_stale") is True, "the DAG to go", 300)
    repository.edit("back", words)
    git_site.until(
        lambda: git_site.dag("back").get("is_stale") is False, "the DAG to come back", _EDIT_SECONDS
    )
    assert git_site.dag("back")["is_paused"] is True, "Airflow does not forget"
    switch = "SELECT pause_switch FROM data_sync.sync_schedules WHERE key = 'back'"
    git_site.until(lambda: git_site.rows(switch)[0]["pause_switch"] == "held", "upkeep to see it", 180)
    assert "Unpause it" in git_site.command("data-sync", "schedules", "--json")
    assert "back is not paused any more" in git_site.command("data-sync", "reparse")
    assert git_site.dag("back")["is_paused"] is False
    assert Flight(git_site, "back").land() == "success"
