"""What an account has used of its limits, calls under way, retried logs, and logs that a pause holds.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# A migration is history: it holds its SQL in full and imports nothing that may change later.
SQL = r"""
SET LOCAL search_path = data_sync;

-- What was used of an allowance, per window of it: windows follow each other from the first call on.
ALTER TABLE rate_limits
    ADD COLUMN IF NOT EXISTS allowed integer,
    ADD COLUMN IF NOT EXISTS per_seconds double precision,
    ADD COLUMN IF NOT EXISTS window_started_at timestamptz,
    ADD COLUMN IF NOT EXISTS window_calls integer NOT NULL DEFAULT 0;

-- Which of the limiter's rows an account's calls count in. Several accounts may share one.
CREATE TABLE IF NOT EXISTS account_limits (
    account text NOT NULL,
    limit_name text NOT NULL,
    identity text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account, limit_name)
);

-- Calls under way, for networks that bear only so many at once. A caller that dies leaves its slot until
-- the end of its lease.
CREATE TABLE IF NOT EXISTS call_slots (
    identity text NOT NULL,
    limit_name text NOT NULL,
    holder text NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (identity, limit_name, holder)
);

-- The log that a run reads again.
ALTER TABLE sync_runs ADD COLUMN IF NOT EXISTS retry_of bigint;
CREATE INDEX IF NOT EXISTS sync_runs_retry_of ON sync_runs (retry_of) WHERE retry_of IS NOT NULL;

-- "held": the DAG was paused while the run was in flight.
ALTER TABLE sync_logs DROP CONSTRAINT IF EXISTS sync_logs_status_check;
ALTER TABLE sync_logs ADD CONSTRAINT sync_logs_status_check CHECK (status IN
    ('pending', 'processing', 'held', 'completed', 'failed', 'skipped', 'superseded', 'cancelled'));
DROP INDEX IF EXISTS sync_logs_open;
CREATE INDEX sync_logs_open ON sync_logs (id) WHERE status IN ('pending', 'processing', 'held');
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
