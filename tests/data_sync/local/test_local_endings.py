"""The long proofs of `make demo`: it is right, and no process of it outlives any kind of end."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from data_sync.local.home import Home
from data_sync.local.postgres import EmbeddedPostgres
from tests.data_sync.local.machine import command, left_behind, wait_until

pytestmark = [pytest.mark.prove, pytest.mark.airflow, pytest.mark.timeout(900)]

#: Airflow needs half a minute on an idle machine with two cores.
START_SECONDS = 300
END_SECONDS = 120


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """One folder for all: each start finds what the end before has left."""
    with tempfile.TemporaryDirectory(prefix="data-sync-test-") as name:
        yield Path(name) / "home"


class Machine:
    """A running `serve`, in a terminal of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "env").unlink(missing_ok=True)
        self.terminal, other_end = pty.openpty()
        self.supervisor = subprocess.Popen(
            [sys.executable, "-c", _IN_TERMINAL, *command("serve", home)],
            stdin=other_end,
            stdout=other_end,
            stderr=other_end,
            start_new_session=True,
        )
        os.close(other_end)

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.supervisor.poll() is None, "it ended while it started"
            return (self.home / "env").exists()

        wait_until(ready, START_SECONDS, "the start")

    @property
    def inside(self) -> psutil.Process:
        (child,) = psutil.Process(self.supervisor.pid).children()
        return child

    def wait_until_ended(self) -> int:
        code = self.supervisor.wait(END_SECONDS)
        wait_until(lambda: not left_behind(self.home), END_SECONDS, "the end of all processes")
        os.close(self.terminal)
        return code


#: Makes the pseudo-terminal the controlling one, so that a typed Ctrl-C becomes a signal.
_IN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def machine(home: Path) -> Iterator[Machine]:
    home.mkdir(exist_ok=True)
    found = Machine(home)
    yield found
    if found.supervisor.poll() is None:
        found.supervisor.terminate()
        found.supervisor.wait(END_SECONDS)


def press_ctrl_c(machine: Machine) -> None:
    os.write(machine.terminal, b"\x03")


def terminate(machine: Machine) -> None:
    machine.supervisor.terminate()


def close_terminal(machine: Machine) -> None:
    machine.supervisor.send_signal(signal.SIGHUP)


def kill_supervisor(machine: Machine) -> None:
    machine.supervisor.kill()


def kill_inside(machine: Machine) -> None:
    machine.inside.kill()


def kill_both(machine: Machine) -> None:
    inside = machine.inside
    machine.supervisor.kill()
    inside.kill()


def kill_scheduler(machine: Machine) -> None:
    for process in machine.inside.children():
        if "scheduler" in process.cmdline():
            process.kill()


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (press_ctrl_c, 0),
        (terminate, 0),
        (close_terminal, 0),
        (kill_supervisor, -signal.SIGKILL),
        (kill_inside, 1),
        (kill_both, -signal.SIGKILL),
        (kill_scheduler, 1),
    ],
)
def test_nothing_is_left_when_it_ends_while_it_serves(
    machine: Machine, end: Callable[[Machine], None], code: int
) -> None:
    machine.wait_until_ready()
    assert len(left_behind(machine.home)) > 5
    end(machine)
    assert machine.wait_until_ended() == code


def test_nothing_is_left_when_it_is_stopped_while_it_starts(machine: Machine) -> None:
    database_setup = machine.home / "logs" / "database-setup.log"
    written = database_setup.stat().st_mtime if database_setup.exists() else 0
    wait_until(lambda: database_setup.exists() and database_setup.stat().st_mtime > written, 60, "the set-up")
    press_ctrl_c(machine)
    assert machine.wait_until_ended() == 130


def test_demo_once_is_right_and_sees_a_wrong_amount(home: Path) -> None:
    done = subprocess.run(command("demo-once", home), capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 new, 0 changed" in done.stdout
    assert "every amount equals" in done.stdout
    assert left_behind(home) == []

    spoil_one_amount(home)
    done = subprocess.run(command("demo-once", home), capture_output=True, text=True, timeout=400)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Wrong:" in done.stdout
    assert left_behind(home) == []


def spoil_one_amount(home: Path) -> None:
    """Have one row hold another amount, whatever is written to it: only the sums can show it."""
    server = EmbeddedPostgres(Home(home).postgres)
    server.start(home / "logs" / "postgres.log")
    with psycopg.connect(server.url("data_sync")) as connection:
        (key,) = connection.execute(
            "SELECT key FROM data_sync.purchases WHERE vanished_at IS NULL AND commission IS NOT NULL "
            "AND day = current_date - 5 ORDER BY key LIMIT 1"
        ).fetchone() or (None,)
        connection.execute(
            "CREATE FUNCTION public.spoil() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN NEW.commission := 0.0001; RETURN NEW; END'"
        )
        connection.execute(
            "CREATE TRIGGER spoil BEFORE UPDATE ON data_sync.purchases FOR EACH ROW "
            f"WHEN (OLD.key = '{key}') EXECUTE FUNCTION public.spoil()"
        )
        spoiled = connection.execute(
            "UPDATE data_sync.purchases SET commission = 0.0001 WHERE key = %s", [key]
        )
    server.stop()
    assert spoiled.rowcount == 1
