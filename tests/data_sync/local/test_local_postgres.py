"""The embedded server starts on whatever an earlier start has left, and keeps what was stored."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from data_sync.local.errors import LocalError
from data_sync.local.postgres import EmbeddedPostgres
from tests.data_sync.local.machine import wait_until


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    found = EmbeddedPostgres(folder / "data", settings={"fsync": "off"})
    yield found
    found.stop()


def test_data_survives_a_restart(server: EmbeddedPostgres, folder: Path) -> None:
    server.start(folder / "log", ["one", "two"])
    with psycopg.connect(server.url("one")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    server.stop()
    assert not server.is_running()
    server.start(folder / "log", ["one", "two"])
    with psycopg.connect(server.url("one")) as connection:
        assert connection.execute("SELECT seven FROM kept").fetchone() == (7,)
        assert connection.info.server_version >= 180000


def test_it_listens_on_its_socket_only(server: EmbeddedPostgres, folder: Path) -> None:
    server.start(folder / "log")
    with psycopg.connect(server.url("postgres")) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    assert server.socket_folder.stat().st_mode & 0o077 == 0


def test_a_path_too_long_for_a_socket_works_too(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    server = EmbeddedPostgres(deep / "data", settings={"fsync": "off"})
    try:
        server.start(deep / "log", ["one"])
        psycopg.connect(server.url("one")).close()
        assert server.socket_folder.stat().st_mode & 0o077 == 0
    finally:
        server.stop()


def test_a_folder_that_was_killed_while_it_was_made_is_made_anew(
    server: EmbeddedPostgres, folder: Path
) -> None:
    half = folder / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server.start(folder / "log", ["one"])
    assert server.is_running()


def test_a_server_that_was_left_behind_is_ended_first(server: EmbeddedPostgres, folder: Path) -> None:
    orphaning = (
        "import os, sys; from pathlib import Path; from data_sync.local import processes\n"
        "processes.end_with_parent = lambda signum: None\n"
        "from data_sync.local.postgres import EmbeddedPostgres\n"
        "EmbeddedPostgres(Path(sys.argv[1])).start(Path(sys.argv[2])); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", orphaning, str(server.data), str(folder / "log")])
    left = psutil.Process(int((server.data / "postmaster.pid").read_text().split()[0]))
    assert left.is_running()
    server.start(folder / "log", ["one"])
    assert not left.is_running()
    psycopg.connect(server.url("one")).close()


def test_it_ends_with_a_starter_that_is_killed(folder: Path) -> None:
    starter = (
        "import os, sys; from pathlib import Path\n"
        "from data_sync.local.postgres import EmbeddedPostgres\n"
        "EmbeddedPostgres(Path(sys.argv[1])).start(Path(sys.argv[2])); os.kill(os.getpid(), 9)"
    )
    data = folder / "data"
    subprocess.run([sys.executable, "-c", starter, str(data), str(folder / "log")])
    wait_until(lambda: not (data / "postmaster.pid").exists(), 30, "the end of the server")


def test_a_damaged_folder_names_the_log(server: EmbeddedPostgres, folder: Path) -> None:
    server.start(folder / "log")
    server.stop()
    (server.data / "postgresql.conf").write_text("no such setting = x\n")
    with pytest.raises(LocalError, match="read the end of"):
        server.start(folder / "log")
    assert "contains errors" in (folder / "log").read_text()


def test_the_socket_folder_of_somebody_else_is_not_used(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("f" * 60)
    deep.mkdir(parents=True)
    server = EmbeddedPostgres(deep / "data", settings={"fsync": "off"})
    link = server.socket_folder
    os.symlink(folder, link)
    try:
        with pytest.raises(LocalError, match="belongs to somebody else"):
            server.start(deep / "log")
    finally:
        link.unlink()
