"""When the dag-processor last began to read each DAG file of schedules: who waits for an edit looks here.

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SQL = r"""
SET LOCAL search_path = data_sync;

CREATE TABLE IF NOT EXISTS dag_file_reads (
    file text PRIMARY KEY,
    -- When the transaction began in which the read asked for the catalogue's revision: what was committed
    -- before is in it.
    read_at timestamptz NOT NULL
);
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
