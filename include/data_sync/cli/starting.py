"""``data-sync backfill``, ``retry``, ``cancel``: reading past days again, and what failed; ending what runs.

All go through REST APIs of Airflow's api-server, so that its permissions apply: runs of ``quick_sync`` are
started through Airflow's own, which keeps them in its audit log, and logs are cancelled through ours.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from data_sync import catalogue
from data_sync.airflow_api import AirflowApi, read
from data_sync.cli.output import open_database, show
from data_sync.dag.names import QUICK_SYNC
from data_sync.errors import ConfigError
from data_sync.runs.lookup import find_run
from data_sync.runs.retrying import failed_logs, find_failed_log
from data_sync.schedules.words import SyncType

_DAY = click.DateTime(["%Y-%m-%d"])

wait_option = click.option(
    "--wait/--no-wait", default=False, help="Wait for the end, and fail if a run fails."
)


@click.command()
@click.argument("key")
@click.option("--from", "first", type=_DAY, required=True, help="First day, in the schedule's zone.")
@click.option("--to", "last", type=_DAY, required=True, help="Last day, inclusive.")
@wait_option
@click.pass_context
def backfill(context: click.Context, key: str, first: datetime, last: datetime, wait: bool) -> None:
    """Read past days again for the schedule KEY, as one run that is cut into windows.

    Works for every schedule, also a paused or inactive one. Purchases only: campaigns and coupons have no
    past. It waits until a run of the schedule that is going has ended.
    """
    with open_database().transaction() as cursor:
        entry = catalogue.find(cursor, key)
    if entry is None:
        raise ConfigError(f"There is no schedule {key!r}. `data-sync schedules` lists the keys.")
    if entry.schedule.sync_type not in (SyncType.ALL, SyncType.PURCHASES):
        raise ConfigError(
            f"The schedule {key} reads {entry.schedule.sync_type.value} only, which have no past days: "
            "name a schedule that reads purchases."
        )
    if last < first:
        raise ConfigError(f"The last day {last:%Y-%m-%d} lies before the first, {first:%Y-%m-%d}: swap them.")
    days = {"date_range": "custom", "from": f"{first:%Y-%m-%d}", "to": f"{last:%Y-%m-%d}"}
    _start(context, [{"schedule": key, **days}], wait=wait)


@click.command()
@click.argument("logs", nargs=-1, type=int, metavar="LOG...")
@click.option("--all-failed", is_flag=True, help="Every failed log that nobody has read again yet.")
@wait_option
@click.pass_context
def retry(context: click.Context, logs: tuple[int, ...], all_failed: bool, wait: bool) -> None:
    """Read again what failed of the logs LOG..., with the definition and the days that they had.

    `data-sync logs --status failed` lists them. What a network refused, such as wrong credentials, fails
    again until it is mended.
    """
    if bool(logs) == all_failed:
        raise ConfigError("Name the logs to read again, as in `data-sync retry 12 13`, or say --all-failed.")
    with open_database().transaction() as cursor:
        wanted = failed_logs(cursor) if all_failed else list(dict.fromkeys(logs))
        for log in wanted:
            find_failed_log(cursor, log)
    if not wanted:
        click.echo("No log has failed without having been read again.")
        return
    _start(context, [{"log": log} for log in wanted], wait=wait)


@click.command()
@click.argument("logs", nargs=-1, type=int, metavar="LOG...", required=True)
@click.pass_context
def cancel(context: click.Context, logs: tuple[int, ...]) -> None:
    """End the logs LOG... while they run: what they have read stays.

    `data-sync logs --status processing` lists them. A unit that is being read ends behind its next batch of
    rows, one that waits or has yet to start at once. Other accounts of the same runs go on. What was
    cancelled can be read another time: `data-sync retry LOG...`.
    """
    api = AirflowApi.from_settings()
    refused = False
    for log in dict.fromkeys(logs):
        answer = api.send("POST", f"/sync/logs/{log}/cancel")
        if answer.status_code in (404, 409):
            # A problem document, whose detail is for people.
            click.echo(f"data-sync: {answer.json()['detail']}", err=True)
            refused = True
            continue
        found = read(answer)
        click.echo(f"Log {log} ends: cancelled by {found['cancel_requested_by']}.")
    if refused:
        context.exit(1)


def _start(context: click.Context, confs: list[dict[str, Any]], *, wait: bool) -> None:
    api = AirflowApi.from_settings()
    runs = []
    for conf in confs:
        run_id = api.trigger_now(QUICK_SYNC, conf)
        runs.append(run_id)
        about = (
            f"log {conf['log']}" if "log" in conf else f"{conf['schedule']}, {conf['from']} to {conf['to']}"
        )
        click.echo(f"Started {run_id} of {QUICK_SYNC}: {about}.")
    if not wait:
        click.echo("Follow it with `data-sync logs`.")
        return
    states = [api.wait_for_run(QUICK_SYNC, run_id, seconds=None) for run_id in runs]
    rows = [row for run_id in runs for row in _outcome(run_id)]
    show(rows, json_wanted=False, empty="No log was made: the log of open_run in Airflow says why.")
    # A run may end well in Airflow although one of its accounts had no task there.
    if set(states) != {"success"} or any(row["status"] in ("failed", "cancelled") for row in rows):
        context.exit(1)


def _outcome(run_id: str) -> list[dict[str, Any]]:
    with open_database().transaction() as cursor:
        run = find_run(cursor, QUICK_SYNC, run_id)
        if run is None:
            return []
        return cursor.execute(
            "SELECT id AS log, account, status, requests, COALESCE(error ->> 'message', reason) AS reason "
            "FROM data_sync.sync_logs WHERE sync_run = %s ORDER BY account",
            [run.id],
        ).fetchall()
