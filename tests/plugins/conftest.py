"""One Airflow for the tests of the API, and our tables anew for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from data_sync.database import Database
from data_sync.local.postgres import EmbeddedPostgres
from tests.plugins.airflow_app import App, airflow_app


@pytest.fixture(scope="session")
def started_app(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with airflow_app(postgres, tmp_path_factory.mktemp("api"), "api_metadata") as found:
        yield found


@pytest.fixture
def app(started_app: App, database: str) -> Iterator[App]:
    """Airflow's application with our plugin, over empty tables of ours."""
    started_app.forget_connections()
    yield started_app
    started_app.ours.state.database.close()


@pytest.fixture
def db(database: str) -> Iterator[Database]:
    """Our tables, as tasks open them."""
    opened = Database()
    yield opened
    opened.close()
