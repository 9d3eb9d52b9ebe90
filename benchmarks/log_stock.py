"""Schedules, runs, logs and steps as after a year, made inside Postgres; also what plans are tested with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import psycopg

from data_sync.schedules.model import Schedule

#: What is searched for by its words and stands in one log of 20,000.
RARE_WORD = "quarantine"

_DEFINITION = {"key": "key", "networks": ["admitad"], "interval": "1h", "date_range": "yesterday"}


@dataclass(frozen=True)
class Stock:
    """How much there is.

    :param logs: about so many; one run has two of them, and two logs have three steps.
    :param days: over which they are spread evenly, up to now.
    :param purchases: of each account and day.
    :param people: who own the schedules that are not kept in git, evenly.
    """

    logs: int
    schedules: int = 1_000
    days: int = 365
    purchases: int = 50
    people: tuple[str, ...] = field(default=("anna", "ben"))


# One in five is kept in git, for everyone; the others belong to somebody.
_SCHEDULES = """
INSERT INTO data_sync.sync_schedules (key, source, owner, name, definition, definition_hash, created_at)
SELECT key, CASE WHEN n %% 5 = 0 THEN 'yaml' ELSE 'postgres' END,
    CASE WHEN n %% 5 <> 0 THEN (%(people)s::text[])[1 + n %% cardinality(%(people)s::text[])] END, name,
    %(definition)s::jsonb || jsonb_build_object('key', key, 'name', name, 'networks',
        CASE WHEN n %% 5 < 3 THEN '["admitad"]'::jsonb ELSE '["admitad", "boostiny"]' END),
    md5(key), now() - make_interval(days => %(days)s + 1)
FROM (SELECT n, 's' || lpad(n::text, 5, '0') AS key, 'Shop ' || n || ' every hour' AS name
      FROM generate_series(0, %(schedules)s - 1) n) s
"""

_ACCOUNTS = """
INSERT INTO data_sync.accounts (account, network, everyone, state)
SELECT account, split_part(account, '_', 1), n % 2 = 0, 'present'
FROM (SELECT n, {account} AS account FROM generate_series(0, 49) n) a
ON CONFLICT (account) DO NOTHING
"""
_ACCOUNT = """
CASE WHEN {n} < 30 THEN 'admitad' ELSE 'boostiny' END || '_'
    || CASE WHEN {n} IN (0, 30) THEN 'default' ELSE 'shop' || {n} END
"""

# Some schedules run every few minutes, most of them a few times a day.
_RUNS = """
INSERT INTO data_sync.sync_runs (id, dag_id, run_id, schedule_key, schedule_name, kind, requested_by, anchor,
    timezone, sync_type, range_name, first_day, last_day, definition, units, guard, guard_day, state,
    opened_at, closed_at)
OVERRIDING SYSTEM VALUE
SELECT d.id, CASE WHEN kind = 'quick_sync' THEN 'quick_sync' ELSE 'sync__' || s.key END, 'run__' || d.id,
    CASE WHEN kind <> 'quick_sync' THEN s.key END,
    CASE WHEN kind = 'quick_sync' THEN 'Quick sync' ELSE s.name END, kind,
    CASE WHEN kind <> 'scheduled' THEN
        (%(people)s::text[])[1 + d.id %% cardinality(%(people)s::text[])] END,
    at, 'UTC', CASE WHEN d.id %% 2 = 0 THEN 'all' ELSE 'purchases' END, 'yesterday', at::date - 1,
    at::date - 1, s.definition, %(units)s::jsonb,
    CASE WHEN d.number %% 4 = 0 THEN 'claimed' ELSE 'not_counted' END, at::date,
    CASE WHEN is_new THEN 'open' ELSE 'closed' END, at, CASE WHEN NOT is_new THEN at + took END
FROM (SELECT id, floor(%(schedules)s * power(random(), 2))::int AS number, random() AS r,
          id > %(last)s - 20 AS is_new, make_interval(secs => 10 + 200 * random()) AS took,
          now() - make_interval(days => %(days)s) * ((%(last)s - id)::float8 / %(last)s) AS at
      FROM generate_series(%(from)s::bigint, %(to)s) id) d
