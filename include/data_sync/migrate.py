"""Bring the tables of the database ``data_sync`` to this version, and tell when they are not.

Idempotent, and safe when two machines start it at once: a lock inside the transaction lets one of them
work and the other find everything done.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from data_sync import database
from data_sync.database import Database, one
from data_sync.errors import DatabaseError

_LOCK = 0x0DA7A5_1C
_FOLDER = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    return config


@cache
def head() -> str:
    """Return the revision that this version of the code needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise DatabaseError("No migration is shipped with this installation: install the package again.")
    return str(revision)


def migrate() -> str:
    """Create or upgrade every table; return the revision reached.

    :raises DatabaseError: when the server does not answer or is older than PostgreSQL 14.
    """
    connection = database.connect()
    _refuse_old_server(connection)
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=None)
    config = _config()
    with engine.begin() as bind:
        bind.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        bind.execute(sqlalchemy.text("CREATE SCHEMA IF NOT EXISTS data_sync"))
        config.attributes["connection"] = bind
        command.upgrade(config, "head")
    engine.dispose()
    return head()


def _refuse_old_server(connection: psycopg.Connection[object]) -> None:
    if connection.info.server_version < 140000:
        raise DatabaseError("PostgreSQL 14 or newer is needed; this server is older. Upgrade it first.")


def require_current_schema(db: Database) -> None:
    """Raise unless the tables are at the revision that this code needs.

    :raises DatabaseError: saying which command to run.
    """
    with db.transaction() as cursor:
        known = one(cursor.execute("SELECT to_regclass('data_sync.schema_version') AS found").fetchone())
        row = known["found"] and cursor.execute("SELECT version_num FROM data_sync.schema_version").fetchone()
    found = row["version_num"] if row else None
    if found == head():
        return
    if found is not None and not _is_known(found):
        raise DatabaseError(
            f"The tables of data_sync are at revision {found}, which is newer than this installation. "
            "Upgrade the package affiliate-data-sync on this machine."
        )
    raise DatabaseError("The tables of data_sync are missing or behind. Run: data-sync migrate")


def _is_known(revision: str) -> bool:
    return any(
        script.revision == revision for script in ScriptDirectory.from_config(_config()).walk_revisions()
    )
