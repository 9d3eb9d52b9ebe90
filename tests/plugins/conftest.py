"""One Airflow for the tests of the API, and our tables anew for each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from data_sync import accounts
from data_sync.catalogue import editing
from data_sync.database import Database
from data_sync.local.postgres import EmbeddedPostgres
from data_sync.schedules.model import Schedule
from tests.plugins.airflow_app import App, airflow_app
from tests.plugins.log_stock import stock_logs
from tests.plugins.routes import DEFINITION, IN_GIT, UNBUILT


@pytest.fixture(scope="session")
def started_app(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with airflow_app(postgres, tmp_path_factory.mktemp("api"), "api_metadata") as found:
        yield found


@pytest.fixture
def app(started_app: App, database: str) -> Iterator[App]:
    """Airflow's application with our plugin, over empty tables of ours."""
    started_app.forget_connections()
    # Whoever calls the application in this process gets an answer when it is whole: streams must end.
    started_app.ours.state.longest_stream = 0.5
    yield started_app
    started_app.ours.state.database.close()


@pytest.fixture
def db(database: str) -> Iterator[Database]:
    """Our tables, as tasks open them."""
    opened = Database()
    yield opened
    opened.close()


@pytest.fixture
def stocked(app: App, db: Database) -> Iterator[App]:
    """Schedules as after a while: one built, one not built yet, one kept in git; and quick_sync."""
    mine = Schedule.from_dict(DEFINITION)
    fresh = Schedule.from_dict({**DEFINITION, "key": UNBUILT})
    kept = Schedule.from_dict({**DEFINITION, "key": IN_GIT})
    with db.transaction() as cursor:
        for schedule in (mine, fresh):
            editing.create(cursor, schedule, owner="anna", trusted=True)
        accounts.grant(cursor, "admitad_default", "anna")
        cursor.execute(
            "INSERT INTO data_sync.sync_schedules (key, source, name, definition, definition_hash) "
            "VALUES (%s, 'yaml', %s, %s, %s)",
            [kept.key, kept.name, json.dumps(kept.to_dict()), kept.definition_hash],
        )
        stock_logs(cursor, mine)
    app.build(mine, kept)
    yield app
    app.forget_runs()
