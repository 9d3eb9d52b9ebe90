"""A place where schedules live, as the dag-processor sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_sync.dag.source import PROCESSOR_MARK, Source
from tests.data_sync.catalogue.parses import OTHER, write


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str) -> Source:
    """What a parse of the dag-processor reads, with a folder for its snapshots; anna is an admin."""
    monkeypatch.setenv(PROCESSOR_MARK, "1")
    monkeypatch.setenv("AIRFLOW__DATA_SYNC__ADMINS", "anna")
    monkeypatch.setenv("AIRFLOW__DATA_SYNC__STATE_FOLDER", str(tmp_path / "state"))
    (tmp_path / "config").mkdir()
    (tmp_path / "dags").mkdir()
    write(tmp_path / "config" / "schedules.yaml", OTHER)
    return Source(str(tmp_path / "dags" / "quick_sync.py"))
