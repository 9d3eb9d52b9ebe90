"""The story that ``make demo`` tells, chapter by chapter, and whether all of it is right.

A first sync of all networks; a second one that doubles nothing; a schedule that its daily maximum stops; a
backfill whose task is killed and goes on. After each, the tables are compared with the sandbox's own totals.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import psycopg
from rich.console import Console
from rich.live import Live

from data_sync.dag.names import QUICK_SYNC, dag_id_of
from data_sync.local import report, totals
from data_sync.local.errors import LocalError
from data_sync.local.home import ADMIN
from data_sync.local.sandbox import SandboxAdmin
from data_sync.local.settings import DATABASE
from data_sync.local.stack import Stack
from data_sync.local.sync import KindProgress, SyncReport, SyncRunner
from network_clients import registry

_DAYS = "last_30_days"

#: Schedules of ``config/schedules.yaml`` that the story uses; it skips a chapter whose schedule is gone.
_GUARDED = "admitad-yesterday"
_BACKFILLED = "all-yesterday"

#: Long ago enough that the first sync has not read these days.
_BACKFILL_AGE = timedelta(days=60)

#: Each page takes this long (seconds) while a task is to be killed in the middle of its read.
_SLOW_PAGE = 4.0


def tell(stack: Stack, console: Console) -> bool:
    """Tell the whole story.

    :returns: whether all rows and amounts are right.
    :raises LocalError: when a run cannot be started or followed.
    """
    sandbox = SandboxAdmin(stack.layout.sandbox_url)
    sandbox.hold_clock()
    with psycopg.connect(stack.postgres.url(DATABASE), autocommit=True) as database:
        runner = SyncRunner(stack.api, database, stack.require_alive)
        runner.wait_for(QUICK_SYNC)
        story = Story(stack, console, sandbox, database, runner)
        story.first_and_second_sync()
        story.daily_maximum()
        story.killed_backfill()
        story.conclude()
    sandbox.release_clock()
    return not story.problems


def show_way_in(stack: Stack, console: Console) -> None:
    """Print the address and the login, and how the commands reach this set-up."""
    console.print(f"\nAirflow:  {stack.layout.url}   user {ADMIN}   password {stack.secrets.admin_password}")
    console.print(f"Sandbox:  {stack.layout.sandbox_url}")
    console.print(
        f"In another terminal:  . {stack.layout.home.environment} && .venv/bin/data-sync logs", soft_wrap=True
    )
    console.print("Ctrl-C ends everything; the data stays for the next start.")


@dataclass
class Story:
    """The chapters, and what was found to be wrong so far."""

    stack: Stack
    console: Console
    sandbox: SandboxAdmin
    database: psycopg.Connection[Any]
    runner: SyncRunner
    problems: list[str] = field(default_factory=list)

    def first_and_second_sync(self) -> None:
        """Sync everything twice: the second time, nothing is new."""
        networks = registry.all_networks()
        conf: dict[str, Any] = {"networks": list(networks), "sync_type": "all", "date_range": _DAYS}
        self.console.print("\n[bold]First sync:[/] campaigns, coupons and the purchases of the last 30 days")
        first = self._follow(QUICK_SYNC, conf)
        self.console.print(report.came_in(first))
        self._note_failures(first)
        for slug in networks:
            self.console.print(report.money(slug, self._compare(slug, first.first, first.last)))
        self.console.print("\n[bold]Second sync[/] of the same days")
        second = self._follow(QUICK_SYNC, conf)
        self._note_failures(second)
        if second.total("inserted") or second.total("updated"):
            self.problems.append("The second sync has written rows, although nothing had changed.")
        self.console.print(
            f"{second.total('read'):,} rows read again in {second.seconds:.1f} s: "
            f"{second.total('inserted')} new, {second.total('updated')} changed."
        )

    def daily_maximum(self) -> None:
        """Run a schedule until its ``max_runs_per_day`` refuses a run."""
        if (most := self._maximum_of(_GUARDED)) is None:
            return
        self.console.print(f"\n[bold]max_runs_per_day:[/] the schedule {_GUARDED} may run {most} times a day")
        self.runner.wait_for(dag_id_of(_GUARDED))
        for number in range(1, most + 2):
            found = self._follow(dag_id_of(_GUARDED), {})
            if found.refusal:
                self.console.print(f"Run {number}: refused. {found.refusal}", soft_wrap=True)
                return
            self._note_failures(found)
            self.console.print(f"Run {number}: {found.total('read')} rows read.")
        self.problems.append(f"{_GUARDED} has run {most + 1} times, although it may run {most} times a day.")

    def killed_backfill(self) -> None:
        """Read three past days again, and kill a task of it in the middle."""
        if self._maximum_of(_BACKFILLED) is None:
            return
        last = self._today() - _BACKFILL_AGE
        first = last - timedelta(days=2)
        self.console.print(f"\n[bold]Backfill[/] of {_BACKFILLED}, {first} to {last}; one task is killed")
        self.runner.wait_for(dag_id_of(_BACKFILLED))
        days = {"date_range": "custom", "from": str(first), "to": str(last)}
        self.sandbox.slow_down("admitad", _SLOW_PAGE)
        run_id = self.runner.start(QUICK_SYNC, {"schedule": _BACKFILLED, **days})
        killer = _Killer(self, run_id)
        found = self._watch(QUICK_SYNC, run_id, killer.look)
        self._note_failures(found)
        self.console.print(
            f"{killer.said} {found.total('read')} rows read after {found.tries} tries, in "
            f"{found.seconds:.1f} s.",
            soft_wrap=True,
        )
        if not killer.said or found.tries < 2:
            self.problems.append("No task could be killed, so nothing was shown to recover.")
        for slug in registry.all_networks():
            self._compare(slug, first, last)

    def conclude(self) -> None:
        """Say whether all was right."""
        self.console.print()
        if not self.problems:
            self.console.print("[green]Right:[/] every row and every amount equals the sandbox's own totals.")
        for problem in self.problems:
            self.console.print("[red]Wrong:[/]", problem, soft_wrap=True)

    def _compare(self, slug: str, first: date, last: date) -> totals.Totals:
        expected = totals.of_sandbox(self.sandbox.totals(slug, first, last), registry.facts_of(slug))
        found = totals.of_tables(self.database, f"{slug}_default", first, last)
        self.problems += [f"{slug}, {text}" for text in totals.differences(expected, found)]
        return found

    def _follow(self, dag_id: str, conf: dict[str, Any]) -> SyncReport:
        return self._watch(dag_id, self.runner.start(dag_id, conf), lambda: None)

    def _watch(self, dag_id: str, run_id: str, look: Callable[[], None]) -> SyncReport:
        with Live(console=self.console, refresh_per_second=4, transient=True) as live:

            def show(kinds: Sequence[KindProgress]) -> None:
                look()
                live.update(report.progress(kinds))

            return self.runner.follow(dag_id, run_id, show)

    def _note_failures(self, found: SyncReport) -> None:
        if found.state == "success":
            return
        if not found.failures:
            raise LocalError("The sync failed before it read anything: look at its run in Airflow's logs.")
        self.problems += found.failures

    def _maximum_of(self, key: str) -> int | None:
        row = self.database.execute(
            "SELECT (definition ->> 'max_runs_per_day')::integer FROM data_sync.sync_schedules "
            "WHERE key = %s AND deleted_at IS NULL",
            [key],
        ).fetchone()
        if row is None or row[0] is None:
            self.console.print(f"\nconfig/schedules.yaml has no schedule {key} any more: skipped.")
            return None
        return int(row[0])

    def _today(self) -> date:
        found = self.database.execute("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date").fetchall()
        day: date = found[0][0]
        return day


class _Killer:
    """Kills the process of a running sync task, once, as the kernel does when memory runs out."""

    def __init__(self, story: Story, run_id: str) -> None:
        self._story = story
        self._run_id = run_id
        self.said = ""

    def look(self) -> None:
        """Kill the task that reads Admitad once it has taken its unit, in the middle of the first page."""
        if self.said or not self._story.runner.is_reading(QUICK_SYNC, self._run_id, "admitad_default"):
            return
        for task in self._story.stack.api.task_instances(QUICK_SYNC, self._run_id):
            if task["task_id"] == "admitad.sync" and task["state"] == "running" and task["pid"]:
                os.kill(task["pid"], signal.SIGKILL)
                self.said = f"Killed the process of {task['task_id']} (kill -9); Airflow started it again."
                self._story.sandbox.behave_again()
                return
