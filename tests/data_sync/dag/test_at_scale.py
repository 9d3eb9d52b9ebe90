"""Five thousand schedules in Airflow's own dag-processor: all there, and every edit arrives at once.

Each file is parsed once an hour, so what arrives was asked for.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from benchmarks.many import key_of
from benchmarks.site import Site
from data_sync.dag.names import dag_id_of
from tests.data_sync.dag.at_scale import (
    banner,
    changed,
    edit,
    forms,
    is_at,
    on_the_screens,
    reparse,
    text,
)

pytestmark = [pytest.mark.prove, pytest.mark.airflow, pytest.mark.timeout(1800)]

MANY = 5_000
_HOURLY = {("dag_processor", "min_file_process_interval"): "3600"}


def test_five_thousand_schedules_are_all_there_and_edits_arrive_when_they_are_asked_for() -> None:
    with tempfile.TemporaryDirectory(prefix="data-sync-test-") as name:
        site = Site(Path(name), text(MANY), _HOURLY)
        try:
            site.start()
            site.until(lambda: site.current() == MANY, "all schedules", 1200)
            before = forms(site)
            assert len(before) == MANY
            on_the_screens(site, "mine", at="8 8")
            site.until(lambda: is_at(site, "mine", "8 8"), "a new schedule of the screens", 240)
            on_the_screens(site, "mine", at="9 8", revision=1)
            site.until(lambda: is_at(site, "mine", "9 8"), "its next form", 240)
            assert changed(site, before) == {dag_id_of("mine")}
            keys = [key_of(number) for number in range(0, MANY, MANY // 200)]
            edit(site, *keys, at="9 9")
            reparse(site)
            expected = {dag_id_of("mine"), *map(dag_id_of, keys)}
            site.until(lambda: changed(site, before) >= expected, "two hundred edits of the file", 600)
            assert changed(site, before) == expected
            assert all(is_at(site, key, "9 9") for key in keys)
            assert site.current() == MANY + 1
            assert banner(site) == ""
        finally:
            site.stop()
