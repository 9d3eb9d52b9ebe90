"""The REST API with a thousand schedules and millions of logs: what it answers and what that costs.

``BENCH_LOGS`` says how many logs (five million unless it does), ``BENCH_SECONDS`` for how long people ask.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import psutil
import psycopg
import requests
from psycopg.rows import dict_row

from benchmarks.api_events import changing
from benchmarks.api_load import Answers, load
from benchmarks.api_plans import costs, plans
from benchmarks.api_questions import QUESTIONS, Known, known
from benchmarks.api_servers import ApiServer, api_servers
from benchmarks.figures import Figure, Result, Sheet
from benchmarks.log_stock import Stock, fill
from benchmarks.many import schedules
from benchmarks.server import server_cpu
from benchmarks.site import Site
from data_sync.local import settings
from data_sync.local.home import ADMIN
from data_sync.looking.viewer import Viewer

LOGS = int(os.environ.get("BENCH_LOGS", "5000000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "60"))

#: Who asks; the first few of them see everything.
PEOPLE = tuple(f"u{number:02}" for number in range(50))
_ADMINS = 5
#: The most that a list may cost the database, in ms; 95 of 100 times.
_GOAL = 50.0
#: How soon after its commit a change should be told, in seconds.
_SOON = 1.0
#: How often each question is asked alone, and explained.
_TIMES, _EXPLAINED = 200, 40
#: What an XLSX file holds, at most.
_SHEET = 1_000_000

# Airflow knows every schedule's DAG, as after a parse.
_DAGS = """
INSERT INTO dag (dag_id, is_paused, is_stale, bundle_name, timetable_type, max_active_tasks, max_active_runs,
    max_consecutive_failed_dag_runs, has_task_concurrency_limits, has_import_errors, exceeds_max_non_backfill,
    partition_mapper_info, next_dagrun_create_after)
SELECT 'sync__s' || lpad(n::text, 5, '0'), n %% 10 = 0, false, 'dags', '', 16, 1, 0, false, false, false,
    '[]', now() + make_interval(mins => n)
