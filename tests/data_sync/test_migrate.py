"""The tables: made once however often it is asked for, and missed in words."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from data_sync import database as database_module
from data_sync import migrate, schema
from data_sync.database import Database
from data_sync.errors import DatabaseError
from tests.data_sync.kit import Child, rows

VERSIONS = Path(migrate.__file__).parent / "migrations" / "versions"


@pytest.fixture
def fresh(
    empty_database: str,
    postgres,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> Database:
    name = re.sub(r".*/(\w+)\?.*", r"\1", empty_database)
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", postgres.airflow_url(name))
    return Database()


def test_the_code_needs_the_newest_migration() -> None:
    newest = max(path.name for path in VERSIONS.glob("[0-9]*.py"))
    assert newest.startswith(f"{schema.REVISION}_")


def test_migrating_twice_changes_nothing(fresh: Database) -> None:
    assert migrate.migrate() == schema.REVISION
    key = rows(fresh, "SELECT hash_key FROM data_sync.installation")
    assert migrate.migrate() == schema.REVISION
    assert rows(fresh, "SELECT hash_key FROM data_sync.installation") == key
    schema.require_current_schema(fresh)
    fresh.close()


def test_machines_that_migrate_at_once_make_the_tables_once(fresh: Database) -> None:
    children = [Child(migrate.migrate) for _ in range(4)]
    assert [child.wait() for child in children] == [0, 0, 0, 0]
    schema.require_current_schema(fresh)
    assert len(rows(fresh, "SELECT 1 FROM data_sync.installation")) == 1
    fresh.close()


def test_every_process_says_which_command_to_run(fresh: Database) -> None:
    with pytest.raises(DatabaseError, match="Run: data-sync migrate"):
        schema.require_current_schema(fresh)
    migrate.migrate()
    with fresh.transaction() as cursor:
        cursor.execute("UPDATE data_sync.schema_version SET version_num = '0000'")
    with pytest.raises(DatabaseError, match="Run: data-sync migrate"):
        schema.require_current_schema(fresh)
    with fresh.transaction() as cursor:
        cursor.execute("UPDATE data_sync.schema_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="newer than this installation"):
        schema.require_current_schema(fresh)
    fresh.close()


def test_a_migration_that_fails_half_way_leaves_nothing(
    fresh: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        real = migrate.command.upgrade
        patch.setattr(migrate.command, "upgrade", lambda *given: (real(*given), fail()))
        with pytest.raises(RuntimeError):
            migrate.migrate()
    assert rows(fresh, "SELECT to_regclass('data_sync.purchases') AS found") == [{"found": None}]
    assert migrate.migrate() == schema.REVISION
    fresh.close()


def migrate_to(revision: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        real = migrate.command.upgrade
        patch.setattr(migrate.command, "upgrade", lambda config, _: real(config, revision))
        migrate.migrate()


def test_what_somebody_has_built_on_a_function_is_named(fresh: Database) -> None:
    migrate_to("0013")
    with fresh.transaction() as cursor:
        cursor.execute("CREATE VIEW public.april AS SELECT * FROM data_sync.purchases_as_of('2026-05-02')")
    with pytest.raises(DatabaseError, match=r"view public.april depends on .* run data-sync migrate again"):
        migrate.migrate()
    with fresh.transaction() as cursor:
        cursor.execute("DROP VIEW public.april")
    assert migrate.migrate() == schema.REVISION
    fresh.close()


def test_what_an_older_history_did_not_keep_is_told_as_unknown(fresh: Database) -> None:
    """Orders and gross amounts came into the history late: of moments before, nobody knows them."""
    migrate_to("0013")
    with fresh.transaction() as cursor:
        cursor.execute(
            "INSERT INTO data_sync.purchases (account, key, network, grain, day, status, orders, "
            "gross_orders, commission, commission_currency, is_correction, raw, digest, first_seen_at, "
            "updated_at, read_at, log_id) VALUES ('boostiny_default', 'a', 'boostiny', 'report_row', "
            "'2026-03-02', NULL, 2, 3, 5, 'USD', false, '{}', '', now(), now(), now(), 1)"
        )
        cursor.execute(
            "INSERT INTO data_sync.purchase_changes (account, key, change, from_commission, to_commission, "
            "log_id) VALUES ('boostiny_default', 'a', 'changed', 4, 5, 1)"
        )
    before = rows(fresh, "SELECT first_seen_at AS then FROM data_sync.purchases")[0]["then"]
    migrate.migrate()
    told = "SELECT commission, orders, gross_orders FROM data_sync.purchases_as_of(%s)"
    assert rows(fresh, told, before) == [{"commission": 4, "orders": None, "gross_orders": None}]
    now = fresh.clock()
    assert rows(fresh, told, now) == [{"commission": 5, "orders": 2, "gross_orders": 3}]
    assert migrate.migrate() == schema.REVISION
    assert rows(fresh, told, now) == [{"commission": 5, "orders": 2, "gross_orders": 3}]
    fresh.close()


def test_a_missing_connection_and_a_dead_server_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_DATA_SYNC", raising=False)
    with pytest.raises(DatabaseError, match="Set AIRFLOW_CONN_DATA_SYNC to a postgresql:// address"):
        database_module.connect()
    monkeypatch.setenv("AIRFLOW_CONN_DATA_SYNC", "postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(DatabaseError, match="does not answer") as dead:
        Database().clock()
    assert not isinstance(dead.value, psycopg.Error)
