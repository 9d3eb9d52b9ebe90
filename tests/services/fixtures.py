"""Real services for tests: an embedded Postgres per test session, a fresh database per test.

Loaded as a plugin by ``tests/conftest.py``.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from data_sync.local.postgres import EmbeddedPostgres

_NUMBERS = itertools.count(1)

#: Tests start from nothing each time: they need no disk that survives a power cut.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder outside pytest's own, for what starts a Postgres.

    Each pytest that starts closes the folder of all of them to other users, and root's Postgres runs as
    another user.
    """
    with tempfile.TemporaryDirectory(prefix="data-sync-test-") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL 18 that ends with the test session."""
    with tempfile.TemporaryDirectory(prefix="data-sync-test-") as name:
        server = EmbeddedPostgres(Path(name) / "data", settings=_FAST)
        server.start(Path(name) / "log")
        yield server
        server.stop()


@pytest.fixture
def empty_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The address (``postgresql://``) of a database without tables, removed after the test."""
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        yield postgres.url(name)
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def migrated_template(postgres: EmbeddedPostgres) -> str:
    """The name of a database that holds our tables, to be copied by :func:`database`."""
    from data_sync import migrate

    name = "migrated_template"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_DATA_SYNC", postgres.airflow_url(name))
        migrate.migrate()
    return name


@pytest.fixture
def database(
    postgres: EmbeddedPostgres, migrated_template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of a database with our tables, which is also the Airflow connection ``data_sync``."""
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
        monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", postgres.airflow_url(name))
        yield postgres.url(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
