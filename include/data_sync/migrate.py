"""Bring the tables of the database ``data_sync`` to this version.

Idempotent, and safe when two machines start it at once: a lock inside the transaction lets one of them
work and the other find everything done.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config

from data_sync import database
from data_sync.errors import DatabaseError
from data_sync.schema import REVISION
from network_clients import registry

_LOCK = 0x0DA7A5_1C
_FOLDER = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    return config


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
        _write_networks(bind)
    engine.dispose()
    return REVISION


def _write_networks(bind: sqlalchemy.Connection) -> None:
    """Tell the database what each network declares, for the views that depend on it."""
    statement = sqlalchemy.text(
        """
        INSERT INTO data_sync.networks
            (network, title, reports_status, reports_paid, settles_after_days, horizon_days)
        VALUES (:slug, :title, :reports_status, :reports_paid, :settles_after_days, :horizon_days)
        ON CONFLICT (network) DO UPDATE SET title = excluded.title,
            reports_status = excluded.reports_status, reports_paid = excluded.reports_paid,
            settles_after_days = excluded.settles_after_days, horizon_days = excluded.horizon_days
        """
    )
    for slug in registry.all_networks():
        bind.execute(statement, vars(registry.facts_of(slug)))


def _refuse_old_server(connection: psycopg.Connection[object]) -> None:
    if connection.info.server_version < 140000:
        raise DatabaseError("PostgreSQL 14 or newer is needed; this server is older. Upgrade it first.")
