"""The history also holds orders and gross amounts, and so does the past.

Revision ID: 0014
"""

from alembic import op
from psycopg.errors import DependentObjectsStillExist

from data_sync.errors import DatabaseError

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SQL = r"""
SET LOCAL search_path = data_sync;

ALTER TABLE purchase_changes
    ADD COLUMN IF NOT EXISTS from_orders integer,
    ADD COLUMN IF NOT EXISTS to_orders integer,
    ADD COLUMN IF NOT EXISTS from_gross_orders integer,
    ADD COLUMN IF NOT EXISTS to_gross_orders integer,
    ADD COLUMN IF NOT EXISTS from_gross_sale_amount numeric,
    ADD COLUMN IF NOT EXISTS to_gross_sale_amount numeric,
    ADD COLUMN IF NOT EXISTS from_gross_commission numeric,
    ADD COLUMN IF NOT EXISTS to_gross_commission numeric;

-- A purchase stood at a moment as the first change after that moment says it had been before, and where
-- none came after, as it stands now. What was recorded before this revision tells nothing about orders and
-- gross amounts, which is not the same as "there were none": of moments before, they are empty. The moment is
-- written into the function, so that nobody needs a right on another table. One statement without side
-- effects: the planner puts it into the query that calls it, so conditions on account and day reach the
-- tables. Dropped first, as it returns more now, at its end.
DROP FUNCTION IF EXISTS purchases_as_of(timestamptz);
DO $create$
BEGIN
    EXECUTE format($function$
CREATE FUNCTION purchases_as_of(moment timestamptz)
RETURNS TABLE (account text, key text, network text, grain text, traffic text, day date,
    occurred_at timestamptz, campaign_key text, campaign_name text, coupon_code text, order_ref text,
    status text, status_word text, sale_amount numeric, sale_currency text, commission numeric,
    commission_currency text, first_seen_at timestamptz, orders integer, gross_orders integer,
    gross_sale_amount numeric, gross_commission numeric)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT p.account, p.key, p.network, p.grain, p.traffic, p.day, p.occurred_at, p.campaign_key,
        p.campaign_name, p.coupon_code, p.order_ref,
        CASE WHEN c.id IS NULL THEN p.status ELSE c.from_status END,
        CASE WHEN c.id IS NULL THEN p.status_word ELSE c.from_status_word END,
        CASE WHEN c.id IS NULL THEN p.sale_amount ELSE c.from_sale_amount END,
        CASE WHEN c.id IS NULL THEN p.sale_currency ELSE c.from_sale_currency END,
        CASE WHEN c.id IS NULL THEN p.commission ELSE c.from_commission END,
        CASE WHEN c.id IS NULL THEN p.commission_currency ELSE c.from_commission_currency END,
        p.first_seen_at,
        CASE WHEN moment < %1$L THEN NULL WHEN c.id IS NULL THEN p.orders ELSE c.from_orders END,
        CASE WHEN moment < %1$L THEN NULL
             WHEN c.id IS NULL THEN p.gross_orders ELSE c.from_gross_orders END,
        CASE WHEN moment < %1$L THEN NULL
             WHEN c.id IS NULL THEN p.gross_sale_amount ELSE c.from_gross_sale_amount END,
        CASE WHEN moment < %1$L THEN NULL
             WHEN c.id IS NULL THEN p.gross_commission ELSE c.from_gross_commission END
    FROM data_sync.purchases p
    LEFT JOIN (
        SELECT DISTINCT ON (h.account, h.key) h.* FROM data_sync.purchase_changes h
        WHERE h.recorded_at > moment
        ORDER BY h.account, h.key, h.id
    ) c ON c.account = p.account AND c.key = p.key
    WHERE p.first_seen_at <= moment
      AND CASE WHEN c.id IS NULL THEN p.vanished_at IS NULL ELSE c.change <> 'returned' END
$$$function$, clock_timestamp());
END
$create$;
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    try:
        op.get_bind().connection.driver_connection.execute(SQL)
    except DependentObjectsStillExist as error:
        raise DatabaseError(
            "The function data_sync.purchases_as_of gets more columns, and something of yours is built on it: "
            f"{error.diag.message_detail}. Drop that, run data-sync migrate again, then make it anew."
        ) from error


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
