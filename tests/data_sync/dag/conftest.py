"""What tests of DAGs share: one process with Airflow loaded, and Airflow's own tables."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from data_sync.dag import reparse
from data_sync.local.postgres import EmbeddedPostgres
from tests.data_sync.dag.metadata import Metadata
from tests.data_sync.dag.parsing import Parser


@pytest.fixture(scope="session")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parser]:
    """One process for all tests that parse DAG files."""
    found = Parser(tmp_path_factory.mktemp("airflow"))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def tables(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The address of a database with Airflow's own tables, which this process takes for Airflow's."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS metadata WITH (FORCE)")
        admin.execute("CREATE DATABASE metadata")
    with pytest.MonkeyPatch.context() as patch:
        address = postgres.url("metadata", "postgresql+psycopg")
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", address)
        from airflow import settings
        from airflow.models.base import Base
        from airflow.utils import db as airflow_db

        settings.configure_vars()
        settings.configure_orm()
        airflow_db.import_all_models()
        Base.metadata.create_all(settings.engine)
        yield postgres.url("metadata")
        settings.dispose_orm(do_log=False)
    settings.configure_vars()
    settings.configure_orm()


@pytest.fixture
def metadata(tables: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Metadata]:
    """Airflow's database as after the first parse of our files."""
    found = Metadata(tables)
    found.know("quick_sync", "quick_sync.py")
    found.know("data_sync_upkeep", "data_sync_upkeep.py")
    yield found
    reparse._asker.forget()
    found.rows("TRUNCATE dag, dag_bundle, dag_priority_parsing_request, log CASCADE")
