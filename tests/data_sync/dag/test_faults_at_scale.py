"""What goes wrong around Airflow's own dag-processor: no DAG is ever lost, and a run in flight goes on.

The real process parses, and its database is asked all the while. Airflow takes a DAG for gone when a later
parse of its file does not hold it; here it parses and looks every few seconds, so that ten rounds of all
files show what five minutes at the standard interval of 30 s would.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from benchmarks.many import key_of
from benchmarks.site import Site
from data_sync.dag.names import dag_id_of
from data_sync.local import settings
from tests.data_sync.dag.at_scale import (
    banner,
    changed,
    edit,
    edited,
    forms,
    is_at,
    on_the_screens,
    run_of,
    start_run,
    text,
    versions,
    wait_for_rounds,
)

pytestmark = [pytest.mark.prove, pytest.mark.airflow, pytest.mark.timeout(900)]

COUNT = 210
#: How often each file is parsed at least (seconds), and how many rounds an outage takes.
INTERVAL, ROUNDS = 2, 10
#: A run of these is in flight from the start: the first is edited later, the second never.
EDITED, KEPT = "s00020", "s00021"

_EAGER = {
    ("dag_processor", "min_file_process_interval"): str(INTERVAL),
    ("dag_processor", "stale_dag_threshold"): str(3 * INTERVAL),
    ("scheduler", "parsing_cleanup_interval"): "2",
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A running dag-processor with all schedules in Airflow, and two runs in flight."""
    with tempfile.TemporaryDirectory(prefix="data-sync-test-") as name:
        found = Site(Path(name), text(COUNT), _EAGER)
        try:
            found.start(PYTHONHASHSEED="1")
            found.until(lambda: found.current() == COUNT, "all schedules", 400)
            for key in (EDITED, KEPT):
                start_run(found, key)
                assert run_of(found, key)
            yield found
        finally:
            found.stop()


@contextmanager
def nothing_lost(site: Site, *keys: str) -> Iterator[set[int]]:
    """Require that all DAGs but these keep their stored forms, and that the runs in flight go on.

    Yields the numbers of DAGs that were seen meanwhile, to be added to.
    """
    seen = {site.current()}
    before, runs = forms(site), [run_of(site, key) for key in (EDITED, KEPT)]
    yield seen
    wait_for_rounds(site, 1, seen)
    assert seen == {COUNT}
    assert changed(site, before) == set(map(dag_id_of, keys))
    assert [run_of(site, key) for key in (EDITED, KEPT)] == runs
    assert banner(site) == ""


def test_while_the_database_refuses_connections_no_dag_is_lost_and_edits_wait(site: Site) -> None:
    with nothing_lost(site, "s00007") as seen:
        before = forms(site)
        site.change("ALTER DATABASE data_sync ALLOW_CONNECTIONS false")
        try:
            site.change("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'data_sync'")
            edit(site, "s00007", at="5 5")
            wait_for_rounds(site, ROUNDS, seen)
            assert changed(site, before) == set()
            assert "does not answer, so all schedules stay as they were" in banner(site)
        finally:
            site.change("ALTER DATABASE data_sync ALLOW_CONNECTIONS true")
        site.until(lambda: is_at(site, "s00007", "5 5"), "the edit made meanwhile", 240)
        site.until(lambda: banner(site) == "", "the end of the banner", 240)


def test_while_the_database_is_slow_no_dag_is_lost_and_edits_wait(site: Site) -> None:
    with nothing_lost(site, "s00008") as seen:
        before = forms(site)
        with psycopg.connect(site.postgres.url(settings.DATABASE)) as holder:
            # Whoever asks whether anything has changed waits for this.
            holder.execute("LOCK TABLE data_sync.catalogue_state IN ACCESS EXCLUSIVE MODE")
            edit(site, "s00008", at="8 5")
            wait_for_rounds(site, 1, seen)
            assert changed(site, before) == set()
            assert "does not answer, so all schedules stay as they were" in banner(site)
        site.until(lambda: is_at(site, "s00008", "8 5"), "the edit made meanwhile", 240)
        site.until(lambda: banner(site) == "", "the end of the banner", 240)


def test_a_schedule_that_can_be_no_dag_keeps_its_last_form_and_harms_no_other(site: Site) -> None:
    spoil = "UPDATE data_sync.sync_schedules SET definition = definition {} WHERE key = 's00009'"
    with nothing_lost(site) as seen:
        # As if an older version had accepted what this one cannot build.
        site.change(spoil.format("""|| '{"cron": "61 * * * *"}'"""), database=settings.DATABASE)
        site.until(lambda: "schedule s00009: it cannot become a DAG" in banner(site), "the banner", 240)
        wait_for_rounds(site, ROUNDS, seen)
        site.change(spoil.format("- 'cron'"), database=settings.DATABASE)
        site.until(lambda: banner(site) == "", "the end of the banner", 240)


