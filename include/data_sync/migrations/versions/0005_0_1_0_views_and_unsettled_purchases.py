"""Views for people, purchases as of a moment, and what is still unsettled.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# A migration is history: it holds its SQL in full and imports nothing that may change later.
SQL = r"""
SET LOCAL search_path = data_sync;

-- What each network declares about its rows: written anew by every `data-sync migrate`.
CREATE TABLE IF NOT EXISTS networks (
    network text PRIMARY KEY,
    title text NOT NULL,
    reports_status boolean NOT NULL,
    reports_paid boolean NOT NULL,
    settles_after_days integer NOT NULL,
    horizon_days integer NOT NULL
);

-- What a step of a maturity sweep has planned; NULL for every other step.
ALTER TABLE sync_log_steps ADD COLUMN IF NOT EXISTS sweep jsonb;

-- What maturity sweeps know of a network's days, so that none is looked at more often than it is due. An
-- index over unsettled rows would tell the same, but each new row and each change of a status would pay.
CREATE TABLE IF NOT EXISTS day_maturity (
    account text NOT NULL,
    day date NOT NULL,
    -- When the day held no unsettled row.
    settled_at timestamptz,
    -- Up to when its changes are known from a read by change.
    changes_at timestamptz,
    PRIMARY KEY (account, day)
);
-- Changes are only ever appended, so a few bytes per 128 pages tell where those after a moment begin.
CREATE INDEX IF NOT EXISTS purchase_changes_recorded ON purchase_changes USING brin (recorded_at);

CREATE OR REPLACE VIEW current_purchases AS
SELECT account, key, network, grain, traffic, day, occurred_at, clicked_at, closed_at, changed_at,
    campaign_key, campaign_name, coupon_code, order_ref, status, status_word, orders, gross_orders,
    sale_amount, sale_currency, commission, commission_currency, gross_sale_amount, gross_commission,
    currency_source, is_correction, corrects_key, country, sub_ids, first_seen_at, updated_at
FROM purchases
WHERE vanished_at IS NULL;

-- A purchase stood at a moment as the first change after that moment says it had been before, and where
-- none came after, as it stands now. One statement without side effects: the planner puts it into the query
-- that calls it, so conditions on account and day reach the tables.
CREATE OR REPLACE FUNCTION purchases_as_of(moment timestamptz)
RETURNS TABLE (account text, key text, network text, grain text, traffic text, day date,
    occurred_at timestamptz, campaign_key text, campaign_name text, coupon_code text, order_ref text,
    status text, status_word text, sale_amount numeric, sale_currency text, commission numeric,
    commission_currency text, first_seen_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT p.account, p.key, p.network, p.grain, p.traffic, p.day, p.occurred_at, p.campaign_key,
        p.campaign_name, p.coupon_code, p.order_ref,
        CASE WHEN c.id IS NULL THEN p.status ELSE c.from_status END,
        CASE WHEN c.id IS NULL THEN p.status_word ELSE c.from_status_word END,
        CASE WHEN c.id IS NULL THEN p.sale_amount ELSE c.from_sale_amount END,
        CASE WHEN c.id IS NULL THEN p.sale_currency ELSE c.from_sale_currency END,
        CASE WHEN c.id IS NULL THEN p.commission ELSE c.from_commission END,
        CASE WHEN c.id IS NULL THEN p.commission_currency ELSE c.from_commission_currency END,
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

-- Orders are summed, never counted: a report row stands for several, or for none.
CREATE OR REPLACE VIEW daily_revenue AS
SELECT day, network, account, campaign_key, max(campaign_name) AS campaign_name, coupon_code,
    COALESCE(status, 'not reported') AS status,
    sum(orders) AS orders, sum(gross_orders) AS gross_orders,
    sum(commission) AS commission, sum(gross_commission) AS gross_commission, commission_currency,
    sum(sale_amount) AS sales, sum(gross_sale_amount) AS gross_sales, sale_currency
FROM purchases
WHERE vanished_at IS NULL
GROUP BY day, network, account, campaign_key, CASE WHEN campaign_key IS NULL THEN campaign_name END,
    coupon_code, COALESCE(status, 'not reported'), commission_currency, sale_currency;

-- Money that may still change: pending rows and those whose word nobody knows; approved ones where the
-- network tells when it pays; and where rows have no status, those younger than the network takes to settle.
CREATE OR REPLACE FUNCTION unsettled_purchases(on_day date DEFAULT (now() AT TIME ZONE 'UTC')::date)
RETURNS TABLE (account text, key text, network text, day date, age_days integer, campaign_key text,
    campaign_name text, coupon_code text, status text, orders integer, commission numeric,
    commission_currency text, sale_amount numeric, sale_currency text)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT p.account, p.key, p.network, p.day, on_day - p.day, p.campaign_key, p.campaign_name,
        p.coupon_code, COALESCE(p.status, 'not reported'), p.orders, p.commission, p.commission_currency,
        p.sale_amount, p.sale_currency
    FROM data_sync.purchases p JOIN data_sync.networks n ON n.network = p.network
    WHERE p.vanished_at IS NULL
      AND (p.status IS NULL OR p.status IN ('pending', 'approved', 'unknown'))
      AND (p.status <> 'approved' OR n.reports_paid OR p.status IS NULL)
      AND (p.status IS NOT NULL OR p.day >= on_day - n.settles_after_days)
$$;

CREATE OR REPLACE VIEW unsettled_money AS
SELECT account, network,
    CASE WHEN age_days <= 7 THEN 'up to 7 days' WHEN age_days <= 30 THEN '8 to 30 days'
         WHEN age_days <= 90 THEN '31 to 90 days' ELSE 'over 90 days' END AS age,
    min(day) AS oldest_day, status, sum(orders) AS orders,
    sum(commission) AS commission, commission_currency, sum(sale_amount) AS sales, sale_currency
FROM unsettled_purchases()
GROUP BY account, network, 3, status, commission_currency, sale_currency;
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup of the database data_sync that was taken before.")
