"""What docs/git.md shows works: the bundle, the hooks, the lines for CI, the sample of a difference."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_sync import __version__
from data_sync.dag.names import SHARDS, shard_file

CHECKOUT = Path(__file__).resolve().parents[3]
PAGE = (CHECKOUT / "docs" / "git.md").read_text()
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((CHECKOUT / ".pre-commit-hooks.yaml").read_text())}
FILE = "config/schedules.yaml"

OLD = """schedules:
  daily: {networks: [admitad], interval: 1d, date_range: yesterday}
  hourly: {networks: [admitad], interval: 1h, date_range: today}
"""
NEW = """schedules:
  daily: {networks: [admitad], times: ["06:00"], date_range: yesterday}
  weekly: {networks: [admitad], cron: "0 6 * * mon", date_range: last_7_days}
"""
BROKEN = OLD.replace("[admitad]", "[admitat]", 1)

Shell = Callable[[str], subprocess.CompletedProcess[str]]


def test_the_layout_names_every_shard() -> None:
    assert f"shards/{shard_file(0)} ... {shard_file(SHARDS - 1)}\n" in PAGE


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [text for word, text in found if word == language]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in an empty git repository, with our commands on the path and no database."""
    env = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
    }

    def run(line: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-o", "pipefail", "-c", line]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    (tmp_path / "config").mkdir()
    assert run("git init --quiet --initial-branch=main .").returncode == 0
    return run


def commit(shell: Shell, folder: Path, text: str) -> None:
    (folder / FILE).write_text(text)
    done = shell("git add . && git -c user.name=a -c user.email=a@b.c commit --quiet --message x")
    assert done.returncode == 0, done.stderr


def test_airflow_takes_the_bundle_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    config = configparser.ConfigParser(interpolation=None)
    config.read_string(blocks("ini")[0])
    written = config["dag_processor"]["dag_bundle_config_list"]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", written)
    bundle = DagBundlesManager().get_bundle("publisher")
    assert (bundle.name, bundle.tracking_ref, bundle.refresh_interval) == ("publisher", "main", 60)
    assert (type(bundle).__name__, bundle.path.name) == ("GitDagBundle", "dags")


def test_the_layout_of_the_page_is_the_one_of_this_project() -> None:
    (layout,) = (text for text in blocks("") if "quick_sync.py" in text)
    for path in re.findall(r"^\S+", layout, re.MULTILINE):
        assert (CHECKOUT / path).exists(), path
    there = [path for path in (CHECKOUT / "dags").rglob("*.py") if not path.name.startswith("example")]
    names = {path.name for path in there if path.parent.name != "shards"}
    assert names <= set(re.findall(r"\w+\.py", layout))


def test_the_sample_of_a_difference_is_what_the_command_prints(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(NEW)
    (tmp_path / "old.yaml").write_text(OLD)
    done = shell(f"data-sync diff {FILE} --against old.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout in blocks("")


def test_the_lines_for_ci_pass_a_good_edit_and_stop_a_bad_one(shell: Shell, tmp_path: Path) -> None:
    (lines,) = (text for text in blocks("sh") if "git show" in text)
    commit(shell, tmp_path, OLD)
    assert shell("git update-ref refs/remotes/origin/main HEAD").returncode == 0
    commit(shell, tmp_path, NEW)
    good = shell(f"set -e\n{lines}")
    assert good.returncode == 0, good.stderr
    assert "1 added, 1 removed, 1 changed." in good.stdout
    commit(shell, tmp_path, BROKEN)
    bad = shell(f"set -e\n{lines}")
    assert bad.returncode == 1
    assert "write admitad" in bad.stdout


def run_hook(shell: Shell, hook: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run a hook as pre-commit does: its words, then the files that match."""
    files = [] if hook.get("pass_filenames") is False else [FILE]
    assert re.search(hook["files"], FILE)
    return shell(shlex.join([*shlex.split(hook["entry"]), *files]))


@pytest.mark.parametrize(("text", "code"), [(NEW, 0), (BROKEN, 1)])
def test_the_hook_stops_a_commit_with_a_problem(shell: Shell, tmp_path: Path, text: str, code: int) -> None:
    (tmp_path / FILE).write_text(text)
    done = run_hook(shell, HOOKS["validate-schedules"])
    assert done.returncode == code, done.stderr
    assert ("write admitad" in done.stdout) == bool(code)


def test_the_other_hook_shows_what_a_commit_changes_also_the_first_one(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(OLD)
    first = run_hook(shell, HOOKS["diff-schedules"])
    assert first.returncode == 0, first.stderr
    assert first.stdout.endswith("2 added, 0 removed, 0 changed.\n")
    commit(shell, tmp_path, OLD)
    (tmp_path / FILE).write_text(NEW)
    assert "- hourly: removed." in run_hook(shell, HOOKS["diff-schedules"]).stdout


def test_the_hooks_of_the_page_and_of_this_checkout_are_those_that_exist() -> None:
    shared, local = (yaml.safe_load(text)["repos"][0] for text in blocks("yml"))
    assert {hook["id"] for hook in shared["hooks"]} == set(HOOKS)
    assert shared["rev"] == f"v{__version__}"
    ours = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    (mine,) = (hook for hook in ours if hook["id"] == "validate-schedules")
    (shown,) = local["hooks"]
    assert shown == mine
    assert mine["entry"] == f".venv/bin/{HOOKS['validate-schedules']['entry']}"
    for word in ("name", "files"):
        assert mine[word] == HOOKS["validate-schedules"][word]
