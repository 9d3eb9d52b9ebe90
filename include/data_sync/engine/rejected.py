"""Rows that cannot be stored truthfully: kept with their reason and what the network sent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from data_sync.database import Cursor
from data_sync.engine.batch import Source
from network_clients.records import Kind, RejectedRow


def store_rejected(cursor: Cursor, kind: Kind, source: Source, rows: Sequence[RejectedRow]) -> None:
    """Keep rejected rows; one that was rejected before is counted, not doubled."""
    for row in rows:
        cursor.execute(
            """
            INSERT INTO data_sync.rejected_records AS r
                (account, network, kind, key, field, reason, payload, payload_hash, first_log_id, last_log_id)
            VALUES (%(account)s, %(network)s, %(kind)s, %(key)s, %(field)s, %(reason)s, %(payload)s,
                    %(payload_hash)s, %(log_id)s, %(log_id)s)
            ON CONFLICT (account, kind, payload_hash) DO UPDATE SET
                times = r.times + (r.last_log_id <> excluded.last_log_id)::integer,
                last_log_id = excluded.last_log_id, last_seen_at = clock_timestamp(),
                reason = excluded.reason, field = excluded.field
            """,
            {
                "account": source.account,
                "network": source.network,
                "kind": kind.value,
                "key": None if row.key is None else row.key.replace("\x00", "\\0"),
                "field": row.field,
                "reason": row.reason.replace("\x00", "\\0"),
                "payload": row.raw,
                "payload_hash": hashlib.blake2b(row.raw, digest_size=16).digest(),
                "log_id": source.log_id,
            },
        )
