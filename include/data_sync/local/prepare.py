"""``python -m data_sync.local.prepare``: make both databases ready, in one process.

Airflow takes seconds to import, so that everything that needs it is done here at once: its tables, our
tables, one pool per network and the connections of the sandbox accounts, which then show on the screens.
Running it again changes nothing.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from data_sync import accounts
from data_sync.database import Database
from data_sync.migrate import migrate
from data_sync.pools import make_pools
from network_clients import registry

#: Says where the sandbox networks listen: each account's base URL is this plus its network's slug.
SANDBOX_URL = "DATA_SYNC_SANDBOX_URL"

#: The sandbox's networks bear more calls than the real ones, where the real pace would make a demo long:
#: see ``SANDBOX_OPTIONS`` in :mod:`data_sync.local.stack`.
_SANDBOX_SETTINGS = {"boostiny": {"pace_seconds": "0.05"}}


def main() -> int:
    """Do it all; return 0."""
    from airflow.utils import db

    db.initdb()
    migrate()
    make_pools()
    _make_connections(os.environ[SANDBOX_URL])
    _mirror_accounts()
    return 0


def _make_connections(sandbox_url: str) -> None:
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        for slug in registry.all_networks():
            conn_id = f"{slug}_default"
            known: Any = session.query(Connection).filter(Connection.conn_id == conn_id).one_or_none()
            if known is None:
                known = Connection(conn_id=conn_id, conn_type=registry.facts_of(slug).connection_type)
                # What the sandbox takes from the first publisher of each network.
                if any(field.name == "login" for field in registry.facts_of(slug).fields):
                    known.login = f"sandbox-{slug}-id"
                known.password = f"sandbox-{slug}-secret"
                known.description = "The sandbox: replace its address and credentials by your own."
                known.host = f"{sandbox_url}/{slug}"
                known.set_extra(json.dumps(_SANDBOX_SETTINGS.get(slug, {})))
                session.add(known)
            elif _is_sandbox(known):
                # The sandbox may listen on another port than last time.
                known.host = f"{sandbox_url}/{slug}"


def _mirror_accounts() -> None:
    """Note the accounts, so that quick sync has their groups from the first time it is read."""
    database = Database()
    with database.transaction() as cursor:
        for slug in registry.all_networks():
            accounts.mirror(cursor, f"{slug}_default", exists=True)
    database.close()


def _is_sandbox(connection: Any) -> bool:
    return (connection.host or "").startswith("http://127.0.0.1:")


if __name__ == "__main__":
    sys.exit(main())
