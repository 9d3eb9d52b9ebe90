"""``data-sync validate`` and ``data-sync schedules``."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from data_sync import catalogue
from data_sync.cli.output import as_json, open_database, show
from data_sync.schedules.model import Schedule
from data_sync.schedules.timing import next_runs
from data_sync.schedules.validate import validate_file
from network_clients import registry


@click.command()
@click.argument("path", default="config/schedules.yaml", type=click.Path(path_type=Path))
@click.pass_context
def validate(context: click.Context, path: Path) -> None:
    """Check a file of schedules without Airflow or Postgres; exits 1 when something is wrong.

    Whether the accounts exist is not checked here: that is known to Airflow alone.
    """
    problems = validate_file(path, registry.all_networks())
    for problem in problems:
        click.echo(str(problem))
    if problems:
        context.exit(1)
    click.echo(f"{path}: fine. Accounts are not checked here; a run says so when one is missing.")


@click.command()
@as_json
def schedules(json_wanted: bool) -> None:
    """List every schedule: what it reads, when it runs next, and its problems."""
    db = open_database()
    with db.transaction() as cursor:
        stored = catalogue.list_schedules(cursor)
        cursor.execute(
            """
            SELECT DISTINCT ON (schedule_key) schedule_key, status, created_at FROM data_sync.sync_logs
            WHERE schedule_key IS NOT NULL ORDER BY schedule_key, id DESC
            """
        )
        last = {row["schedule_key"]: row for row in cursor}
    now = datetime.now(UTC)
    rows = []
    for entry in stored:
        schedule = entry.schedule
        rows.append(
            {
                "key": entry.key,
                "source": entry.source,
                "reads": schedule.sync_type.value,
                "days": schedule.date_range.value,
                "networks": [str(ref) for ref in schedule.networks],
                "next_run": _next_run(schedule, now),
                "last_run": last.get(entry.key, {}).get("created_at"),
                "last_status": last.get(entry.key, {}).get("status"),
                "problems": entry.all_problems,
            }
        )
    empty = "There are no schedules yet. Write some into config/schedules.yaml; the dag-processor reads it."
    show(rows, json_wanted=json_wanted, empty=empty)


def _next_run(schedule: Schedule, now: datetime) -> datetime | None:
    """Return when a schedule runs next by itself; ``None`` for one that is inactive or over."""
    if not schedule.active:
        return None
    zone = ZoneInfo(schedule.timezone)
    if schedule.start_date is not None:
        # A tick at the very start of the first day counts.
        first = datetime.combine(schedule.start_date, time.min, zone) - timedelta(microseconds=1)
        now = max(now, first.astimezone(UTC))
    tick = next_runs(schedule.when, now, 1)[0]
    over = schedule.end_date is not None and tick.astimezone(zone).date() > schedule.end_date
    return None if over else tick
