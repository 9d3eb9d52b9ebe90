"""The history also holds orders and gross amounts, and so does the past.

Revision ID: 0014
"""

from alembic import op

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

-- What was recorded before tells nothing about these columns, which is not the same as "there were none".
ALTER TABLE installation ADD COLUMN IF NOT EXISTS whole_history_since timestamptz NOT NULL
    DEFAULT clock_timestamp();

-- A purchase stood at a moment as the first change after that moment says it had been before, and where
-- none came after, as it stands now. One statement without side effects: the planner puts it into the query
-- that calls it, so conditions on account and day reach the tables. Dropped first, as it returns more now.
DROP FUNCTION IF EXISTS purchases_as_of(timestamptz);
CREATE FUNCTION purchases_as_of(moment timestamptz)
RETURNS TABLE (account text, key text, network text, grain text, traffic text, day date,
    occurred_at timestamptz, campaign_key text, campaign_name text, coupon_code text, order_ref text,
    status text, status_word text, orders integer, gross_orders integer, sale_amount numeric,
    sale_currency text, commission numeric, commission_currency text, gross_sale_amount numeric,
    gross_commission numeric, first_seen_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT p.account, p.key, p.network, p.grain, p.traffic, p.day, p.occurred_at, p.campaign_key,
        p.campaign_name, p.coupon_code, p.order_ref,
        CASE WHEN c.id IS NULL THEN p.status ELSE c.from_status END,
        CASE WHEN c.id IS NULL THEN p.status_word ELSE c.from_status_word END,
        CASE WHEN moment < (SELECT whole_history_since FROM data_sync.installation) THEN NULL
             WHEN c.id IS NULL THEN p.orders ELSE c.from_orders END,
        CASE WHEN moment < (SELECT whole_history_since FROM data_sync.installation) THEN NULL
             WHEN c.id IS NULL THEN p.gross_orders ELSE c.from_gross_orders END,
        CASE WHEN c.id IS NULL THEN p.sale_amount ELSE c.from_sale_amount END,
        CASE WHEN c.id IS NULL THEN p.sale_currency ELSE c.from_sale_currency END,
        CASE WHEN c.id IS NULL THEN p.commission ELSE c.from_commission END,
        CASE WHEN c.id IS NULL THEN p.commission_currency ELSE c.from_commission_currency END,
        CASE WHEN moment < (SELECT whole_history_since FROM data_sync.installation) THEN NULL
             WHEN c.id IS NULL THEN p.gross_sale_amount ELSE c.from_gross_sale_amount END,
        CASE WHEN moment < (SELECT whole_history_since FROM data_sync.installation) THEN NULL
             WHEN c.id IS NULL THEN p.gross_commission ELSE c.from_gross_commission END,
        p.first_seen_at
    FROM data_sync.purchases p
    LEFT JOIN (
        SELECT DISTINCT ON (h.account, h.key) h.* FROM data_sync.purchase_changes h
        WHERE h.recorded_at > moment
        ORDER BY h.account, h.key, h.id
    ) c ON c.account = p.account AND c.key = p.key
    WHERE p.first_seen_at <= moment
      AND CASE WHEN c.id IS NULL THEN p.vanished_at IS NULL ELSE c.change <> 'returned' END
$$;
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
