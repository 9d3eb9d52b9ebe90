"""``data-sync status``: how the installation stands, and what is set wrongly."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from data_sync.checkup import Report, make_report
from data_sync.checkup.workers import note_on_workers
from data_sync.cli.output import as_json, show
from data_sync.database import Database


@click.command()
@as_json
@click.pass_context
def status(context: click.Context, json_wanted: bool) -> None:
    """Show how Airflow and our database stand, and what is set wrongly, each with its fix.

    Options are those that this shell sees: run it where the scheduler runs. Exits 1 when something is wrong
    that keeps syncs from running; a part that cannot be read says why.
    """
    found = make_report(Database())
    if json_wanted:
        values = {**dataclasses.asdict(found), "is_sound": found.is_sound}
        click.echo(json.dumps(values, default=_plain, indent=2))
    else:
        parts = [{"part": part, "what": what} for part, what in _parts(found)]
        show(parts, json_wanted=False, empty="")
        click.echo()
        rows = [
            {"severity": advice.severity.value, "problem": f"{advice.message} {advice.fix}"}
            for advice in found.advice
        ]
        show(rows, json_wanted=False, empty="Nothing is wrong with the settings that this shell sees.")
    if not found.is_sound:
        context.exit(1)


def _parts(found: Report) -> Iterator[tuple[str, str]]:
    versions = found.versions
    yield "versions", f"{versions.data_sync} on Airflow {versions.airflow}, Python {versions.python}"
    if tables := found.tables:
        yield "database", f"tables at revision {tables.revision}, PostgreSQL {tables.server_version}"
        yield "schedules", f"{tables.schedules}, {tables.schedules_with_problems} with problems"
        yield "open runs", str(tables.open_runs)
    if metadata := found.airflow_database:
        yield "Airflow's database", f"revision {metadata.revision}, PostgreSQL {metadata.server_version}"
    for service in found.services or ():
        yield (
            service.name,
            f"{service.health}, {service.alive} alive, heard of {_ago(found, service.heartbeat)}",
        )
    yield "executor", ", ".join(found.executors)
    if workers := found.workers:
        note = note_on_workers(found.executors)
        yield "workers", f"{workers.health}, {workers.running} tasks run. {note}"
    if queue := found.queue:
        yield "queue", f"{queue.scheduled} scheduled, {queue.queued} queued, {queue.running} running"
    for name, pool in sorted((found.pools or {}).items()):
        slots = "any number of" if pool.slots < 0 else pool.slots
        yield name, f"{pool.running} running and {pool.queued} queued of {slots} slots"
    for dag in found.own_dags or ():
        yield dag.dag_id, f"{dag.state}, newest run due {_ago(found, dag.last_run_at)}"
    for part, reason in found.unreadable.items():
        yield part.replace("_", " "), f"not known: {reason}"


def _ago(found: Report, moment: datetime | None) -> str:
    if moment is None:
        return "never"
    return f"{max(0, round((found.checked_at - moment).total_seconds()))} s ago"


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
