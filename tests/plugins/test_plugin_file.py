"""The plugin file is imported in every process of Airflow: it costs next to nothing and drags nothing in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.airflow_app import PLUGINS, App

#: Reads the file as Airflow's plugins manager does, in a process that has loaded what a task has.
_IMPORT = """
import sys
import {before}
sys.path.insert(0, {folder!r})
loaded = set(sys.modules)
import data_sync_plugin
print("LOADED", *sorted(set(sys.modules) - loaded))
"""


@pytest.mark.parametrize("before", ["airflow.sdk.execution_time.task_runner", "airflow.plugins_manager"])
def test_it_costs_a_task_next_to_nothing(before: str, tmp_path: Path) -> None:
    """What an import costs is what it loads, which is the same however busy the machine is."""
    code = _IMPORT.format(before=before, folder=str(PLUGINS))
    command, env = [sys.executable, "-c", code], {"AIRFLOW_HOME": str(tmp_path)}
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    (line,) = (line for line in told.splitlines() if line.startswith("LOADED"))
    # One short file: on its own it takes one or two of the 20 ms that it may.
    assert line == "LOADED data_sync_plugin"


def test_the_dag_processor_has_the_factory_loaded_before_it_parses(tmp_path: Path) -> None:
    code = (
        "import sys; import airflow.plugins_manager; "
        f"sys.path.insert(0, {str(PLUGINS)!r}); import data_sync_plugin; "
        "print('data_sync.dag.factory' in sys.modules, 'data_sync.dag.proving' in sys.modules)"
    )
    for mark, is_loaded in ({}, "False False"), ({"DATA_SYNC_DAG_PROCESSOR": "1"}, "True True"):
        command, env = [sys.executable, "-c", code], {"AIRFLOW_HOME": str(tmp_path), **mark}
        told = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
        assert told.splitlines()[-1] == is_loaded


def test_airflow_finds_this_one_file_and_not_its_package(app: App) -> None:
    from airflow import plugins_manager

    plugins, errors = plugins_manager._get_plugins()
    assert errors == {}
    assert [plugin.name for plugin in plugins if str(plugin.source).startswith("$PLUGINS_FOLDER")] == [
        "data_sync"
    ]


def test_airflows_page_of_plugins_shows_it(app: App) -> None:
    answer = app.call("ada", "GET", "/api/v2/plugins")
    assert answer.status_code == 200
    ours = next(plugin for plugin in answer.json()["plugins"] if plugin["name"] == "data_sync")
    assert [found["url_prefix"] for found in ours["fastapi_apps"]] == ["/sync"]
