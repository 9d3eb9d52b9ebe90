"""The first tables: accounts, schedules, runs, logs, steps, rows, limits.

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A migration is history: it holds its SQL in full and imports nothing that may change later.
SQL = r"""
CREATE SCHEMA IF NOT EXISTS data_sync;
SET LOCAL search_path = data_sync;

-- One row: what identifies this installation. hash_key keys the hashes of what networks count by.
CREATE TABLE IF NOT EXISTS installation (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    hash_key text NOT NULL DEFAULT replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO installation DEFAULT VALUES ON CONFLICT DO NOTHING;

-- Airflow connections of networks, mirrored: who may use them, whether they exist, what a check found.
CREATE TABLE IF NOT EXISTS accounts (
    account text PRIMARY KEY,
    network text NOT NULL,
    everyone boolean NOT NULL DEFAULT false,
    state text NOT NULL DEFAULT 'unknown' CHECK (state IN ('present', 'missing', 'unknown')),
    seen_at timestamptz,
    check_verdict text,
    check_detail jsonb,
    checked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS account_grants (
    account text NOT NULL REFERENCES accounts ON DELETE CASCADE,
    grantee text NOT NULL,
    granted_by text,
    granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account, grantee)
);

-- Every schedule, from git (yaml) and from the screens (postgres).
CREATE TABLE IF NOT EXISTS sync_schedules (
    key text PRIMARY KEY CHECK (key ~ '^[a-z0-9][a-z0-9_-]{0,99}$'),
    source text NOT NULL CHECK (source IN ('yaml', 'postgres')),
    owner text,
    name text NOT NULL,
    definition jsonb NOT NULL,
    definition_hash text NOT NULL,
    problems jsonb NOT NULL DEFAULT '[]',
    yaml_line integer,
    revision bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at timestamptz
);
-- The state of config/schedules.yaml as last mirrored: one row.
CREATE TABLE IF NOT EXISTS yaml_mirror (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    content_hash text NOT NULL,
    revision bigint NOT NULL,
    problems jsonb NOT NULL DEFAULT '[]',
    mirrored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row per DAG run that reached open_run, with the definition in force.
CREATE TABLE IF NOT EXISTS sync_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    schedule_key text,
    schedule_name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('scheduled', 'run_now', 'backfill', 'quick_sync', 'retry', 'check')),
    requested_by text,
    anchor timestamptz NOT NULL,
    timezone text NOT NULL,
    sync_type text NOT NULL,
    range_name text NOT NULL,
    first_day date,
    last_day date,
    definition jsonb NOT NULL,
    units jsonb NOT NULL DEFAULT '[]',
    guard text NOT NULL DEFAULT 'not_counted'
        CHECK (guard IN ('not_counted', 'claimed', 'refused', 'given_back')),
    guard_day date,
    refusal text,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz,
    UNIQUE (dag_id, run_id)
);
CREATE INDEX IF NOT EXISTS sync_runs_guard ON sync_runs (schedule_key, guard_day) WHERE guard = 'claimed';
CREATE INDEX IF NOT EXISTS sync_runs_open ON sync_runs (id) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS sync_runs_schedule ON sync_runs (schedule_key, id DESC);

-- Who may run a schedule right now (law 9).
CREATE TABLE IF NOT EXISTS schedule_leases (
    schedule_key text PRIMARY KEY,
    sync_run bigint NOT NULL REFERENCES sync_runs ON DELETE CASCADE,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row per run and account: what people look at.
CREATE TABLE IF NOT EXISTS sync_logs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sync_run bigint NOT NULL REFERENCES sync_runs ON DELETE CASCADE,
    account text NOT NULL,
    network text NOT NULL,
    schedule_key text,
    schedule_name text NOT NULL,
    kind text NOT NULL,
    sync_type text NOT NULL,
    requested_by text,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'processing', 'completed', 'failed', 'skipped', 'superseded', 'cancelled')),
    reason text,
    -- Fingerprint of the account's settings that decide which rows a read finds (law 13).
    scope text,
    tries integer NOT NULL DEFAULT 0,
    requests bigint NOT NULL DEFAULT 0,
    waited_seconds numeric(12, 3) NOT NULL DEFAULT 0,
    counts jsonb NOT NULL DEFAULT '{}',
    error jsonb,
    warnings jsonb NOT NULL DEFAULT '[]',
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (sync_run, account)
);
CREATE INDEX IF NOT EXISTS sync_logs_open ON sync_logs (id) WHERE status IN ('pending', 'processing');
CREATE INDEX IF NOT EXISTS sync_logs_account ON sync_logs (account, id DESC);
CREATE INDEX IF NOT EXISTS sync_logs_schedule ON sync_logs (schedule_key, id DESC);

