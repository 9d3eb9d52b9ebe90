"""Which revision of the tables this version of the code needs, and the check for it.

Apart from :mod:`data_sync.migrate`, because every task checks and none should import Alembic for it.
"""

from __future__ import annotations

from data_sync.database import Database, one
from data_sync.errors import DatabaseError

#: The newest file in ``migrations/versions``; a test compares the two.
REVISION = "0014"


def require_current_schema(db: Database) -> None:
    """Raise unless the tables are at the revision that this code needs.

    :raises DatabaseError: saying which command to run.
    """
    with db.transaction() as cursor:
        known = one(cursor.execute("SELECT to_regclass('data_sync.schema_version') AS found").fetchone())
        row = known["found"] and cursor.execute("SELECT version_num FROM data_sync.schema_version").fetchone()
    found = row["version_num"] if row else None
    if found is None or found < REVISION:
        raise DatabaseError(
            f"The tables of data_sync are missing or behind (revision {found or 'none'}, needed {REVISION}). "
            "Run: data-sync migrate"
        )
    if found > REVISION:
        raise DatabaseError(
            f"The tables of data_sync are at revision {found}, newer than this installation ({REVISION}). "
            "Upgrade the package affiliate-data-sync on this machine."
        )
