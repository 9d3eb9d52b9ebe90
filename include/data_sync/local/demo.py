"""The story that ``make demo`` tells: a first sync, a second one that doubles nothing, and the proof."""

from __future__ import annotations

from typing import Any

import psycopg
from rich.console import Console
from rich.live import Live

from data_sync.dag.names import QUICK_SYNC
from data_sync.local import report, totals
from data_sync.local.errors import LocalError
from data_sync.local.home import ADMIN
from data_sync.local.sandbox import SandboxAdmin
from data_sync.local.settings import DATABASE
from data_sync.local.stack import Stack
from data_sync.local.sync import SyncReport, SyncRunner
from network_clients import registry

_DAYS = "last_30_days"


def tell(stack: Stack, console: Console) -> bool:
    """Sync twice and compare with the sandbox's own totals.

    :returns: whether all rows and amounts are right.
    :raises LocalError: when a run cannot be started or followed.
    """
    sandbox = SandboxAdmin(stack.layout.sandbox_url)
    networks = registry.all_networks()
    conf: dict[str, Any] = {"networks": list(networks), "sync_type": "all", "date_range": _DAYS}
    sandbox.hold_clock()
    with psycopg.connect(stack.postgres.url(DATABASE), autocommit=True) as database:
        runner = SyncRunner(stack.api, database, stack.require_alive)
        runner.wait_for(QUICK_SYNC)
        console.print("\nFirst sync: campaigns, coupons and the purchases of the last 30 days")
        first = _follow(runner, conf, console)
        console.print(report.came_in(first))
        problems = _problems(first)
        for slug in networks:
            expected = totals.of_sandbox(
                sandbox.totals(slug, first.first, first.last), registry.facts_of(slug)
            )
            found = totals.of_tables(database, f"{slug}_default", first.first, first.last)
            console.print(report.money(slug, found))
            problems += totals.differences(expected, found)
        console.print("\nSecond sync of the same days")
        second = _follow(runner, conf, console)
    problems += _problems(second)
    if second.total("inserted") or second.total("updated"):
        problems.append("The second sync has written rows, although nothing had changed.")
    _conclude(console, second, problems)
    sandbox.release_clock()
    return not problems


def show_way_in(stack: Stack, console: Console) -> None:
    """Print the address and the login, and how the commands reach this set-up."""
    console.print(f"\nAirflow:  {stack.layout.url}   user {ADMIN}   password {stack.secrets.admin_password}")
    console.print(f"Sandbox:  {stack.layout.sandbox_url}")
    console.print(
        f"In another terminal:  . {stack.layout.home.environment} && .venv/bin/data-sync logs", soft_wrap=True
    )
    console.print("Ctrl-C ends everything; the data stays for the next start.")


def _follow(runner: SyncRunner, conf: dict[str, Any], console: Console) -> SyncReport:
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        return runner.run(QUICK_SYNC, conf, lambda kinds: live.update(report.progress(kinds)))


def _problems(found: SyncReport) -> list[str]:
    if found.state == "success":
        return []
    if not found.failures:
        raise LocalError("The sync failed before it read anything: look at its run in Airflow's logs.")
    return list(found.failures)


def _conclude(console: Console, second: SyncReport, problems: list[str]) -> None:
    console.print(
        f"{second.total('read'):,} rows read again in {second.seconds:.1f} s: "
        f"{second.total('inserted')} new, {second.total('updated')} changed."
    )
    if not problems:
        console.print("[green]Right:[/] every row and every amount equals the sandbox's own totals.")
    for problem in problems:
        console.print("[red]Wrong:[/]", problem, soft_wrap=True)
