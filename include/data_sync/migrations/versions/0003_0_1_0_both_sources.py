"""A schedule of git and one of the screens may have the same key; what changed since when can be asked.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# A migration is history: it holds its SQL in full and imports nothing that may change later.
SQL = r"""
SET LOCAL search_path = data_sync;

-- Each source keeps its own entry: YAML wins while it has the key, and nothing of the other one is lost.
ALTER TABLE sync_schedules DROP CONSTRAINT IF EXISTS sync_schedules_pkey;
ALTER TABLE sync_schedules ADD PRIMARY KEY (key, source);
-- The last definition that became a DAG; differs from definition when that one could not.
ALTER TABLE sync_schedules ADD COLUMN IF NOT EXISTS last_good jsonb;
-- Why the definition could not become a DAG, where it could not.
ALTER TABLE sync_schedules ADD COLUMN IF NOT EXISTS build_problem text;

-- One row: grows with every change of a definition, in the order in which changes are committed.
CREATE TABLE IF NOT EXISTS catalogue_state (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    revision bigint NOT NULL DEFAULT 1
);
INSERT INTO catalogue_state DEFAULT VALUES ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION count_catalogue_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE data_sync.catalogue_state SET revision = revision + 1;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS count_change ON sync_schedules;
CREATE TRIGGER count_change AFTER INSERT OR DELETE OR UPDATE OF definition, problems, deleted_at
    ON sync_schedules FOR EACH STATEMENT EXECUTE FUNCTION count_catalogue_change();
-- Which accounts exist decides which groups quick_sync has.
DROP TRIGGER IF EXISTS count_change ON accounts;
CREATE TRIGGER count_change AFTER UPDATE OF state ON accounts
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION count_catalogue_change();
DROP TRIGGER IF EXISTS count_new ON accounts;
CREATE TRIGGER count_new AFTER INSERT ON accounts
    FOR EACH ROW EXECUTE FUNCTION count_catalogue_change();

-- Who is buying an access token right now, so that others wait for it instead of buying one more.
CREATE TABLE IF NOT EXISTS token_purchases (
    identity text PRIMARY KEY,
    until timestamptz NOT NULL
);
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
