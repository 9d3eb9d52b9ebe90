"""A run in flight: what Airflow says of its tasks, what our tables say of its work, how to disturb it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import psycopg
import yaml
from psycopg.conninfo import make_conninfo

from network_clients.interface import MOST_AT_ONCE
from tests.e2e.airflow_site import ACCOUNT, AirflowSite

#: A second account of the same publisher.
SECOND = "admitad_shop2"
#: Where the sandbox's Admitad lists purchases.
PURCHASES = "/statistics/actions/"
#: How long a log may stay open once its work has ended (law 10), in seconds.
SETTLE_SECONDS = 120.0
#: How many pages a read that is broken off asks for again at most, where each page takes longer than a batch
#: waits: those in flight, one that was answered and not stored yet, and one of overlap.
BROKEN_OFF = MOST_AT_ONCE + 2

_OPEN = ("pending", "processing")


class Flight:
    """One run of a schedule.

    Tasks go by their id, mapped ones with their index: ``open_run``, ``admitad.sync[0]``.
    """

    def __init__(self, site: AirflowSite, key: str) -> None:
        self.site = site
        self.key = key
        self.dag_id = f"sync__{key}"
        self.run_id = site.begin(self.dag_id)
        self.path = f"/dags/{self.dag_id}/dagRuns/{self.run_id}"

    # What Airflow says.

    @property
    def state(self) -> str:
        return str(self.site.call("GET", self.path)["state"])

    def tasks(self) -> dict[str, dict[str, Any]]:
        found = self.site.call("GET", f"{self.path}/taskInstances")["task_instances"]
        return {_name_of(task): task for task in found}

    def states(self) -> dict[str, str | None]:
        return {name: task["state"] for name, task in self.tasks().items()}

    def processes(self) -> list[psutil.Process]:
        """What still works for this run: its tasks' processes and those that watch over them."""
        ids = [task["id"] for task in self.tasks().values()]
        return [process for process, title in self.site.processes() if any(i in title for i in ids)]

    # What our tables say.

    def stored(self) -> dict[str, Any]:
        """The run as ``open_run`` stored it."""
        (run,) = self.site.rows(
            "SELECT * FROM data_sync.sync_runs WHERE dag_id = %s AND run_id = %s", self.dag_id, self.run_id
        )
        return run

    def log(self, account: str = ACCOUNT) -> dict[str, Any]:
        return self.site.logs_of(self.run_id)[account]

    def steps(self, account: str = ACCOUNT) -> list[dict[str, Any]]:
        return self.site.rows(
            "SELECT s.* FROM data_sync.sync_log_steps s JOIN data_sync.sync_logs l ON l.id = s.log_id "
            "JOIN data_sync.sync_runs r ON r.id = l.sync_run "
            "WHERE r.dag_id = %s AND r.run_id = %s AND l.account = %s ORDER BY s.unit_index",
            self.dag_id,
            self.run_id,
            account,
        )

    def pages(self, account: str = ACCOUNT) -> list[int]:
        """How many pages of each unit are stored."""
        return [step["pages"] for step in self.steps(account)]

    def lease_holder(self) -> str | None:
        """Which run holds the schedule's lease."""
        found = self.site.rows(
            "SELECT r.run_id FROM data_sync.schedule_leases l "
            "JOIN data_sync.sync_runs r ON r.id = l.sync_run WHERE l.schedule_key = %s",
            self.key,
        )
        return found[0]["run_id"] if found else None

    def claims(self) -> int:
        """How many runs of the day the schedule has used."""
        found = self.site.rows(
            "SELECT count(*) FROM data_sync.sync_runs WHERE schedule_key = %s AND guard = 'claimed'", self.key
        )
        return int(found[0]["count"])

    # What a test waits for.

    def until(self, condition: Callable[[], object], what: str, seconds: float = 60) -> None:
        self.site.until(condition, f"{what} ({self.key}, {self.run_id})", seconds)

    def until_reading(self, *accounts: str, pages: int = 1) -> None:
        """Wait until every unit of these accounts (one account: the first) has stored so many pages.

        Many pages are asked for at once, and the next one in order may be answered last: who waits for more
        than a few of them may find them all stored.
        """
        for account in accounts or (ACCOUNT,):
            what = f"{pages} pages of each unit of {account}"
            self.until(lambda a=account: min(self.pages(a), default=0) >= pages, what)

    def until_state(self, task: str, *states: str | None, seconds: float = 60) -> dict[str, Any]:
        """Wait for a task's state and return the task."""
        what = f"{task} to be {' or '.join(map(str, states))}"
        self.until(lambda: self.states().get(task) in states, what, seconds)
        return self.tasks()[task]

    def until_settled(self, seconds: float = SETTLE_SECONDS) -> dict[str, dict[str, Any]]:
        """Wait until no log is open and the run gave its lease up; return the logs by account."""

        def is_settled() -> bool:
            logs = self.site.logs_of(self.run_id).values()
            return bool(logs) and all(log["status"] not in _OPEN for log in logs)

        self.until(is_settled, "its logs to settle", seconds)
        return self.site.logs_of(self.run_id)

    def land(self) -> str:
        """Wait for the end in Airflow and in our logs; return Airflow's state."""
        state = self.site.wait_for_run(self.dag_id, self.run_id)
        self.until_settled()
        return state

    # What a test does to it.

    def process_of(self, task: str) -> psutil.Process:
        """Return the process that runs a task; its parent is the one that watches over it."""
        self.until_state(task, "running")
        running = self.tasks()[task]
        found = psutil.Process(running["pid"])
        assert running["id"] in " ".join(found.cmdline())
        return found

    def kill(self, task: str) -> None:
        """End a task's process as the kernel would when memory runs out."""
        self.process_of(task).kill()

    def kill_supervisor(self, task: str) -> psutil.Process:
        """End the process that watches over a task; return the task's own, which lives on for now."""
        orphan = self.process_of(task)
        supervisor = orphan.parent()
        assert supervisor is not None
        assert "LocalExecutor" in " ".join(supervisor.cmdline())
        os.kill(supervisor.pid, signal.SIGKILL)
        return orphan

    def mark_failed(self) -> None:
        self.site.call("PATCH", self.path, json={"state": "failed"})

    def end(self) -> None:
        """End it if it has not ended, so that it does not stand in the way of the next test."""
        found = self.site.api.get(f"http://127.0.0.1:{self.site.port}/api/v2{self.path}", timeout=60)
        if found.ok and found.json()["state"] in ("queued", "running"):
            self.mark_failed()

    def delete(self) -> None:
        """Delete the run while its tasks work: Airflow deletes no running one, but a queued one."""
        self.site.call("PATCH", self.path, json={"state": "queued"})
        self.site.call("DELETE", self.path)

    def clear(self, *tasks: tuple[str, int]) -> None:
        """Clear mapped tasks; without any, the whole run."""
        if not tasks:
            self.site.call("POST", f"{self.path}/clear", json={"dry_run": False, "only_failed": False})
            return
        body = {"dry_run": False, "only_failed": False, "dag_run_id": self.run_id, "task_ids": tasks}
        self.site.call("POST", f"/dags/{self.dag_id}/clearTaskInstances", json=body)


