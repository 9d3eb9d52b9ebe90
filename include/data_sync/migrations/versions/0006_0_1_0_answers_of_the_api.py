"""Answers of the REST API, kept for a day so that what is sent twice is done once; runs of a day by schedule.

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A migration is history: it holds its SQL in full and imports nothing that may change later.
SQL = r"""
SET LOCAL search_path = data_sync;

-- One row per Idempotency-Key of a person. Without a status, the request is being handled, until its lease
-- ends: then whoever sends it again goes on.
CREATE TABLE IF NOT EXISTS api_answers (
    who text NOT NULL,
    key text NOT NULL,
    request_hash text NOT NULL,
    lease_until timestamptz NOT NULL,
    status integer,
    headers jsonb NOT NULL DEFAULT '{}',
    body text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (who, key)
);
CREATE INDEX IF NOT EXISTS api_answers_age ON api_answers (created_at);

-- How many runs a schedule had today, and what somebody has started by hand lately.
CREATE INDEX IF NOT EXISTS sync_runs_opened ON sync_runs (schedule_key, opened_at);
CREATE INDEX IF NOT EXISTS sync_runs_by_hand ON sync_runs (id) WHERE dag_id = 'quick_sync';
CREATE INDEX IF NOT EXISTS sync_runs_by_whose_hand ON sync_runs (requested_by, id)
    WHERE dag_id = 'quick_sync';
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
