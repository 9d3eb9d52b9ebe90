"""Secrets are generated once, stay private, and reach the commands of another terminal unchanged."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from data_sync.local.home import Home
from data_sync.local.postgres import EmbeddedPostgres
from data_sync.local.settings import Layout, environment, write_environment


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def settings_of(home: Home) -> dict[str, str]:
    return environment(Layout(home, 18080, 18787), home.prepare(), EmbeddedPostgres(home.postgres))


def test_every_folder_has_secrets_of_its_own_that_survive_a_restart(home: Home, tmp_path: Path) -> None:
    secrets = home.prepare()
    assert home.prepare() == secrets
    assert Home(tmp_path / "other").prepare().admin_password != secrets.admin_password
    assert len(secrets.admin_password) >= 16


def test_files_with_secrets_are_for_their_owner_only(home: Home) -> None:
    write_environment(home.environment, settings_of(home))
    secrets = home.prepare()
    for path in home.root.rglob("*"):
        if path.is_file() and secrets.admin_password in path.read_text():
            assert path.stat().st_mode & 0o077 == 0, path
    assert home.environment.stat().st_mode & 0o077 == 0


def test_nothing_listens_beyond_this_machine_and_nobody_is_admin_without_a_password(home: Home) -> None:
    env = settings_of(home)
    assert env["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "False"
    assert env["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"


def test_settings_of_another_airflow_do_not_leak_in(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
    monkeypatch.setenv("AIRFLOW__CORE__UNIT_TEST_MODE", "True")
    monkeypatch.setenv("AIRFLOW_CONN_ADMITAD_DEFAULT", "affiliate-admitad://real:secret@")
    env = settings_of(home)
    assert env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "False"
    assert "AIRFLOW__CORE__UNIT_TEST_MODE" not in env
    assert "AIRFLOW_CONN_ADMITAD_DEFAULT" not in env


def test_the_environment_file_gives_a_shell_the_same_values(home: Home) -> None:
    home.prepare()
    awkward = {"AIRFLOW_A": 'it\'s $HOME; `x` "y"', "AIRFLOW_B": "a\nb", "OTHER": "left out"}
    write_environment(home.environment, awkward)
    told = subprocess.run(
        ["sh", "-c", f'. \'{home.environment}\'; printf \'%s|%s|%s\' "$AIRFLOW_A" "$AIRFLOW_B" "$OTHER"'],
        capture_output=True,
        text=True,
        env={},
    ).stdout
    assert told == 'it\'s $HOME; `x` "y"|a\nb|'
