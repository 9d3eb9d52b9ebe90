"""Airflow's real api-server application in this process, with our plugin, on a real metadata database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from psycopg.rows import dict_row

from data_sync.local.postgres import EmbeddedPostgres
from data_sync.schedules.model import Schedule
from sync_api.breaker import SLOW

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
#: Where the application believes to be.
BASE = "http://airflow.test"
#: By name: their role in Airflow's simple auth manager.
PEOPLE = {"ada": "admin", "omar": "op", "anna": "user", "ben": "user", "vera": "viewer"}


class App:
    """The application and its people.

    ``patience`` is how often they ask again where the database was slow.
    """

    def __init__(self, app: Any, tables: str, portal: BlockingPortal) -> None:
        self.app = app
        self.tables = tables
        self.portal = portal
        self.patience = 3
        self._is_built = False
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url=BASE)
        self.tokens = {name: self._token(name) for name in PEOPLE}

    def _token(self, name: str) -> str:
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        user = SimpleAuthManagerUser(username=name, role=PEOPLE[name])
        return str(get_auth_manager().generate_jwt(user))

    def call(
        self,
        who: str | None,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Ask as somebody, or as nobody; again in a moment, as the answer says, where Postgres was slow."""
        sent = dict(headers or {})
        if who is not None:
            sent["Authorization"] = f"Bearer {self.tokens[who]}"
        ask = partial(self.http.request, method, path, headers=sent, **more)
        answer = self.portal.call(ask)
        for _ in range(self.patience):
            if answer.status_code != 503 or SLOW not in answer.text:
                break
            time.sleep(1)
            answer = self.portal.call(ask)
        return answer

    @property
    def ours(self) -> Any:
        """Our own application below ``/sync``, built if it was not yet."""
        lazy = next(route.app for route in self.app.routes if getattr(route, "path", "") == "/sync")
        if lazy._app is None:
            lazy._build()
        return lazy._app

    def build(self, *schedules: Schedule) -> None:
        """Let Airflow know the DAGs of these schedules, and quick_sync, as after a parse; done once."""
        if self._is_built:
            return
        self._is_built = True
        store_dags(*schedules)

    def forget_runs(self) -> None:
        """Let Airflow's DAGs be as new."""
        with psycopg.connect(self.tables, autocommit=True) as connection:
            connection.execute("TRUNCATE dag_run, log, dag_priority_parsing_request CASCADE")
            connection.execute("UPDATE dag SET is_paused = false, is_stale = false")

    def turn(self, dag_id: str, *, paused: bool) -> None:
        """Turn a DAG's switch."""
        with psycopg.connect(self.tables) as connection:
            connection.execute("UPDATE dag SET is_paused = %s WHERE dag_id = %s", [paused, dag_id])

    def airflow_rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Ask Airflow's database."""
        with psycopg.connect(self.tables, row_factory=dict_row) as connection:
            return connection.execute(statement, values).fetchall()

    def forget_connections(self) -> None:
        """Let our application open the test's own database, and count requests anew."""
        from sync_api.breaker import OurDatabase
        from sync_api.hub import Hub

        self.ours.state.events.close()
        self.ours.state.database.close()
        self.ours.state.database = OurDatabase()
        self.ours.state.events = Hub(lambda: self.ours.state.database)


def store_dags(*schedules: Schedule) -> None:
    """Let the Airflow of this process know the DAGs of these schedules, and quick_sync, as after a parse."""
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    from data_sync.dag.builder import build_dag
    from data_sync.dag.names import shard_of
    from data_sync.dag.quick_sync import build_quick_sync

    dags = {f"shards/shard_{shard_of(s.key):02}.py": build_dag(s) for s in schedules}
    dags["quick_sync.py"] = build_quick_sync(["admitad_default"])
    with create_session(scoped=False) as session:
        session.merge(DagBundleModel(name="dags"))
        session.flush()
        for file, dag in dags.items():
            dag.relative_fileloc = file
            update_dag_parsing_results_in_db(
                "dags", None, [LazyDeserializedDAG.from_dag(dag)], {}, None, set(), session=session,
                files_parsed={("dags", file)},
            )  # fmt: skip


@contextmanager
def airflow_app(postgres: EmbeddedPostgres, folder: Path, name: str, **settings: str) -> Iterator[App]:
    """Start Airflow's application on a database of its own.

    :param settings: environment variables besides.
    """
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment_of(postgres, folder, name).items():
            patch.setenv(variable, value)
        for variable, value in settings.items():
            patch.setenv(variable, value)
        yield from _started(postgres.url(name))


def environment_of(postgres: EmbeddedPostgres, folder: Path, name: str) -> dict[str, str]:
    """Return the settings of an Airflow whose metadata database has this name."""
    return {
        "_AIRFLOW_PROCESS_CONTEXT": "server",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url(name, "postgresql+psycopg2"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": postgres.url(name, "postgresql+asyncpg"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # The tables are made by the models.
        "AIRFLOW__DATABASE__CHECK_MIGRATIONS": "False",
        "AIRFLOW__CORE__FERNET_KEY": "l6Yy0kEJYwWnUz4IyUQnJ0BQ3bYbCq9WZc6K3m0dJXo=",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{n}:{r}" for n, r in PEOPLE.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__API__SECRET_KEY": "a-key-of-the-tests-that-signs-nothing-real",
        "AIRFLOW__API_AUTH__JWT_SECRET": "another-key-of-the-tests-that-signs-nothing-real-at-all-0123456789",
    }


def _started(tables: str) -> Iterator[App]:
    from airflow import plugins_manager, settings
    from airflow.api_fastapi import app as airflow_app
    from airflow.models.base import Base
    from airflow.utils import db as airflow_db

    settings.configure_vars()
    settings.configure_orm()
    settings.prepare_syspath_for_config_and_plugins()
    airflow_db.import_all_models()
    Base.metadata.create_all(settings.engine)
    airflow_db.synchronize_log_template()
    plugins_manager._get_plugins.cache_clear()
    plugins_manager.get_fastapi_plugins.cache_clear()
    airflow_app.purge_cached_app()
    with start_blocking_portal() as portal:
        found = App(airflow_app.create_app(apps="core"), tables, portal)
        yield found
    found.ours.state.database.close()
    airflow_app.purge_cached_app()
    settings.dispose_orm(do_log=False)
