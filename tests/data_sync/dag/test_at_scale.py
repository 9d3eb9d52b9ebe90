"""Thousands of schedules in Airflow's own dag-processor: all there, edits in time, and nothing ever lost.

The real process parses, and its database is asked. Airflow takes a DAG for gone when a later parse of its
file does not hold it; here it looks for such DAGs every few seconds instead of every minute, so that an
outage of a minute shows what one of many minutes would.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.many import entry, head, key_of
from benchmarks.site import Site
from data_sync.dag.names import dag_id_of

pytestmark = [pytest.mark.prove, pytest.mark.airflow, pytest.mark.timeout(900)]

MANY, FEW = 5_000, 96
#: How often each file is parsed at least (seconds) where a few schedules are.
INTERVAL = 5
OUTAGE = 60
ACCOUNTS = ("admitad",)

_EAGER = {
    ("dag_processor", "min_file_process_interval"): str(INTERVAL),
    ("dag_processor", "stale_dag_threshold"): str(3 * INTERVAL),
    ("scheduler", "parsing_cleanup_interval"): "2",
}


@pytest.fixture(scope="module")
def few() -> Iterator[Site]:
    """A running dag-processor with a hundred schedules, all of them in Airflow."""
    with tempfile.TemporaryDirectory(prefix="data-sync-test-") as name:
        site = Site(Path(name), text(FEW), _EAGER)
        try:
            site.start(PYTHONHASHSEED="1")
            site.until(lambda: site.current() == FEW, "all schedules", 240)
            yield site
        finally:
            site.stop()


def text(count: int) -> str:
    """The file of many schedules, each daily."""
    return head(ACCOUNTS) + "".join(entry(number, "interval: 1d") for number in range(count))


def edit(site: Site, *keys: str, at: str) -> None:
    """Save the file with other times for some schedules, ``at`` in the form ``minute hour``."""
    whole = site.file.read_text()
    for key in keys:
        whole = re.sub(rf"^  {key}: .*$", f"  {key}: {{cron: '{at} * * *'}}", whole, flags=re.MULTILINE)
    site.write(whole)


def is_at(site: Site, key: str, at: str) -> bool:
    """Tell whether Airflow has stored these times of a schedule."""
    return f'"{at} * * *"' in timetable(site, key)


def timetable(site: Site, key: str) -> str:
    """What Airflow has stored as the newest timing of a schedule."""
    return str(
        site.rows(
            "SELECT data -> 'dag' ->> 'timetable' FROM serialized_dag WHERE dag_id = %s "
            "ORDER BY created_at DESC LIMIT 1",
            dag_id_of(key),
        )[0][0]
    )


def forms(site: Site) -> dict[str, tuple[Any, ...]]:
    """Every DAG's stored form: its hash, and when it was last written."""
    found = site.rows("SELECT dag_id, dag_hash, last_updated FROM serialized_dag WHERE dag_id LIKE 'sync%%'")
    return {dag_id: (digest, written) for dag_id, digest, written in found}


def wait_for_rounds(site: Site, rounds: int) -> None:
    """Wait until every file has been parsed so many times from now on."""
    for _ in range(rounds):
        (now,) = site.rows("SELECT clock_timestamp()")[0]
        site.until(
            lambda now=now: site.count("SELECT count(*) FROM dag WHERE last_parsed_time <= %s", now) == 0,
            "a round of all files",
            120,
        )


def banner(site: Site) -> str:
    """What Airflow shows as import errors."""
    return "\n".join(row[0] for row in site.rows("SELECT stacktrace FROM import_error"))


