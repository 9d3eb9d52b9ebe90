"""What the proofs with Airflow's own dag-processor do to schedules.yaml, and what they ask its database."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.many import entry, head
from benchmarks.site import Site
from data_sync.dag.names import dag_id_of

ACCOUNTS = ("admitad",)


def text(count: int) -> str:
    """The file of many schedules, each daily."""
    return head(ACCOUNTS) + "".join(entry(number, "interval: 1d") for number in range(count))


def edited(whole: str, *keys: str, at: str) -> str:
    """The file with other times for some schedules, ``at`` in the form ``minute hour``."""
    for key in keys:
        whole = re.sub(rf"^  {key}: .*$", f"  {key}: {{cron: '{at} * * *'}}", whole, flags=re.MULTILINE)
    return whole


def edit(site: Site, *keys: str, at: str) -> None:
    """Save the file with other times for some schedules."""
    site.write(edited(site.file.read_text(), *keys, at=at))


def is_at(site: Site, key: str, at: str) -> bool:
    """Tell whether Airflow has stored these times of a schedule."""
    found = site.rows(
        "SELECT data -> 'dag' ->> 'timetable' FROM serialized_dag WHERE dag_id = %s "
        "ORDER BY created_at DESC LIMIT 1",
        dag_id_of(key),
    )
    return bool(found) and f'"{at} * * *"' in str(found[0][0])


def forms(site: Site) -> dict[str, tuple[Any, ...]]:
    """Every DAG's stored form: its hash, and when it was last written."""
    found = site.rows("SELECT dag_id, dag_hash, last_updated FROM serialized_dag WHERE dag_id LIKE 'sync%%'")
    return {dag_id: (digest, written) for dag_id, digest, written in found}


def changed(site: Site, before: dict[str, tuple[Any, ...]]) -> set[str]:
    """Which DAGs have another stored form than before."""
    return {dag_id for dag_id, form in forms(site).items() if form != before.get(dag_id)}


def versions(site: Site, key: str) -> int:
    """How many versions of a schedule's DAG Airflow keeps."""
    return site.count("SELECT count(*) FROM dag_version WHERE dag_id = %s", dag_id_of(key))


def wait_for_rounds(site: Site, rounds: int, seen: set[int] | None = None) -> None:
    """Wait until every file has been parsed so many times from now on; note how many DAGs there are."""
    for _ in range(rounds):
        (now,) = site.rows("SELECT clock_timestamp()")[0]

        def is_over(now: Any = now) -> bool:
            if seen is not None:
                seen.add(site.current())
            return (
                site.count("SELECT count(*) FROM dag WHERE last_parsed_time <= %s AND NOT is_stale", now) == 0
            )

        site.until(is_over, "a round of all files", 240)


def banner(site: Site) -> str:
    """What Airflow shows as import errors."""
    return "\n".join(row[0] for row in site.rows("SELECT stacktrace FROM import_error"))


def start_run(site: Site, key: str) -> None:
    """Start a run, and let Airflow take it for one that is going."""
    command = [sys.executable, "-m", "airflow", "dags", "trigger", dag_id_of(key)]
    subprocess.run(command, env=site.env, check=True, capture_output=True, timeout=240)
    site.change("UPDATE dag_run SET state = 'running' WHERE dag_id = %s", dag_id_of(key))
    site.change("UPDATE task_instance SET state = 'running' WHERE dag_id = %s", dag_id_of(key))


def run_of(site: Site, key: str) -> list[Any]:
    """A run as Airflow has it: its state, its tasks' states and versions, and whether its DAG is there."""
    return site.rows(
        "SELECT r.run_id, r.state, d.is_stale, t.task_id, t.state, t.dag_version_id FROM dag_run r "
        "JOIN dag d USING (dag_id) JOIN task_instance t ON (t.dag_id, t.run_id) = (r.dag_id, r.run_id) "
        "WHERE r.dag_id = %s ORDER BY t.task_id",
        dag_id_of(key),
    )


_LIVE = """
import sys
from data_sync import accounts
from data_sync.dag import live, reparse
from data_sync.database import Database
from data_sync.schedules.model import Schedule

key, at, revision = sys.argv[1], sys.argv[2], int(sys.argv[3])
if not at:
    live.delete(Database(), key)
    reparse.wait_until_read(120)
    raise SystemExit
words = {"key": key, "networks": ["admitad"], "cron": f"{at} * * *", "date_range": "yesterday"}
schedule, db = Schedule.from_dict(words), Database()
with db.transaction() as cursor:
    accounts.grant(cursor, "admitad_default", accounts.EVERYONE)
if revision:
    live.change(db, schedule, revision=revision, trusted=True)
else:
    live.create(db, schedule, owner="anna", trusted=True)
reparse.wait_until_read(120)
"""


def on_the_screens(site: Site, key: str, *, at: str, revision: int = 0) -> None:
    """Make, change or delete a schedule as the api-server does it.

    :param at: its time in the form ``minute hour``; empty to delete it.
    :param revision: of the schedule that is changed; none for a new one.
    """
    command = [sys.executable, "-c", _LIVE, key, at, str(revision)]
    subprocess.run(command, env=site.env, check=True, capture_output=True, timeout=240)


def reparse(site: Site) -> None:
    """What a deploy hook calls."""
    command = [str(Path(sys.executable).with_name("data-sync")), "reparse"]
    subprocess.run(command, env=site.env, check=True, capture_output=True, timeout=240)
