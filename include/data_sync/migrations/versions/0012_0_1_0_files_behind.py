"""What each DAG file of schedules was built of, and what it is due to hold: who has pushed asks for these.

Revision ID: 0012
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SQL = r"""
SET LOCAL search_path = data_sync;

ALTER TABLE dag_file_reads
    ALTER COLUMN read_at DROP NOT NULL,
    -- A digest of what the last read has built its DAGs of, and of what the newest snapshot has for it.
    ADD COLUMN IF NOT EXISTS holds text,
    ADD COLUMN IF NOT EXISTS due text;
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
