"""A schedule may begin paused; one made again is not paused by its predecessor; permissions are watched.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQL = r"""
SET LOCAL search_path = data_sync;

-- The status that a schedule was made with: Airflow's pause switch rules ever after.
ALTER TABLE sync_schedules ADD COLUMN IF NOT EXISTS starts_paused boolean NOT NULL DEFAULT false;
-- Where a deleted key was made again: 'due' until Airflow's switch has been looked at, 'held' when it still
-- says what it said of the deleted one.
ALTER TABLE sync_schedules ADD COLUMN IF NOT EXISTS pause_switch text;
ALTER TABLE sync_schedules DROP CONSTRAINT IF EXISTS sync_schedules_pause_switch;
ALTER TABLE sync_schedules ADD CONSTRAINT sync_schedules_pause_switch CHECK (pause_switch IN ('due', 'held'));

DROP TRIGGER IF EXISTS count_change ON sync_schedules;
CREATE TRIGGER count_change AFTER INSERT OR DELETE OR UPDATE OF definition, problems, deleted_at, pause_switch
    ON sync_schedules FOR EACH STATEMENT EXECUTE FUNCTION count_catalogue_change();
-- Who may use which account decides which schedules have a problem.
DROP TRIGGER IF EXISTS count_everyone ON accounts;
CREATE TRIGGER count_everyone AFTER UPDATE OF everyone ON accounts
    FOR EACH ROW WHEN (OLD.everyone IS DISTINCT FROM NEW.everyone) EXECUTE FUNCTION count_catalogue_change();
DROP TRIGGER IF EXISTS count_change ON account_grants;
CREATE TRIGGER count_change AFTER INSERT OR DELETE ON account_grants
    FOR EACH ROW EXECUTE FUNCTION count_catalogue_change();
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