def test_five_thousand_schedules_are_all_there_and_two_hundred_edits_at_once_arrive() -> None:
    with tempfile.TemporaryDirectory(prefix="data-sync-test-") as name:
        interval = 30
        options = {("dag_processor", "min_file_process_interval"): str(interval)}
        site = Site(Path(name), text(MANY), options)
        try:
            site.start()
            # A round of all files takes no longer than their first, which also stores them.
            round_seconds = site.until(lambda: site.current() == MANY, "all schedules", 600)
            before = forms(site)
            assert len(before) == MANY
            edited = [key_of(number) for number in range(0, MANY, MANY // 200)]
            changed = set(map(dag_id_of, edited))
            edit(site, *edited, at="9 9")
            # Airflow goes on with a round that it has begun; the next one has every edit.
            site.until(
                lambda: {dag_id for dag_id, form in forms(site).items() if form != before[dag_id]} == changed,
                "two hundred edits, and no other",
                interval + 2 * round_seconds,
            )
            assert all(is_at(site, key, "9 9") for key in edited)
            assert site.current() == MANY
            assert banner(site) == ""
        finally:
            site.stop()


def test_an_edit_is_current_within_the_interval_and_a_round_of_the_files(few: Site) -> None:
    wait_for_rounds(few, 1)
    began = time.monotonic()
    wait_for_rounds(few, 1)
    round_seconds = time.monotonic() - began
    before = forms(few)
    edit(few, "s00001", at="7 7")
    few.until(lambda: is_at(few, "s00001", "7 7"), "the edit", INTERVAL + 2 * round_seconds)
    after = forms(few)
    assert {dag_id for dag_id in after if after[dag_id] != before[dag_id]} == {dag_id_of("s00001")}


def test_while_the_database_data_sync_refuses_connections_no_dag_is_lost_and_edits_wait(few: Site) -> None:
    before = forms(few)
    assert few.current() == FEW
    (began,) = few.rows("SELECT clock_timestamp()")[0]
    few.change("ALTER DATABASE data_sync ALLOW_CONNECTIONS false")
    try:
        few.change("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'data_sync'")
        edit(few, "s00007", at="5 5")
        seen = set()
        deadline = time.monotonic() + OUTAGE
        while time.monotonic() < deadline:
            seen.add(few.current())
            time.sleep(1)
        assert seen == {FEW}
        assert forms(few) == before
        parsed = few.count("SELECT count(*) FROM dag WHERE last_parsed_time > %s", began)
        assert parsed >= FEW, "the files were parsed all the while"
        assert "does not answer, so all schedules stay as they were" in banner(few)
    finally:
        few.change("ALTER DATABASE data_sync ALLOW_CONNECTIONS true")
    few.until(lambda: is_at(few, "s00007", "5 5"), "the edit made meanwhile", 90)
    few.until(lambda: banner(few) == "", "the end of the banner", 60)
    wait_for_rounds(few, 1)
    assert few.current() == FEW
    after = forms(few)
    assert {dag_id for dag_id in after if after[dag_id] != before[dag_id]} == {dag_id_of("s00007")}


@pytest.mark.parametrize("damage", ["<<<<<<< ours\n{}", None])
def test_while_the_file_is_broken_or_gone_no_dag_is_lost(few: Site, damage: str | None) -> None:
    before = forms(few)
    whole = few.file.read_text()
    if damage is None:
        few.file.unlink()
    else:
        few.write(damage.format(whole))
    few.until(lambda: "config/schedules.yaml:" in banner(few), "the banner", 90)
    # Longer than it takes Airflow to find a DAG gone.
    time.sleep(3 * INTERVAL)
    wait_for_rounds(few, 2)
    assert (few.current(), forms(few)) == (FEW, before)
    few.write(whole)
    few.until(lambda: banner(few) == "", "the end of the banner", 90)
    assert (few.current(), forms(few)) == (FEW, before)


def test_a_dag_processor_that_is_killed_in_the_middle_of_parses_leaves_all_dags_and_loses_no_edit(
    few: Site,
) -> None:
    before = forms(few)
    for seed in ("2", "3"):
        edit(few, "s00011", at=f"{seed} 4")
        few.until(few.parsing, "a parse", 60)
        few.kill()
        assert few.current() == FEW
        few.start(PYTHONHASHSEED=seed)
        few.until(lambda seed=seed: is_at(few, "s00011", f"{seed} 4"), "the edit", 120)
        wait_for_rounds(few, 1)
        assert few.current() == FEW
        assert banner(few) == ""
    after = forms(few)
    assert {dag_id for dag_id in after if after[dag_id] != before[dag_id]} == {dag_id_of("s00011")}


def test_a_changed_schedule_gets_one_new_version_and_an_unchanged_one_none(few: Site) -> None:
    wait_for_rounds(few, 1)
    # Only a form that has been run is kept beside the new one.
    for key in ("s00020", "s00021"):
        command = [sys.executable, "-m", "airflow", "dags", "trigger", dag_id_of(key)]
        subprocess.run(command, env=few.env, check=True, capture_output=True, timeout=180)
    before = forms(few)

    def versions(key: str) -> int:
        return few.count("SELECT count(*) FROM dag_version WHERE dag_id = %s", dag_id_of(key))

    assert (versions("s00020"), versions("s00021")) == (1, 1)
    edit(few, "s00020", at="3 3")
    few.until(lambda: is_at(few, "s00020", "3 3"), "the edit", 90)
    for seed in ("4", "5"):
        few.kill()
        few.start(PYTHONHASHSEED=seed)
        wait_for_rounds(few, 2)
        assert (versions("s00020"), versions("s00021")) == (2, 1)
    after = forms(few)
    assert {dag_id for dag_id in before if after[dag_id] != before[dag_id]} == {dag_id_of("s00020")}
