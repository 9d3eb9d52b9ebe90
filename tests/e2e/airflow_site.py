"""A whole Airflow for tests, started as a user would start it, and what tests ask of it."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import psycopg
import requests
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

CHECKOUT = Path(__file__).resolve().parents[2]
ACCOUNT = "admitad_default"
_START_SECONDS = 240
_RUN_SECONDS = 240


def conninfo_of(env: dict[str, str]) -> str:
    """The address of our database, as psycopg takes it, of Airflow's own form of it."""
    text = subprocess.run(
        [
            sys.executable,
            "-c",
            "from data_sync.database import connect; c = connect(); print(c.info.dsn); c.close()",
        ],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = conninfo_to_dict(text.strip().splitlines()[-1])
    return " ".join(f"{key}='{value}'" for key, value in found.items())


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder outside pytest's own, which another pytest that starts would close to Postgres's user."""
    with tempfile.TemporaryDirectory(prefix="data-sync-test-") as name:
        yield Path(name)


@dataclass
class Canary:
    """Credentials that must never be seen anywhere outside Airflow's encrypted connections.

    :param login: with ``secret``, of Admitad.
    :param key: of Boostiny.
    :param wrong_key: one that Boostiny refuses.
    """

    login: str
    secret: str
    key: str
    wrong_key: str

    @classmethod
    def make(cls) -> Canary:
        names = ("canary-id", "canary-secret", "canary-key", "canary-wrong-key")
        return cls(*(f"{name}-{secrets.token_hex(16)}" for name in names))

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that no one may see."""
        return self.secret, self.key, self.wrong_key


class AirflowSite:
    """The running services; ``api`` is logged in as the admin.

    :param ports: of Airflow and of the sandbox.
    :param clock: where the sandbox's clock stands.
    :param schedules: the name of the schedules file beside this module; a copy of it is used.
    """

    def __init__(
        self,
        folder: Path,
        ports: tuple[int, int],
        canary: Canary,
        clock: str,
        *,
        schedules: str = "schedules.yaml",
        rows_per_day: int = 90,
    ) -> None:
        self.home = folder / "home"
        self.schedules = folder / "schedules.yaml"
        shutil.copyfile(Path(__file__).with_name(schedules), self.schedules)
        self.port, self.sandbox_port = ports
        self.canary = canary
        settings = folder / "sandbox.json"
        apps = [{"client_id": canary.login, "secret": canary.secret}]
        settings.write_text(
            json.dumps(
                {
                    "now": clock,
                    "rows_per_day": rows_per_day,
                    "options": {"admitad": {"apps": apps}, "boostiny": {"keys": [canary.key]}},
                }
            )
        )
        self.output = folder / "serve.log"
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "data_sync.local", "serve", "--home", str(self.home)),
                *("--port", str(self.port), "--sandbox-port", str(self.sandbox_port)),
                *("--schedules", str(self.schedules)),
                f"--sandbox-option=--settings={settings}",
            ],
            stdout=self.output.open("w"),
            stderr=subprocess.STDOUT,
            cwd=CHECKOUT,
        )
        self.env = self._wait_for_environment()
        self.conninfo = conninfo_of(self.env)
        self.api = requests.Session()
        self.api.trust_env = False
        self.api.headers["Authorization"] = f"Bearer {self.env['AIRFLOW__DATA_SYNC__API_TOKEN']}"

    def _wait_for_environment(self) -> dict[str, str]:
        deadline = time.monotonic() + _START_SECONDS
        written = self.home / "env"
        while not written.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Airflow did not start:\n{self.output.read_text()[-2000:]}")
            time.sleep(0.5)
        lines = subprocess.run(
            ["bash", "-c", f"set -a; . {shlex.quote(str(written))}; env -0"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return os.environ | dict(line.split("=", 1) for line in lines.split("\0") if "=" in line)

    def stop(self) -> None:
        """End everything, as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=60)

    def call(self, method: str, path: str, **more: Any) -> Any:
        """Call Airflow's public REST API and return its JSON."""
        url = f"http://127.0.0.1:{self.port}/api/v2{path}"
        answer = self.api.request(method, url, timeout=60, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:400]}"
        return answer.json() if answer.content else None

    def sandbox(self, method: str, path: str, **more: Any) -> Any:
        """Call the sandbox's admin path."""
        url = f"http://127.0.0.1:{self.sandbox_port}/_admin{path}"
        answer = requests.request(method, url, timeout=60, **more)
        assert answer.ok, answer.text[:400]
        return answer.json() if answer.content else None

    def command(self, *words: str) -> str:
        """Run a command of the virtual environment and return what it printed."""
        done = subprocess.run(
            [str(Path(sys.executable).parent / words[0]), *words[1:]],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Ask our database."""
        with psycopg.connect(self.conninfo, row_factory=dict_row) as connection:
            return connection.execute(statement, values).fetchall()

    def change(self, statement: str, *values: Any, database: str = "data_sync") -> int:
        """Change rows of one of the two databases; return how many."""
        with psycopg.connect(make_conninfo(self.conninfo, dbname=database)) as connection:
            return connection.execute(statement, values).rowcount

    def clock(self) -> datetime:
        """Return the database's time."""
        found: datetime = self.rows("SELECT clock_timestamp() AS now")[0]["now"]
        return found

    def processes(self) -> Iterator[tuple[psutil.Process, str]]:
        """Go through every living process below this site, each with its command line or title."""
        for process in psutil.Process(self._process.pid).children(recursive=True):
            try:
                yield process, " ".join(process.cmdline())
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue

    def wait_for_dag(self, dag_id: str) -> None:
        """Wait until Airflow knows a DAG."""
        self.until(
            lambda: self.api.get(f"http://127.0.0.1:{self.port}/api/v2/dags/{dag_id}", timeout=60).ok,
            f"the DAG {dag_id}",
        )

    def begin(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run and return its id."""
        self.wait_for_dag(dag_id)
        body = {"logical_date": None, "conf": conf or {}}
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, conf: dict[str, Any] | None = None) -> tuple[str, str]:
        """Start a run, wait for its end, and return its id and state."""
        run_id = self.begin(dag_id, conf)
        return run_id, self.wait_for_run(dag_id, run_id)

    def wait_for_run(self, dag_id: str, run_id: str) -> str:
        """Wait for the end of a run and return its state."""
        found = {}

        def ended() -> bool:
            found.update(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))
            return found["state"] in ("success", "failed")

        self.until(ended, f"the end of {run_id}")
        return str(found["state"])

    def until(self, condition: Callable[[], object], what: str, seconds: float = _RUN_SECONDS) -> None:
        """Wait until something holds; fail when it does not in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
            time.sleep(0.3)

    def logs_of(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the logs of a run by account."""
        found = self.rows(
            "SELECT l.* FROM data_sync.sync_logs l JOIN data_sync.sync_runs r ON r.id = l.sync_run "
            "WHERE r.run_id = %s",
            run_id,
        )
        return {log["account"]: log for log in found}

    def table_totals(
        self, first: str, last: str, account: str = ACCOUNT
    ) -> dict[str, dict[str, tuple[int, Decimal, Decimal]]]:
        """Sum the purchases as the sandbox sums its world: per status word, paid ones apart."""
        found = self.rows(
            """
            SELECT CASE WHEN status = 'paid' THEN 'paid' ELSE status_word END AS word,
                commission_currency AS currency, count(*) AS rows, sum(commission) AS payment,
                COALESCE(sum(sale_amount), 0) AS cart
            FROM data_sync.purchases
            WHERE account = %s AND day BETWEEN %s AND %s AND vanished_at IS NULL GROUP BY 1, 2
            """,
            account,
            first,
            last,
        )
        sums: dict[str, dict[str, tuple[int, Decimal, Decimal]]] = {}
        for row in found:
            amounts = (row["rows"], row["payment"], row["cart"])
            sums.setdefault(row["word"], {})[row["currency"]] = amounts
        return sums

    def sandbox_totals(self, first: str, last: str) -> dict[str, dict[str, tuple[int, Decimal, Decimal]]]:
        """Return the sandbox's own sums, in the same form."""
        told = self.sandbox("GET", "/totals/admitad", params={"from": first, "to": last})
        return {
            word: {
                currency: (sums["rows"], Decimal(sums["payment"]), Decimal(sums["cart"]))
                for currency, sums in currencies.items()
            }
            for word, currencies in told["statuses"].items()
        }