-- One row per work unit: its lease, its checkpoint, its own counts.
CREATE TABLE IF NOT EXISTS sync_log_steps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    log_id bigint NOT NULL REFERENCES sync_logs ON DELETE CASCADE,
    unit_index integer NOT NULL,
    kind text NOT NULL,
    label text NOT NULL,
    first_day date,
    last_day date,
    date_filter text,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'processing', 'waiting', 'retrying', 'completed', 'failed', 'skipped', 'superseded',
         'cancelled')),
    reason text,
    holder text,
    lease_until timestamptz,
    waiting_until timestamptz,
    tries integer NOT NULL DEFAULT 0,
    checkpoint jsonb,
    resumed boolean NOT NULL DEFAULT false,
    is_complete boolean NOT NULL DEFAULT false,
    superseded_by bigint,
    pages integer NOT NULL DEFAULT 0,
    items_expected bigint,
    requests bigint NOT NULL DEFAULT 0,
    waited_seconds numeric(12, 3) NOT NULL DEFAULT 0,
    rows_read bigint NOT NULL DEFAULT 0,
    rows_inserted bigint NOT NULL DEFAULT 0,
    rows_updated bigint NOT NULL DEFAULT 0,
    rows_unchanged bigint NOT NULL DEFAULT 0,
    rows_outdated bigint NOT NULL DEFAULT 0,
    rows_rejected bigint NOT NULL DEFAULT 0,
    rows_vanished bigint NOT NULL DEFAULT 0,
    error jsonb,
    warnings jsonb NOT NULL DEFAULT '[]',
    started_at timestamptz,
    finished_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (log_id, unit_index)
);

-- The keys (as 64-bit hashes) that a read in progress has seen, per page: what tells which rows a
-- complete read did not find, and whether a broken-off read may go on. Deleted when the unit ends.
CREATE TABLE IF NOT EXISTS sync_step_pages (
    step_id bigint NOT NULL REFERENCES sync_log_steps ON DELETE CASCADE,
    slice text NOT NULL,
    page integer NOT NULL,
    last_item text,
    key_hashes bigint[] NOT NULL,
    PRIMARY KEY (step_id, slice, page)
);

-- Reads of a whole window, per day: the order of versions where a network has no change time (law 12).
-- A catalogue snapshot has no day: it is filed under 0001-01-01.
CREATE TABLE IF NOT EXISTS reads (
    account text NOT NULL,
    kind text NOT NULL,
    date_filter text NOT NULL,
    day date NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    log_id bigint NOT NULL,
    step_id bigint NOT NULL,
    PRIMARY KEY (account, kind, date_filter, day)
);

