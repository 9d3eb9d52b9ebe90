"""A sync of rows that have not changed writes next to nothing.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# A migration is history: it holds its SQL in full and imports nothing that may change later.
SQL = r"""
SET LOCAL search_path = data_sync;

-- What a read in progress has seen. After a crash of the server it is gone, and the read begins again.
ALTER TABLE sync_step_pages SET UNLOGGED;
ALTER TABLE sync_step_pages DROP COLUMN IF EXISTS last_item;
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
