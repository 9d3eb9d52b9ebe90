"""The statements that store rows, made once for each table."""

from __future__ import annotations

from functools import cache

from data_sync.engine.tables import IN_HISTORY, KindTable
from network_clients.records import Kind

#: Columns of every kind's table that the engine fills, in the order of :func:`copy`.
KEPT = ("account", "network", "digest", "first_seen_at", "updated_at", "read_at", "log_id")

# The account as the planner cannot see it. Of one that was loaded a moment ago its statistics say that it has
# no rows: then any index that begins with the account looks as good as the key's, and all rows of the account
# are read for each row of a batch. OFFSET keeps the value from being put into the conditions.
_ACCOUNT = "(SELECT %(account)s::text AS account OFFSET 0) a"

_COUNTED = "(t.key = ANY(%(again)s::text[]) OR (t.log_id = %(log_id)s AND t.updated_at >= %(since)s))"

# Which of two versions is the newer one (law 12). Where both carry the network's time of change, it
# decides. Otherwise the later question does: asked after the stored version was, and after the last
# page of every whole read of that day that is already committed. Whether a row is there at all has no
# time of the network: a row that a read found gone only comes back by a later question.
_ASKED_LATER = "(i.asked_at >= t.read_at AND newer.log_id IS NULL)"
_ALLOWED = f"""
    CASE WHEN i.changed_at < t.changed_at THEN false
         WHEN i.changed_at > t.changed_at AND t.vanished_at IS NULL THEN true
         ELSE {_ASKED_LATER} END
"""


@cache
def compare(table: KindTable) -> str:
    """Find which rows are new, which differ, and how many are as they were.

    LATERAL with OFFSET keeps the planner, which does not know how few they are, from reading the whole
    table for each batch.
    """
    word = "NULL::text"
    if table.kind is Kind.PURCHASES:
        word = "CASE WHEN t.status = 'unknown' THEN COALESCE(t.status_word, 'None') END"
    return f"""
    SELECT clock_timestamp() AS now,
           array_agg(i.n) FILTER (WHERE found.same IS NULL) AS fresh,
           array_agg(i.n) FILTER (WHERE NOT found.same) AS changed,
           count(*) FILTER (WHERE found.same AND NOT found.counted) AS unchanged,
           array_agg(DISTINCT found.word) FILTER (WHERE found.same AND found.word IS NOT NULL) AS words
    FROM {_ACCOUNT}
    CROSS JOIN unnest(%(keys)b::text[], %(digests)b::bytea[]) WITH ORDINALITY AS i(key, digest, n)
    LEFT JOIN LATERAL (
        SELECT t.digest = i.digest AND t.vanished_at IS NULL AS same, {_COUNTED} AS counted, {word} AS word
        FROM {table.name} t WHERE t.account = a.account AND t.key = i.key OFFSET 0
    ) found ON true
    """  # noqa: S608


@cache
def copy(table: KindTable) -> str:
    """Take lines of new rows: the table's columns, then those in ``KEPT``."""
    return f"COPY {table.name} ({', '.join((*table.columns, *KEPT))}) FROM STDIN"


@cache
def insert(table: KindTable) -> str:
    """Insert those rows that nobody else has inserted; return their keys."""
    columns = ", ".join(table.columns)
    return f"""
    WITH {_incoming(table)}
    INSERT INTO {table.name} ({columns}, {", ".join(KEPT)})
    SELECT {columns}, %(account)s, %(network)s, digest, clock_timestamp(), clock_timestamp(), asked_at,
           %(log_id)s
    FROM incoming ORDER BY key
    ON CONFLICT (account, key) DO NOTHING
    RETURNING key
    """  # noqa: S608


@cache
def lock(table: KindTable) -> str:
    """Lock rows in the order of their keys."""
    return f"""
    SELECT t.key FROM {_ACCOUNT} CROSS JOIN unnest(%(keys)s::text[]) AS i(key)
    JOIN {table.name} t ON t.account = a.account AND t.key = i.key
    ORDER BY t.key FOR UPDATE OF t
    """  # noqa: S608


