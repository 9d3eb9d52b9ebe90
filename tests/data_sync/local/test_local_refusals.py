"""What is in the way is said in one sentence that names the way out, without a traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from data_sync.local.errors import LocalError
from data_sync.local.home import Home
from data_sync.local.ports import free_port, require_free
from tests.data_sync.local.machine import command, left_behind, refused


def test_a_taken_port_is_named_with_the_variable_to_set(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused("demo-once", tmp_path, "--port", str(port))
        assert f"Port {port}" in said
        assert "PORT=" in said
        said = refused("demo", tmp_path, "--sandbox-port", str(port))
        assert "SANDBOX_PORT=" in said
    assert left_behind(tmp_path) == []


def test_a_port_that_was_just_closed_counts_as_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
            pass
    require_free(port, setting="PORT", purpose="a test")


@pytest.mark.parametrize("port", ["abc", "0", "80", "70000", "-1", "٣٣٣٣"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    said = refused("demo", tmp_path, f"--port={port}")
    assert "1024 to 65535" in said


def test_a_second_start_and_a_clean_are_refused_while_one_runs(tmp_path: Path) -> None:
    descriptor = Home(tmp_path).lock()
    assert f"(process {os.getpid()})" in refused("demo", tmp_path)
    assert "already running" in refused("clean", tmp_path)
    os.close(descriptor)
    assert subprocess.run(command("clean", tmp_path)).returncode == 0
    assert not tmp_path.exists()


def test_clean_without_state_is_fine(tmp_path: Path) -> None:
    assert subprocess.run(command("clean", tmp_path / "none")).returncode == 0


def test_a_lock_of_a_killed_start_is_no_hindrance(tmp_path: Path) -> None:
    holder = (
        "import os, sys; from pathlib import Path; from data_sync.local.home import Home\n"
        "Home(Path(sys.argv[1])).lock(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", holder, str(tmp_path)])
    os.close(Home(tmp_path).lock())


def test_damaged_secrets_name_make_clean(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    (tmp_path / "secrets.json").write_text('{"admin_password": "x"')
    with pytest.raises(LocalError, match="make clean"):
        home.prepare()


def test_a_service_that_fails_at_once_ends_everything(folder: Path) -> None:
    said = refused("serve", folder, "--sandbox-option=--no-such-option")
    assert "sandbox" in said
    assert "sandbox.log" in said
    assert left_behind(folder) == []


@pytest.mark.parametrize("target", ["demo", "clean", "check", "test", "prove", "bench", "demo-once", "help"])
def test_make_help_lists_every_command(target: str) -> None:
    listed = subprocess.run(["make", "--no-print-directory", "help"], capture_output=True, text=True).stdout
    assert f"make {target} " in listed


def test_make_says_which_python_it_needs(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    for name in ("Makefile", "locks/bootstrap.txt", "locks/app.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes(Path(name).read_bytes())
    old = tmp_path / "python-of-tomorrow"
    old.write_text("#!/bin/sh\nexec python3 -c 'import sys; sys.version_info = (3, 99)\n'\"$2\"\n")
    old.chmod(0o755)
    for python, expected in ((old, "Python 3.99 cannot run this"), ("no-such-python", "is not installed")):
        done = subprocess.run(
            ["make", "--no-print-directory", "demo", f"PYTHON={python}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode != 0
        assert expected in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_free_ports_are_free() -> None:
    require_free(free_port(), setting="PORT", purpose="a test")
