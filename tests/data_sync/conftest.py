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