CREATE TABLE IF NOT EXISTS campaigns (
    account text NOT NULL,
    key text NOT NULL,
    network text NOT NULL,
    name text NOT NULL,
    status text,
    connection text,
    site_url text,
    tracking_url text,
    logo_url text,
    currency text,
    countries text[] NOT NULL DEFAULT '{}',
    categories text[] NOT NULL DEFAULT '{}',
    description text,
    changed_at timestamptz,
    raw jsonb NOT NULL,
    digest bytea NOT NULL,
    first_seen_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    vanished_at timestamptz,
    log_id bigint NOT NULL,
    PRIMARY KEY (account, key)
);
CREATE TABLE IF NOT EXISTS coupons (
    account text NOT NULL,
    key text NOT NULL,
    network text NOT NULL,
    campaign_key text,
    campaign_name text,
    code text,
    name text,
    description text,
    status text,
    discount text,
    starts_at timestamptz,
    ends_at timestamptz,
    url text,
    countries text[] NOT NULL DEFAULT '{}',
    is_exclusive boolean,
    changed_at timestamptz,
    raw jsonb NOT NULL,
    digest bytea NOT NULL,
    first_seen_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    vanished_at timestamptz,
    log_id bigint NOT NULL,
    PRIMARY KEY (account, key)
);
CREATE TABLE IF NOT EXISTS purchases (
    account text NOT NULL,
    key text NOT NULL,
    network text NOT NULL,
    grain text NOT NULL CHECK (grain IN ('order', 'report_row')),
    traffic text CHECK (traffic IN ('coupon', 'link')),
    day date NOT NULL,
    occurred_at timestamptz,
    clicked_at timestamptz,
    closed_at timestamptz,
    changed_at timestamptz,
    campaign_key text,
    campaign_name text,
    coupon_code text,
    order_ref text,
    status text CHECK (status IN ('pending', 'approved', 'declined', 'paid', 'unknown')),
    status_word text,
    orders integer,
    gross_orders integer,
    sale_amount numeric,
    sale_currency text,
    commission numeric,
    commission_currency text,
    gross_sale_amount numeric,
    gross_commission numeric,
    currency_source text CHECK (currency_source IN ('row', 'account', 'network')),
    is_correction boolean NOT NULL DEFAULT false,
    corrects_key text,
    country text,
    sub_ids text[] NOT NULL DEFAULT '{}',
    raw jsonb NOT NULL,
    digest bytea NOT NULL,
    first_seen_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    vanished_at timestamptz,
    log_id bigint NOT NULL,
    PRIMARY KEY (account, key),
    CONSTRAINT purchases_sale_has_currency
        CHECK ((sale_amount IS NULL AND gross_sale_amount IS NULL) OR sale_currency IS NOT NULL),
    CONSTRAINT purchases_commission_has_currency
        CHECK ((commission IS NULL AND gross_commission IS NULL) OR commission_currency IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS purchases_day ON purchases (account, day);

-- Every change of a purchase that matters to money, once, in the order in which we learned of it.
CREATE TABLE IF NOT EXISTS purchase_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    key text NOT NULL,
    change text NOT NULL CHECK (change IN ('changed', 'vanished', 'returned')),
    from_status text,
    to_status text,
    from_status_word text,
    to_status_word text,
    from_sale_amount numeric,
    to_sale_amount numeric,
    from_sale_currency text,
    to_sale_currency text,
    from_commission numeric,
    to_commission numeric,
    from_commission_currency text,
    to_commission_currency text,
    network_time timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    log_id bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS purchase_changes_key ON purchase_changes (account, key, id);

-- Rows that could not be stored truthfully, with the reason and what the network sent.
CREATE TABLE IF NOT EXISTS rejected_records (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    network text NOT NULL,
    kind text NOT NULL,
    key text,
    field text,
    reason text NOT NULL,
    payload bytea NOT NULL,
    payload_hash bytea NOT NULL,
    times integer NOT NULL DEFAULT 1,
    first_log_id bigint NOT NULL,
    last_log_id bigint NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (account, kind, payload_hash)
);

-- The limiter (law 17): one row per thing that a network counts by. identity is a keyed hash.
CREATE TABLE IF NOT EXISTS rate_limits (
    identity text NOT NULL,
    limit_name text NOT NULL,
    network text NOT NULL,
    next_free_at timestamptz NOT NULL,
    gate_until timestamptz,
    gate_reason text,
    calls bigint NOT NULL DEFAULT 0,
    refusals bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (identity, limit_name)
);

-- Short-lived access tokens, encrypted with a key derived from the account's own secret.
CREATE TABLE IF NOT EXISTS access_tokens (
    identity text PRIMARY KEY,
    token text NOT NULL,
    token_hash text NOT NULL,
    expires_at timestamptz NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""


def upgrade() -> None:
    # Through the driver itself: SQLAlchemy's text() would read the SQL's own colons as parameters.
    op.get_bind().connection.driver_connection.execute(SQL)


def downgrade() -> None:
    op.execute("DROP SCHEMA data_sync CASCADE")
