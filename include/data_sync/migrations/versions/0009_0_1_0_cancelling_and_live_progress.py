"""Logs can be cancelled while they run, and whoever watches them learns of every change.

Revision ID: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SQL = r"""
SET LOCAL search_path = data_sync;

-- Who wants a log to end, and since when; a unit of it that has not ended is marked with the same name.
ALTER TABLE sync_logs ADD COLUMN IF NOT EXISTS cancel_requested_by text,
    ADD COLUMN IF NOT EXISTS cancel_requested_at timestamptz;
ALTER TABLE sync_log_steps ADD COLUMN IF NOT EXISTS cancelled_by text;

-- The transaction that changed a row last. Together with a snapshot of which transactions were seen, it says
-- exactly what has changed since, whatever the order of commits. Rows from before have none.
ALTER TABLE sync_logs ADD COLUMN IF NOT EXISTS changed_in xid8;
ALTER TABLE sync_log_steps ADD COLUMN IF NOT EXISTS changed_in xid8;
CREATE INDEX IF NOT EXISTS sync_logs_changed ON sync_logs (changed_in) WHERE changed_in IS NOT NULL;

-- Who wants to be told at once; each api-server in which somebody watches, renewed while it does.
CREATE UNLOGGED TABLE IF NOT EXISTS event_listeners (
    holder text PRIMARY KEY,
    until timestamptz NOT NULL
);

-- Transactions that send a message are committed one after another, in all databases of the server: none is
-- sent while nobody watches. It is always the same, so that a transaction sends one however much it changes.
CREATE OR REPLACE FUNCTION note_progress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_in := pg_current_xact_id();
    IF EXISTS (SELECT 1 FROM data_sync.event_listeners WHERE until > clock_timestamp()) THEN
        PERFORM pg_notify('data_sync_progress', '');
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS note_progress ON sync_logs;
CREATE TRIGGER note_progress BEFORE INSERT OR UPDATE ON sync_logs
    FOR EACH ROW EXECUTE FUNCTION note_progress();
DROP TRIGGER IF EXISTS note_progress ON sync_log_steps;
CREATE TRIGGER note_progress BEFORE INSERT OR UPDATE ON sync_log_steps
    FOR EACH ROW EXECUTE FUNCTION note_progress();
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
