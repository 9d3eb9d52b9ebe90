"""The two ways to read past days again, what each must pull, and what the tables say it has pulled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.e2e.airflow_site import AirflowSite

#: For what shares two cores with much else.
SECONDS = 600.0
_DAY = timedelta(days=1)
#: One run after the other: more at once would only wait for each other.
_ONE_BY_ONE = ("--max-active-runs", "1")

#: How many of Admitad's days are read before and after the days of a zone: those that they touch (Admitad's
#: zone is Europe/Moscow), and one more at both ends, because that zone is not certain.
_WIDER = {"Asia/Dubai": (2, 1), "Europe/Berlin": (1, 2), "Europe/Moscow": (1, 1)}


@dataclass(frozen=True)
class Case:
    """A schedule, and what is asked for in each of the two ways.

    :param instants: first and last instant for Airflow's way.
    :param ticks: what must run between them: each tick in UTC, with the day that it reads.
    :param days: first and last local day for our way.
    """

    key: str
    zone: str
    instants: tuple[str, str]
    ticks: tuple[tuple[str, str], ...]
    days: tuple[str, str]
    options: tuple[str, ...] = _ONE_BY_ONE

    def __str__(self) -> str:
        return self.key

    @property
    def days_of_ticks(self) -> set[str]:
        """The network's days that all ticks together read."""
        return {day for _, tick_day in self.ticks for day in wider(self.zone, tick_day, tick_day)}


CASES = (
    Case(
        "daily",
        "Asia/Dubai",
        # Both are ticks, and both are run.
        ("2026-03-01T06:00:00+04:00", "2026-03-03T06:00:00+04:00"),
        (
            ("2026-03-01 02:00", "2026-02-28"),
            ("2026-03-02 02:00", "2026-03-01"),
            ("2026-03-03 02:00", "2026-03-02"),
        ),
        ("2026-03-01", "2026-03-03"),
    ),
    Case(
        "ten-minutes",
        "Asia/Dubai",
        # An hour around midnight.
        ("2026-02-20T23:30:00+04:00", "2026-02-21T00:29:59+04:00"),
        (
            ("2026-02-20 19:30", "2026-02-20"),
            ("2026-02-20 19:40", "2026-02-20"),
            ("2026-02-20 19:50", "2026-02-20"),
            ("2026-02-20 20:00", "2026-02-21"),
            ("2026-02-20 20:10", "2026-02-21"),
            ("2026-02-20 20:20", "2026-02-21"),
        ),
        ("2026-02-20", "2026-02-21"),
    ),
    Case(
        "weekdays",
        "Europe/Berlin",
        # From Friday noon to Monday noon: no tick asks for Friday and Saturday.
        ("2026-03-13T12:00:00+01:00", "2026-03-16T12:00:00+01:00"),
        (("2026-03-13 17:00", "2026-03-12"), ("2026-03-16 07:00", "2026-03-15")),
        ("2026-03-13", "2026-03-16"),
    ),
    Case(
        "spring",
        "Europe/Berlin",
        ("2026-03-29T00:00:00+01:00", "2026-03-30T12:00:00+02:00"),
        # 02:30 does not exist on the 29th: it runs at 03:30.
        (("2026-03-29 01:30", "2026-03-28"), ("2026-03-30 00:30", "2026-03-29")),
        ("2026-03-29", "2026-03-29"),
        # As many at once as Airflow likes.
        options=(),
    ),
    Case(
        "autumn",
        "Europe/Berlin",
        ("2025-10-26T00:00:00+02:00", "2025-10-27T12:00:00+01:00"),
        # 02:30 comes twice on the 26th: it runs once, the second time.
        (("2025-10-26 01:30", "2025-10-25"), ("2025-10-27 01:30", "2025-10-26")),
        ("2025-10-26", "2025-10-26"),
    ),
)


def wider(zone: str, first: str, last: str) -> list[str]:
    """Return the days of the network that a read of some days of a zone covers."""
    before, after = _WIDER[zone]
    start, end = date.fromisoformat(first) - before * _DAY, date.fromisoformat(last) + after * _DAY
    return [str(start + number * _DAY) for number in range((end - start).days + 1)]