FROM generate_series(0, {last}) n
"""


def measure() -> Sequence[Result]:
    """Make the stock, start an api-server, and ask."""
    with tempfile.TemporaryDirectory(prefix="data-sync-bench-") as name:
        roles = (f"{who}:{'admin' if n < _ADMINS else 'user'}" for n, who in enumerate(PEOPLE))
        options = {("core", "simple_auth_manager_users"): ",".join([f"{ADMIN}:admin", *roles])}
        # What this machine needs to survive a power cut is no matter of reading.
        site = Site(Path(name), schedules(1), options)
        try:
            return list(_measured(site, Path(name)))
        finally:
            site.stop()


def _measured(site: Site, folder: Path) -> Iterator[Result]:
    yield from _stocked(site)
    with psycopg.connect(site.postgres.url(settings.DATABASE), autocommit=True) as connection:
        with connection.cursor(row_factory=dict_row) as cursor:
            stock = known(cursor)
        yield from _at_the_database(connection, stock)
    with api_servers(1, folder, site.env) as (server,):
        tokens = _tokens(server, site)
        yield from _asked(site, server, tokens, stock, "one question in ten seconds each", pause=10.0)
        yield from _asked(site, server, tokens, stock, "one question a second each", pause=1.0)
        yield from _asked(site, server, tokens, stock, "as fast as it answers", pause=0.0)
        yield from _exported(server, tokens[PEOPLE[0]], stock)


def _stocked(site: Site) -> Iterator[Result]:
    stock = Stock(LOGS, people=PEOPLE)
    started = time.perf_counter()
    with psycopg.connect(site.postgres.url(settings.DATABASE), autocommit=True) as connection:
        # The one schedule that a site starts with.
        connection.execute("DELETE FROM data_sync.sync_schedules")
        fill(connection, stock)
    yield Figure("making the stock", time.perf_counter() - started, "s")
    site.change("INSERT INTO dag_bundle (name) VALUES ('dags') ON CONFLICT DO NOTHING")
    site.change(_DAGS.format(last=stock.schedules - 1))
    for table in ("sync_schedules", "sync_runs", "sync_logs", "sync_log_steps"):
        ((rows, size),) = site.rows(
            f"SELECT count(*), pg_total_relation_size('data_sync.{table}') FROM data_sync.{table}",  # noqa: S608
            database=settings.DATABASE,
        )
        yield Figure(f"{table}, rows", rows, "")
        yield Figure(f"{table} with its indexes", size / 2**20, "MiB")


def _at_the_database(connection: psycopg.Connection[tuple[object, ...]], stock: Known) -> Iterator[Result]:
    viewers = [Viewer(who, is_admin=number < _ADMINS) for number, who in enumerate(PEOPLE)]
    lines, goals = [], []
    for question in QUESTIONS:
        took = costs(connection, question, viewers, stock, times=_TIMES)
        clock, cpu = [cost.clock for cost in took], [cost.cpu for cost in took]
        p95 = _percentile(clock, 95)
        numbers = (len(took), statistics.median(clock), p95, max(clock), statistics.median(cpu))
        lines.append((question.name, (*numbers, _percentile(cpu, 95), max(cpu))))
        goals.append(Figure(f"p95 at the database: {question.name}", p95, "ms", goal=_GOAL, met=p95 <= _GOAL))
    columns = ("times", "p50 ms", "p95 ms", "max ms", "p50 CPU ms", "p95 CPU ms", "max CPU ms")
    yield Sheet("At the database, asked alone, one after the other", columns, lines)
    yield from goals
    found = plans(connection, viewers, stock, times=_EXPLAINED)
    yield Sheet(
        "Plans of the statements that ask large tables",
        ("statements", "by an index alone", "reading a whole table"),
        [(name, (p.statements, p.by_index, len(p.scans))) for name, p in found.items()],
    )


def _asked(
    site: Site, server: ApiServer, tokens: Mapping[str, str], stock: Known, how: str, *, pause: float
) -> Iterator[Result]:
    people = {who: tokens[who] for who in PEOPLE}
    with changing(site.postgres.url(settings.DATABASE)) as changes:
        # A first round, so that nothing is loaded or planned for the first time.
        load(server.address, people, stock, changes, seconds=min(5.0, SECONDS), pause=pause)
    with changing(site.postgres.url(settings.DATABASE)) as changes:
        postmaster = psutil.Process(min(site.postgres.ids))
        before = server.cpu(), server_cpu(postmaster), _own_cpu()
        answers = load(server.address, people, stock, changes, seconds=SECONDS, pause=pause)
        after = server.cpu(), server_cpu(postmaster), _own_cpu()
    lines = [
        (question.name, (len(took), statistics.median(took), _percentile(took, 95), max(took)))
        for question in QUESTIONS
        if (took := answers.took[question.name])
    ]
    title = f"{len(people)} people, {how}: from the request to the whole answer"
    yield Sheet(title, ("answers", "p50 ms", "p95 ms", "max ms"), lines)
    total = sum(map(len, answers.took.values()))
    yield Figure(f"{how}: requests/s", total / answers.seconds, "1/s")
    refused = ", ".join(f"{number} of {status}" for status, number in sorted(answers.refused.items()))
    yield Figure(f"{how}: answers that are errors", sum(answers.refused.values()), refused)
    yield from _told(answers, how)
    for who, old, new in zip(("api-server", "Postgres", "who asks"), before, after, strict=True):
        yield Figure(f"{how}: {who}, of one core", 100 * (new - old) / answers.seconds, "%")


def _told(answers: Answers, how: str) -> Iterator[Result]:
    """How fast the events came that everybody got beside; who does not see the running log gets none."""
    yield Figure(f"{how}: events of changes that were told", len(answers.events), "")
    yield Figure(f"{how}: streams of events refused", len(answers.blind), ", ".join(answers.blind))
    if answers.events:
        p95, longest = _percentile(answers.events, 95), max(answers.events)
        yield Figure(f"{how}: an event after its commit, p95", p95, "s", goal=_SOON, met=p95 <= _SOON)
        yield Figure(f"{how}: an event after its commit, the latest", longest, "s")


def _exported(server: ApiServer, token: str, stock: Known) -> Iterator[Result]:
    """Download the newest logs that a sheet takes, while nobody else asks for anything."""
    days = min(364, int(365 * _SHEET / stock.last_log) - 1)
    query = {"from": f"{stock.today - timedelta(days=days)}", "to": f"{stock.today}"}
    for kind in ("csv", "xlsx"):
        server.forget_peak()
        held, cpu, started = server.memory(), server.cpu(), time.perf_counter()
        size, first = 0, 0.0
        with requests.get(
            f"{server.address}/sync/logs/export", params={**query, "format": kind}, timeout=900, stream=True,
            headers={"Authorization": f"Bearer {token}"},
        ) as answer:  # fmt: skip
            answer.raise_for_status()
            for chunk in answer.iter_content(1 << 16):
                first = first or time.perf_counter() - started
                size += len(chunk)
        what = f"export as {kind}, {days + 1} days"
        yield Figure(f"{what}: all of it after", time.perf_counter() - started, "s")
        yield Figure(f"{what}: its first byte after", first, "s")
        yield Figure(f"{what}: api-server CPU", server.cpu() - cpu, "s")
        yield Figure(f"{what}: size", size / 2**20, "MiB")
        yield Figure(f"{what}: memory of the api-server before", held, "MiB")
        yield Figure(f"{what}: at its peak", server.peak(), "MiB")


def _tokens(server: ApiServer, site: Site) -> dict[str, str]:
    """Log everybody in, as a program does; Airflow has made up their passwords."""
    found = {}
    for who, password in json.loads(site.home.passwords.read_text()).items():
        answer = requests.post(
            f"{server.address}/auth/token", json={"username": who, "password": password}, timeout=60
        )
        answer.raise_for_status()
        found[who] = answer.json()["access_token"]
    return found


def _own_cpu() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]