@pytest.mark.parametrize(("damage", "rounds"), [("<<<<<<< ours\n{}", ROUNDS), (None, 4)])
def test_while_the_file_is_broken_or_gone_no_dag_is_lost(site: Site, damage: str | None, rounds: int) -> None:
    whole = site.file.read_text()
    with nothing_lost(site) as seen:
        if damage is None:
            site.file.unlink()
        else:
            site.write(damage.format(whole))
        site.until(lambda: "config/schedules.yaml:" in banner(site), "the banner", 240)
        wait_for_rounds(site, rounds, seen)
        site.write(whole)
        site.until(lambda: banner(site) == "", "the end of the banner", 240)


def test_a_dag_processor_that_is_killed_in_the_middle_of_parses_loses_no_dag_and_no_edit(site: Site) -> None:
    with nothing_lost(site, "s00011") as seen:
        for seed in ("2", "3"):
            edit(site, "s00011", at=f"{seed} 4")
            site.until(site.parsing, "a parse", 120)
            site.kill()
            seen.add(site.current())
            site.start(PYTHONHASHSEED=seed)
            site.until(lambda seed=seed: is_at(site, "s00011", f"{seed} 4"), "the edit", 240)
            wait_for_rounds(site, 1, seen)


def test_a_key_in_both_sources_is_one_dag_that_the_file_decides(site: Site) -> None:
    whole = site.file.read_text()
    on_the_screens(site, "both", at="1 1")
    site.until(lambda: is_at(site, "both", "1 1"), "the schedule of the screens", 240)
    before, runs = forms(site), run_of(site, KEPT)
    seen: set[int] = set()
    site.write(whole + "  both: {cron: '2 2 * * *'}\n")
    site.until(lambda: is_at(site, "both", "2 2"), "the schedule of the file", 240)
    site.until(lambda: "both" in banner(site), "the clash in the banner", 240)
    wait_for_rounds(site, 2, seen)
    assert changed(site, before) == {dag_id_of("both")}
    site.write(whole)
    site.until(lambda: is_at(site, "both", "1 1"), "the schedule of the screens again", 240)
    site.until(lambda: banner(site) == "", "the end of the banner", 240)
    wait_for_rounds(site, 1, seen)
    assert seen == {COUNT + 1}
    assert run_of(site, KEPT) == runs
    on_the_screens(site, "both", at="")
    site.until(lambda: site.current() == COUNT, "the end of it", 240)


def test_two_hundred_edits_at_once_all_arrive(site: Site) -> None:
    keys = [key_of(number) for number in range(COUNT) if key_of(number) not in (EDITED, KEPT)][:200]
    with nothing_lost(site, *keys) as seen:
        edit(site, *keys, at="6 6")
        site.until(lambda: all(is_at(site, key, "6 6") for key in keys), "all edits", 400)
        seen.add(site.current())


def test_a_machine_with_an_older_file_changes_nothing_and_is_told_so(site: Site) -> None:
    old = site.root / "config" / "older.yaml"
    old.write_text(text(COUNT // 2))
    os.utime(old, (time.time() - 86_400,) * 2)
    with nothing_lost(site) as seen:
        site.start(
            AIRFLOW__DATA_SYNC__SCHEDULES_FILE=str(old),
            AIRFLOW__DATA_SYNC__STATE_FOLDER=str(site.root / "other-machine"),
        )
        site.until(lambda: "is older than the one that was taken over" in banner(site), "the banner", 240)
        wait_for_rounds(site, 4, seen)
        # What git brings there in the end.
        old.write_bytes(site.file.read_bytes())
        site.until(lambda: banner(site) == "", "the end of the banner", 240)
        wait_for_rounds(site, 2, seen)
        site.kill()


def test_a_changed_schedule_gets_one_new_version_and_an_unchanged_one_none(site: Site) -> None:
    assert (versions(site, EDITED), versions(site, KEPT)) == (1, 1)
    site.write(edited(site.file.read_text(), EDITED, at="3 3"))
    site.until(lambda: is_at(site, EDITED, "3 3"), "the edit", 240)
    before = forms(site)
    for seed in ("4", "5"):
        site.kill()
        site.start(PYTHONHASHSEED=seed)
        wait_for_rounds(site, 10)
        assert (versions(site, EDITED), versions(site, KEPT)) == (2, 1)
    assert changed(site, before) == set()
