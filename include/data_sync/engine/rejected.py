"""Rows that cannot be stored truthfully: kept with their reason and what the network sent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from data_sync.database import Cursor, one, storable
from data_sync.engine.storing import Source
from data_sync.errors import ConfigError, TooManyRejectedError
from data_sync.ledger.steps import Step
from network_clients.records import Kind, RejectedRow

#: Keys longer than this (in characters) are cut; the payload holds the whole of it.
_LONGEST_TEXT = 1000

#: The share of a unit's rows that may be set aside (``[data_sync] max_rejected_share``), and from how many
#: rows on a share means anything.
_MOST_REJECTED = 0.2
_FEWEST_ROWS = 20

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


def refuse_too_many(cursor: Cursor, step: Step) -> None:
    """Fail a unit that was read to its end if too many of its rows had to be set aside.

    Its good rows are stored; that so many are missing must not pass for a success.

    :raises TooManyRejectedError: saying how many, why, and what to do.
    :raises ConfigError: when the setting cannot be used.
    """
    counts = one(
        cursor.execute(
            "SELECT rows_read AS read, rows_rejected AS rejected FROM data_sync.sync_log_steps WHERE id = %s",
            [step.id],
        ).fetchone()
    )
    most = _most_rejected()
    if counts["read"] < _FEWEST_ROWS or counts["rejected"] <= most * counts["read"]:
        return
    cursor.execute(
        "SELECT mode() WITHIN GROUP (ORDER BY reason) AS reason FROM data_sync.rejected_records "
        "WHERE account = %s AND kind = %s AND last_log_id = %s",
        [step.account, step.kind, step.log_id],
    )
    share = counts["rejected"] / counts["read"]
    look = f"SELECT reason, payload FROM data_sync.rejected_records WHERE last_log_id = {step.log_id}"  # noqa: S608
    raise TooManyRejectedError(
        f"{counts['rejected']} of {counts['read']} rows were set aside ({share:.0%}; up to {most:.0%} are "
        f"accepted). Most often: {one(cursor.fetchone())['reason']} The other rows are stored. Look at them: "
        f"{look}. If the reason names a setting of the account, mend it. If the rows are rightly like this, "
        "raise [data_sync] max_rejected_share. Else the network has changed what it sends: report it."
    )


def _most_rejected() -> float:
    from airflow.sdk.configuration import conf

    text = str(conf.get("data_sync", "max_rejected_share", fallback=_MOST_REJECTED))
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ConfigError(
            f"[data_sync] max_rejected_share is {text!r}. Write a number from 0 to 1, such as 0.2."
        )
    return share
