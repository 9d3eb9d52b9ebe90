"""What was asked twice is done once: answers of the REST API by the caller's own key (Idempotency-Key)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from data_sync.database import Cursor

#: Whoever handles a request has so long before another try of it takes over.
LEASE = timedelta(seconds=60)
#: How long an answer is kept.
KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Answer:
    """What was answered to the first try."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Claim:
    """What a try of a request finds.

    :param is_ours: whether this try is to do the work.
    :param is_same: whether the key was used for the same request before.
    :param answer: of the first try, once there is one.
    :param is_again: whether an earlier try was broken off in the middle.
    :param word: names what the request makes, the same in each of its tries; empty where it is not ours.
    """

    is_ours: bool
    is_same: bool
    answer: Answer | None
    word: str
    is_again: bool = False


def claim(cursor: Cursor, who: str, key: str, request: str) -> Claim:
    """Take a request on, unless another try of it has been or is being handled.

    :param request: all that makes it this request; another one under the same key is a mistake.
    """
    values = {"who": who, "key": key, "hash": _hash(request), "lease": LEASE, "kept": KEPT}
    # A few old ones go each time, so that nothing else need tidy up.
    cursor.execute(
        "DELETE FROM data_sync.api_answers WHERE ctid IN (SELECT ctid FROM data_sync.api_answers "
        "WHERE created_at < clock_timestamp() - %(kept)s LIMIT 20 FOR UPDATE SKIP LOCKED)",
        values,
    )
    taken = cursor.execute(
        """
        INSERT INTO data_sync.api_answers AS a (who, key, request_hash, lease_until)
        VALUES (%(who)s, %(key)s, %(hash)s, clock_timestamp() + %(lease)s)
        ON CONFLICT (who, key) DO UPDATE SET lease_until = excluded.lease_until
        WHERE a.status IS NULL AND a.lease_until < clock_timestamp()
          AND a.request_hash = excluded.request_hash
        RETURNING created_at, xmax <> 0 AS is_again
        """,
        values,
    ).fetchone()
    if taken is not None:
        return Claim(True, True, None, _word(who, key, taken["created_at"]), taken["is_again"])
    row = cursor.execute(
        "SELECT request_hash, status, headers, body FROM data_sync.api_answers "
        "WHERE who = %(who)s AND key = %(key)s",
        values,
    ).fetchone()
    if row is None:
        # It was given up between the two statements.
        return Claim(False, True, None, "")
    answer = Answer(row["status"], row["headers"], row["body"]) if row["status"] else None
    is_same = row["request_hash"] == values["hash"]
    return Claim(False, is_same, answer, "")


def keep(cursor: Cursor, who: str, key: str, answer: Answer) -> None:
    """Keep the answer to a request that was taken on, for tries to come."""
    cursor.execute(
        "UPDATE data_sync.api_answers SET status = %s, headers = %s, body = %s "
        "WHERE who = %s AND key = %s AND status IS NULL",
        [answer.status, json.dumps(dict(answer.headers)), answer.body, who, key],
    )


def give_up(cursor: Cursor, who: str, key: str) -> None:
    """Forget a request that came to nothing: the next try is a first one."""
    cursor.execute(
        "DELETE FROM data_sync.api_answers WHERE who = %s AND key = %s AND status IS NULL", [who, key]
    )


def let_go(cursor: Cursor, who: str, key: str) -> None:
    """Let the next try of a request go on at once; what this one has made, or not, is found then."""
    cursor.execute(
        "UPDATE data_sync.api_answers SET lease_until = clock_timestamp() "
        "WHERE who = %s AND key = %s AND status IS NULL",
        [who, key],
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _word(who: str, key: str, since: datetime) -> str:
    return _hash(f"{who}\n{key}\n{since.timestamp()}")[:24]
