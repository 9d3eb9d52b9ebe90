"""What the logs of past days add up to is kept until one of them changes.

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SQL = r"""
SET LOCAL search_path = data_sync;

-- What the logs of one day add up to, for who sees the same of them (scope). It can be worked out again at any
-- time: after a crash of the server it is gone.
CREATE UNLOGGED TABLE IF NOT EXISTS kept_figures (
    scope text NOT NULL,
    begins timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    figures jsonb NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (scope, begins)
);
CREATE INDEX IF NOT EXISTS kept_figures_begins ON kept_figures (begins);
CREATE INDEX IF NOT EXISTS kept_figures_kept_at ON kept_figures (kept_at);

-- A log that is made, changed or deleted takes away what was kept of its day. Who keeps holds the lock alone;
-- who changes shares it until its change is committed, so that nobody keeps what is about to be wrong. Days
-- are kept when they have been over for seven hours: logs of the last six, nearly all that change, cost nothing.
CREATE OR REPLACE FUNCTION forget_figures() RETURNS trigger LANGUAGE plpgsql SET search_path = data_sync AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('data_sync.kept_figures', 0));
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM kept_figures;
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM kept_figures
        WHERE begins <= OLD.created_at AND begins > OLD.created_at - interval '50 hours' AND ends > OLD.created_at;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        DELETE FROM kept_figures
        WHERE begins <= NEW.created_at AND begins > NEW.created_at - interval '50 hours' AND ends > NEW.created_at;
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER forget_figures_of_new AFTER INSERT ON sync_logs FOR EACH ROW
    WHEN (NEW.created_at < clock_timestamp() - interval '6 hours') EXECUTE FUNCTION forget_figures();
CREATE OR REPLACE TRIGGER forget_figures_of_changed AFTER UPDATE ON sync_logs FOR EACH ROW
    WHEN (LEAST(OLD.created_at, NEW.created_at) < clock_timestamp() - interval '6 hours'
          AND (OLD.status, OLD.counts, OLD.requests, OLD.waited_seconds, OLD.started_at, OLD.finished_at,
               OLD.created_at, OLD.network, OLD.account, OLD.schedule_key, OLD.kind, OLD.requested_by)
              IS DISTINCT FROM
              (NEW.status, NEW.counts, NEW.requests, NEW.waited_seconds, NEW.started_at, NEW.finished_at,
               NEW.created_at, NEW.network, NEW.account, NEW.schedule_key, NEW.kind, NEW.requested_by))
    EXECUTE FUNCTION forget_figures();
CREATE OR REPLACE TRIGGER forget_figures_of_deleted AFTER DELETE ON sync_logs FOR EACH ROW
    WHEN (OLD.created_at < clock_timestamp() - interval '6 hours') EXECUTE FUNCTION forget_figures();
CREATE OR REPLACE TRIGGER forget_all_figures AFTER TRUNCATE ON sync_logs FOR EACH STATEMENT
    EXECUTE FUNCTION forget_figures();

-- The list walks an index alone only where a vacuum has seen the pages: it comes for the newest ones, too.
ALTER TABLE sync_logs SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