JOIN data_sync.sync_schedules s ON s.key = 's' || lpad(d.number::text, 5, '0'),
LATERAL (SELECT CASE WHEN r < 0.91 THEN 'scheduled' WHEN r < 0.94 THEN 'run_now' WHEN r < 0.96 THEN 'backfill'
                     ELSE 'quick_sync' END AS kind) k
"""

_LOGS = """
INSERT INTO data_sync.sync_logs (sync_run, account, network, schedule_key, schedule_name, kind, sync_type,
    requested_by, status, error, tries, requests, waited_seconds, counts, created_at, started_at, finished_at)
SELECT r.id, account, split_part(account, '_', 1), r.schedule_key, r.schedule_name, r.kind, r.sync_type,
    r.requested_by, status, CASE WHEN status IN ('failed', 'cancelled') THEN
        jsonb_build_object('verdict', 'failed', 'message', CASE WHEN x < 0.001 THEN
            'Rows were put into {rare}: ask the network.' ELSE (ARRAY[
                'Admitad refused the client id. Write the right one.', 'The network did not answer in time.',
                'The page had no total.', 'Too many requests: the gate is closed.']
            )[1 + floor(4 * x)::int] END) END,
    1, 1 + floor(9 * x), round((3 * x)::numeric, 3),
    jsonb_build_object('purchases', jsonb_build_object('read', rows, 'inserted', rows / 10,
        'updated', rows / 20, 'unchanged', rows - rows / 10 - rows / 20, 'outdated', 0, 'rejected', 0,
        'vanished', 0))
        || CASE WHEN r.sync_type <> 'all' THEN '{{}}'::jsonb ELSE '{coupons}' END,
    r.opened_at, r.opened_at + interval '1 second', CASE WHEN r.state = 'closed' THEN r.closed_at END
FROM (SELECT *, right(COALESCE(schedule_key, '0'), 4)::int AS number FROM data_sync.sync_runs
      WHERE id BETWEEN %(from)s AND %(to)s) r
CROSS JOIN LATERAL generate_series(0, r.number %% 3) j
CROSS JOIN LATERAL (SELECT (r.number * 7 + j * 13) %% 50 AS n, random() AS x, random() AS y,
                        floor(-200 * ln(1 - random()))::bigint AS rows, r.id AS own) d,
LATERAL (SELECT {account} AS account, CASE WHEN r.state = 'open' THEN 'processing'
            WHEN y < 0.93 THEN 'completed' WHEN y < 0.97 THEN 'failed' WHEN y < 0.985 THEN 'skipped'
            WHEN y < 0.995 THEN 'superseded' ELSE 'cancelled' END AS status) a
"""

_STEPS = """
INSERT INTO data_sync.sync_log_steps (log_id, unit_index, kind, label, first_day, last_day, status, error,
    tries, is_complete, pages, requests, waited_seconds, rows_read, rows_inserted, rows_updated,
    rows_unchanged, started_at, finished_at)
SELECT l.id, k.n - 1, k.kind, k.kind, r.first_day, r.last_day, l.status, l.error, 1,
    l.status = 'completed', 1, CASE WHEN k.n = 1 THEN l.requests ELSE 0 END,
    CASE WHEN k.n = 1 THEN l.waited_seconds ELSE 0 END, (f ->> 'read')::bigint, (f ->> 'inserted')::bigint,
    (f ->> 'updated')::bigint, (f ->> 'unchanged')::bigint, l.started_at, l.finished_at
FROM data_sync.sync_logs l JOIN data_sync.sync_runs r ON r.id = l.sync_run,
    (VALUES (1, 'purchases'), (2, 'coupons')) k (n, kind), LATERAL (SELECT l.counts -> k.kind AS f) c
WHERE l.sync_run BETWEEN %(from)s AND %(to)s AND f IS NOT NULL
"""

# Every account has been read for each day, the networks' ways, and holds purchases of it.
_READS = """
INSERT INTO data_sync.reads (account, kind, date_filter, day, started_at, ended_at, log_id, step_id)
SELECT a.account, 'purchases', f.filter, day, day + interval '30 hours', day + interval '31 hours', 1, 1
FROM data_sync.accounts a
JOIN (VALUES ('admitad', 'occurred'), ('boostiny', 'occurred coupon'), ('boostiny', 'occurred link'))
    AS f (network, filter) USING (network),
    (SELECT now()::date - n AS day FROM generate_series(1, %(days)s) n) d
