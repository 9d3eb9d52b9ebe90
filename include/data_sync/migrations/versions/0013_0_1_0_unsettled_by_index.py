"""Purchases that may still change are found by an index: coverage and sweeps ask for them day by day.

Revision ID: 0013
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SQL = r"""
SET LOCAL search_path = data_sync;

-- Most purchases are settled, so it stays small. Its condition is a part of that of unsettled_purchases().
CREATE INDEX IF NOT EXISTS purchases_unsettled ON purchases (account, day)
    WHERE vanished_at IS NULL AND (status IS NULL OR status IN ('pending', 'approved', 'unknown'));
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