@cache
def update(table: KindTable) -> str:
    """Decide about rows that are there: which are only sent in other words, which may be updated.

    A row whose columns are what they were gets its new fingerprint, and nothing else of it is touched.
    """
    names = [name for name in table.columns if name != "key"]
    theirs, ours = (", ".join(f"{alias}.{name}" for name in names) for alias in "it")
    history = _HISTORY if table.kind is Kind.PURCHASES else ""
    old = _OLD_MONEY if table.kind is Kind.PURCHASES else ""
    return f"""
    WITH {_incoming(table)},
    decided AS (
        SELECT i.*, t.vanished_at IS NOT NULL AS had_vanished, {old}
               t.vanished_at IS NULL AND (t.digest = i.digest OR ({theirs}) IS NOT DISTINCT FROM ({ours}))
                   AS same,
               t.digest <> i.digest AS renewed, {_ALLOWED} AS allowed, {_COUNTED} AS counted,
               CASE WHEN i.changed_at < t.changed_at THEN t.log_id
                    ELSE COALESCE(newer.log_id, t.log_id) END AS kept_log
        FROM incoming i
        JOIN {table.name} t ON t.account = i.account AND t.key = i.key
        LEFT JOIN LATERAL (
            SELECT r.log_id FROM data_sync.reads r
            WHERE r.account = %(account)s AND r.kind = %(kind)s AND r.date_filter IN {table.filters}
              AND r.day = {table.day} AND r.ended_at > i.asked_at AND r.step_id <> %(step_id)s
            ORDER BY r.ended_at DESC LIMIT 1
        ) newer ON true
    ),
    applied AS (
        UPDATE {table.name} t
        SET {", ".join(f"{name} = d.{name}" for name in names)}, digest = d.digest,
            updated_at = clock_timestamp(), read_at = GREATEST(t.read_at, d.asked_at), vanished_at = NULL,
            log_id = %(log_id)s
        FROM decided d WHERE t.account = d.account AND t.key = d.key AND d.allowed AND NOT d.same
    ),
    renewed AS (
        UPDATE {table.name} t SET digest = d.digest
        FROM decided d WHERE t.account = d.account AND t.key = d.key AND d.same AND d.renewed
    ){history}
    SELECT count(*) FILTER (WHERE allowed AND NOT same AND NOT counted) AS updated,
           count(*) FILTER (WHERE same AND NOT counted) AS unchanged,
           count(*) FILTER (WHERE NOT allowed AND NOT same AND NOT counted) AS outdated,
           max(kept_log) FILTER (WHERE NOT allowed AND NOT same AND kept_log <> %(log_id)s) AS superseded_by
    FROM decided
    """  # noqa: S608


def _incoming(table: KindTable) -> str:
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    return f"""
    incoming AS (
        SELECT a.account, r.*, d.digest, d.asked_at
        FROM {_ACCOUNT} CROSS JOIN json_to_recordset(convert_from(%(rows)s, 'UTF8')::json) AS r({columns})
        JOIN unnest(%(keys)s::text[], %(digests)b::bytea[], %(asked_at)s::timestamptz[])
            AS d(key, digest, asked_at) USING (key)
    )"""  # noqa: S608


_OLD_MONEY = " ".join(f"t.{name} AS old_{name}," for name in IN_HISTORY)
_OLD, _NEW = (", ".join(f"d.{prefix}{name}" for name in IN_HISTORY) for prefix in ("old_", ""))
_HISTORY = f""",
    history AS (
        INSERT INTO data_sync.purchase_changes (account, key, change,
            {", ".join(f"from_{name}, to_{name}" for name in IN_HISTORY)}, network_time, log_id)
        SELECT %(account)s, d.key, CASE WHEN d.had_vanished THEN 'returned' ELSE 'changed' END,
            {", ".join(f"d.old_{name}, d.{name}" for name in IN_HISTORY)}, d.changed_at, %(log_id)s
        FROM decided d
        WHERE d.allowed AND NOT d.same AND (d.had_vanished OR ({_OLD}) IS DISTINCT FROM ({_NEW}))
    )"""  # noqa: S608