def shell(site: AirflowSite, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as somebody does who may see it fail."""
    return subprocess.run(
        [str(Path(sys.executable).parent / words[0]), *words[1:]],
        env=site.env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def ask_for_ticks(
    site: AirflowSite, key: str, instants: tuple[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    """Airflow's way."""
    span = ("--from-date", instants[0], "--to-date", instants[1])
    return shell(site, "airflow", "backfill", "create", "--dag-id", f"sync__{key}", *span, *options)


def ask_for_days(site: AirflowSite, key: str, first: str, last: str) -> subprocess.CompletedProcess[str]:
    """Our way; it waits for the end."""
    return shell(site, "data-sync", "backfill", key, "--from", first, "--to", last, "--wait")


def require(done: subprocess.CompletedProcess[str]) -> None:
    """Fail when a command has failed."""
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Pulled:
    """What stands in the tables at one moment: a schedule's runs, and the days of the rows they wrote."""

    runs: list[dict[str, Any]]
    days: set[str]


def pulled(site: AirflowSite, key: str) -> Pulled:
    """Look at what a schedule has pulled so far."""
    runs = site.rows(
        """
        SELECT r.dag_id, r.run_id, r.kind, r.first_day::text AS first, r.last_day::text AS last, r.guard,
            to_char(r.anchor AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS anchor, r.guard_day, r.opened_at,
            r.closed_at, jsonb_path_query_array(r.units, '$[*].kind') AS kinds, l.status, l.reason, l.counts
        FROM data_sync.sync_runs r JOIN data_sync.sync_logs l ON l.sync_run = r.id
        WHERE r.schedule_key = %s ORDER BY r.anchor
        """,
        key,
    )
    days = site.rows(
        "SELECT DISTINCT p.day::text FROM data_sync.purchases p "
        "JOIN data_sync.sync_logs l ON l.id = p.log_id WHERE l.schedule_key = %s",
        key,
    )
    return Pulled(runs, {row["day"] for row in days})


def until_over(site: AirflowSite, key: str, runs: int) -> Pulled:
    """Wait until so many runs of a schedule are over."""
    over = "SELECT 1 FROM data_sync.sync_runs WHERE schedule_key = %s AND state = 'closed'"
    site.until(lambda: len(site.rows(over, key)) >= runs, f"{runs} runs of {key}", SECONDS)
    return pulled(site, key)


def until_complete(site: AirflowSite, key: str) -> None:
    """Wait until Airflow calls the backfill of a schedule complete: before that it takes no other one."""
    path = f"/backfills?dag_id=sync__{key}"
    site.until(
        lambda: all(found["completed_at"] for found in site.call("GET", path)["backfills"]),
        f"the backfill of {key}",
        SECONDS,
    )


def airflow_runs(site: AirflowSite, key: str) -> dict[str, dict[str, Any]]:
    """What Airflow knows of the runs of a daily schedule, by the day of the tick."""
    found = site.call("GET", f"/dags/sync__{key}/dagRuns")["dag_runs"]
    return {run["logical_date"][:10]: run for run in found}


@dataclass(frozen=True)
class Look:
    """The runs of a schedule between two backfills.

    :param types: by the day of a tick, Airflow's word for its run, and how often open_run has run.
    """

    pulled: Pulled
    types: dict[str, tuple[str, int]]


def look(site: AirflowSite, key: str) -> Look:
    """Look at the runs of a daily schedule, here and in Airflow."""
    types = {}
    for day, run in airflow_runs(site, key).items():
        path = f"/dags/sync__{key}/dagRuns/{run['dag_run_id']}/taskInstances/open_run"
        types[day] = (run["run_type"], site.call("GET", path)["try_number"])
    return Look(pulled(site, key), types)


def rows_of(site: AirflowSite, days: Iterable[str]) -> int:
    """How many purchases the sandbox has on some of its days."""
    totals = (site.sandbox("GET", "/totals/admitad", params={"from": day, "to": day}) for day in days)
    return sum(told["count"] for told in totals)
