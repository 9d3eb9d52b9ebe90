"""Logs can be looked for by text, time, status, network and schedule, at the same cost however many there are.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SQL = r"""
SET LOCAL search_path = data_sync;

-- What people look for in a log. The words are cut at every sign, so that admitad_shop2 is found by shop2.
ALTER TABLE sync_logs ADD COLUMN IF NOT EXISTS words tsvector GENERATED ALWAYS AS (
    to_tsvector('simple', translate(
        schedule_name || ' ' || COALESCE(schedule_key, '') || ' ' || account || ' '
        || COALESCE(requested_by, '') || ' ' || COALESCE(reason, '') || ' '
        || COALESCE(left(error ->> 'message', 2000), ''),
        '-_.,:;/@''"()', '            '))) STORED;
CREATE INDEX IF NOT EXISTS sync_logs_words ON sync_logs USING gin (words);

-- The list is in the order of time: this one walks it, and holds what it is filtered by, so that the table
-- itself need not be looked at.
CREATE INDEX IF NOT EXISTS sync_logs_time ON sync_logs (created_at DESC, id DESC)
    INCLUDE (status, network, account, schedule_key, kind, sync_type, requested_by);
-- What is rare is found at once by these.
CREATE INDEX IF NOT EXISTS sync_logs_status_time ON sync_logs (status, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS sync_logs_schedule_time ON sync_logs (schedule_key, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS sync_logs_account_time ON sync_logs (account, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS sync_logs_requested_time ON sync_logs (requested_by, created_at DESC, id DESC)
    WHERE requested_by IS NOT NULL;

-- The rows that a log has set aside.
CREATE INDEX IF NOT EXISTS rejected_records_first_log ON rejected_records (first_log_id);
CREATE INDEX IF NOT EXISTS rejected_records_last_log ON rejected_records (last_log_id);
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