"""
_PURCHASES = """
INSERT INTO data_sync.purchases (account, key, network, grain, traffic, day, status, status_word, orders,
    sale_amount, sale_currency, commission, commission_currency, currency_source, raw, digest, first_seen_at,
    updated_at, read_at, log_id)
SELECT a.account, day || '-' || n, a.network, 'order', 'coupon', day, status, status, 1, 100 * x, 'USD',
    5 * x, 'USD', 'row', '{}', '\\x00', day + interval '30 hours', day + interval '30 hours',
    day + interval '30 hours', 1
FROM data_sync.accounts a, (SELECT now()::date - n AS day FROM generate_series(1, %(days)s) n) d,
    generate_series(1, %(purchases)s) n, LATERAL (SELECT n + random() AS x) r,
    LATERAL (SELECT CASE WHEN x < 2 AND day > now()::date - 60 THEN 'pending' ELSE 'paid' END AS status) s
"""

_COUPONS = {
    "coupons": {
        "read": 20,
        "inserted": 1,
        "updated": 0,
        "unchanged": 19,
        "outdated": 0,
        "rejected": 0,
        "vanished": 0,
    }
}

_TABLES = ("sync_runs", "sync_logs", "sync_log_steps")
#: Runs that are made with one statement; and those of the end, which no vacuum has seen yet.
_BATCH, _FRESH = 100_000, 5_000


def fill(connection: psycopg.Connection[Any], stock: Stock) -> None:
    """Make a stock in empty tables; the newest of it as no vacuum has seen it, all else vacuumed.

    :param connection: in autocommit mode, as a superuser.
    """
    account = _ACCOUNT.format(n="n")
    values = {
        "people": list(stock.people),
        "schedules": stock.schedules,
        "days": stock.days,
        "purchases": stock.purchases,
        "definition": json.dumps(Schedule.from_dict(_DEFINITION).to_dict()),
        "units": json.dumps([{"index": 0, "kind": "purchases", "label": "yesterday"}]),
    }
    connection.execute("SET session_replication_role = replica")
    connection.execute("SET maintenance_work_mem = '1GB'")
    connection.execute("SET synchronous_commit = off")
    connection.execute("SELECT setseed(0.5)")
    connection.execute(_SCHEDULES, values)
    connection.execute(_ACCOUNTS.format(account=account))
    # No vacuum comes in between.
    _tables(connection, "SET (autovacuum_enabled = false)")
    last = max(1, stock.logs // 2)
    old = max(0, last - _FRESH)
    indexes = _drop_indexes(connection) if stock.logs > _BATCH else []
    for start in range(1, old + 1, _BATCH):
        _add(connection, {**values, "last": last, "from": start, "to": min(old, start + _BATCH - 1)}, account)
    for statement in indexes:
        connection.execute(statement)
    connection.execute(_READS, values)
    connection.execute(_PURCHASES, values)
    connection.execute("VACUUM (ANALYZE)")
    _add(connection, {**values, "last": last, "from": old + 1, "to": last}, account)
    _tables(connection, "RESET (autovacuum_enabled)")
    connection.execute("SELECT setval(pg_get_serial_sequence('data_sync.sync_runs', 'id'), %s)", [last])
    connection.execute("SET session_replication_role = DEFAULT")


def _tables(connection: psycopg.Connection[Any], change: str) -> None:
    for table in _TABLES:
        connection.execute(f"ALTER TABLE data_sync.{table} {change}")


def _add(connection: psycopg.Connection[Any], values: dict[str, Any], account: str) -> None:
    connection.execute(_RUNS, values)
    connection.execute(_LOGS.format(account=account, rare=RARE_WORD, coupons=json.dumps(_COUPONS)), values)
    connection.execute(_STEPS, values)


def _drop_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    """Drop what can be made again later, which is faster than to keep it; return how."""
    found = connection.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indrelid = ANY(%s::regclass[]) AND NOT indisunique ORDER BY 1",
        [[f"data_sync.{table}" for table in _TABLES]],
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    return [statement for _, statement in found]