#: Starts a run of a schedule by its key: the fixture ``start``.
Start = Callable[[str], Flight]


def _name_of(task: dict[str, Any]) -> str:
    return task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"


def slow_pages(site: AirflowSite, seconds: float) -> None:
    """Let each page of purchases take so long, one after the other, until :func:`calm`."""
    fault = {"network": "admitad", "kind": "in_turn", "path": PURCHASES, "seconds": seconds, "count": None}
    site.sandbox("POST", "/faults", json=fault)


def calm(site: AirflowSite) -> None:
    """Let the sandbox behave well again."""
    site.sandbox("DELETE", "/faults")


def asked(site: AirflowSite) -> int:
    """How often the sandbox was asked for a page of purchases."""
    requests = site.sandbox("GET", "/state")["networks"]["admitad"]["requests"]
    return int(requests.get(PURCHASES, 0))


def resize_pool(site: AirflowSite, slots: int) -> None:
    """Let so many tasks read the network at once."""
    if site.call("GET", "/pools/network_admitad")["slots"] == slots:
        return
    body = {"pool": "network_admitad", "slots": slots, "include_deferred": False}
    site.call("PATCH", "/pools/network_admitad", json=body)


def pause(site: AirflowSite, dag_id: str, is_paused: bool = True) -> None:
    site.call("PATCH", f"/dags/{dag_id}", json={"is_paused": is_paused})


def run_upkeep(site: AirflowSite) -> None:
    """Let upkeep look at everything now, not at the next full minute."""
    _, state = site.run("data_sync_upkeep")
    assert state == "success"


@contextmanager
def without_upkeep(site: AirflowSite) -> Iterator[None]:
    """Let nobody settle but the run's own tasks and those of the next run."""
    pause(site, "data_sync_upkeep")
    try:
        yield
    finally:
        pause(site, "data_sync_upkeep", False)


@contextmanager
def locked(site: AirflowSite, statement: str, *values: object, database: str = "data_sync") -> Iterator[None]:
    """Hold a lock of one of the two databases, in the way of whoever needs it."""
    with psycopg.connect(make_conninfo(site.conninfo, dbname=database)) as connection:
        connection.execute(statement, values)
        yield


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def edit_schedule(site: AirflowSite, key: str, changes: dict[str, Any] | None) -> dict[str, Any]:
    """Change an entry of schedules.yaml, or take it out, as an editor saves: a new file in one step.

    :return: the entry as it was.
    """
    written = yaml.safe_load(site.schedules.read_text())
    before = written["schedules"].pop(key, {})
    if changes is not None:
        written["schedules"][key] = before | changes
    draft = site.schedules.with_suffix(".new")
    draft.write_text(yaml.safe_dump(written, sort_keys=False))
    draft.replace(site.schedules)
    return dict(before)


def require_true_counts(flight: Flight, account: str = ACCOUNT) -> dict[str, int]:
    """Check the purchases' counts of a log against the rows that it wrote; return them."""
    log = flight.log(account)
    counts: dict[str, int] = log["counts"]["purchases"]
    parts = ("inserted", "updated", "unchanged", "outdated", "rejected")
    assert counts["read"] == sum(counts[part] for part in parts), counts
    written = flight.site.rows(
        "SELECT count(*) FROM data_sync.purchases WHERE log_id = %s AND vanished_at IS NULL", log["id"]
    )
    assert written[0]["count"] == counts["inserted"] + counts["updated"]
    return counts


def require_all_rows(flight: Flight, account: str = ACCOUNT) -> None:
    """Check the rows of a run's days, and their sums, against what the network has."""
    stored = flight.stored()
    days = str(stored["first_day"]), str(stored["last_day"])
    there = flight.site.sandbox_totals(*days)
    assert there, "the network has no row of these days, so nothing would be shown"
    assert flight.site.table_totals(*days, account) == there


def doubled_changes(site: AirflowSite) -> list[tuple[str, int]]:
    """Return purchases with more than one change in the history of one log: there must be none."""
    found = site.rows("SELECT key, log_id FROM data_sync.purchase_changes")
    changes = Counter((row["key"], row["log_id"]) for row in found)
    return [pair for pair, times in changes.items() if times > 1]
