"""A database of its own for each test, opened as the tasks open it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from data_sync.database import Database


@pytest.fixture
def db(database: str) -> Iterator[Database]:
    """Our tables, through the Airflow connection ``data_sync``."""
    opened = Database()
    yield opened
    opened.close()


@pytest.fixture
def without_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a shell of a machine that has no address of Airflow's own database."""
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite://")
