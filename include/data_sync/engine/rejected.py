"""Rows that cannot be stored truthfully: kept with their reason and what the network sent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from data_sync.database import Cursor, storable
from data_sync.engine.storing import Source
from network_clients.records import Kind, RejectedRow

#: Keys longer than this (in characters) are cut; the payload holds the whole of it.
_LONGEST_TEXT = 1000

#: How the name of a row without a key begins, as do the items of clients' row readers.
NAMELESS = "#"


def name_of(row: RejectedRow) -> str:
    """Return what tells a rejected row from others on its page: its key, else a digest of what was sent."""
    return f"{NAMELESS}{_digest(row).hex()}" if row.key is None else storable(row.key)


def _digest(row: RejectedRow) -> bytes:
    return hashlib.blake2b(row.raw, digest_size=16).digest()


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
                "key": None if row.key is None else storable(row.key[:_LONGEST_TEXT]),
                "field": row.field,
                "reason": storable(row.reason),
                "payload": row.raw,
                "payload_hash": _digest(row),
                "log_id": source.log_id,
            },
        )
