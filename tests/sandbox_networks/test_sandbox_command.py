"""Starting the sandbox: settings from the command line and a file, and what is said of wrong ones."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from sandbox_networks.server import build_app, main
from sandbox_networks.settings import SandboxSettings, SettingsError, load_settings
from tests.sandbox_networks.caller import process


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--networks", "nowhere"], "it has: admitad"),
        (["--set", "admitad.zone=Mars/North"], "IANA name"),
        (["--set", "admitad.typo=1"], "typo"),
        (["--set", "zone=UTC"], "NETWORK.NAME=VALUE"),
        (["--rows-per-day", "0"], "rows_per_day"),
        (["--now", "2026-03-10T12:00:00"], "time zone"),
        (["--first-day", "1999-01-01"], "2010"),
        (["--settings", "no-such-file.json"], "no-such-file.json"),
    ],
)
def test_a_wrong_setting_ends_with_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], hint: str
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert hint in said
    assert said.count("\n") == 1


def test_a_port_in_use_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 2
    assert f"127.0.0.1:{port}" in capsys.readouterr().err


def test_settings_from_a_file_are_overridden_by_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    app = {"client_id": "mine", "secret": "canary-2", "websites": [5]}
    options = {"admitad": {"apps": [app], "zone": "UTC"}}
    path.write_text(json.dumps({"rows_per_day": 5, "now": "2026-03-10T12:00:00Z", "options": options}))
    arguments = ("--settings", str(path), "--rows-per-day", "9", "--set", "admitad.calls=3", "--no-limits")
    with process(*arguments) as caller:
        caller.log_in(client="mine", secret="canary-2")
        rows = caller.actions(date_start="01.01.2026", date_end="01.01.2026")
        assert 5 < len(rows) <= 9
        assert {row["website_id"] for row in rows} == {5}
        assert caller.get("/websites/v2/").status_code == 200


def test_a_file_that_is_not_settings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"rows": 1}')
    with pytest.raises(SettingsError, match="rows"):
        load_settings(path)


def test_no_secret_shows_in_a_printed_setting() -> None:
    app = {"client_id": "mine", "secret": "canary-3"}
    with pytest.raises(SettingsError) as failure:
        build_app(SandboxSettings(options={"admitad": {"apps": [app], "calls": "canary"}}))
    assert "canary-3" not in str(failure.value)
