"""Access tokens shared by all tasks of an account, encrypted with a key made from its own secret.

Whoever can decrypt a token already holds the secret that buys one, and a changed secret makes the old
tokens unreadable by itself. No further key is needed on the workers.

Who buys one first claims the purchase: a row with a moment at which the claim ends by itself. No
transaction stays open and nothing stays locked while the network is asked.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from data_sync.database import Database
from data_sync.limiter import keyed_hash
from network_clients.tokens import PURCHASE_SECONDS


class PostgresTokenStore:
    """Keeps tokens in Postgres; see :class:`network_clients.interface.TokenStore`."""

    def __init__(self, db: Database, hash_key: str) -> None:
        self._db = db
        self._hash_key = hash_key
        self._claims: dict[str, datetime] = {}

    def load(self, identity: str, secret: str) -> tuple[str, datetime] | None:
        """Return a token that has not expired and that this secret can decrypt, or ``None``."""
        with self._db.transaction() as cursor:
            row = cursor.execute(
                "SELECT token, expires_at FROM data_sync.access_tokens "
                "WHERE identity = %s AND expires_at > clock_timestamp()",
                [self._hash(identity)],
            ).fetchone()
        if row is None:
            return None
        try:
            return _cipher(secret).decrypt(row["token"].encode()).decode(), row["expires_at"]
        except InvalidToken:
            return None

    def save(self, identity: str, secret: str, token: str, expires_at: datetime) -> None:
        """Keep a token until it expires."""
        with self._db.transaction() as cursor:
            cursor.execute(
                """
                INSERT INTO data_sync.access_tokens (identity, token, token_hash, expires_at)
                VALUES (%(identity)s, %(token)s, %(token_hash)s, %(expires_at)s)
                ON CONFLICT (identity) DO UPDATE SET token = excluded.token,
                    token_hash = excluded.token_hash, expires_at = excluded.expires_at,
                    saved_at = clock_timestamp()
                """,
                {
                    "identity": self._hash(identity),
                    "token": _cipher(secret).encrypt(token.encode()).decode(),
                    "token_hash": self._hash(token),
                    "expires_at": expires_at,
                },
            )

    def forget(self, identity: str, token: str) -> None:
        """Drop this token; a newer one that another task has saved meanwhile stays."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "DELETE FROM data_sync.access_tokens WHERE identity = %s AND token_hash = %s",
                [self._hash(identity), self._hash(token)],
            )

    def reserve(self, identity: str) -> bool:
        """Claim the purchase of a token; ``False`` while another task has it."""
        with self._db.transaction() as cursor:
            row = cursor.execute(
                """
                INSERT INTO data_sync.token_purchases AS p (identity, until)
                VALUES (%(identity)s, clock_timestamp() + %(lease)s)
                ON CONFLICT (identity) DO UPDATE SET until = excluded.until
                WHERE p.until <= clock_timestamp()
                RETURNING until
                """,
                {"identity": self._hash(identity), "lease": timedelta(seconds=PURCHASE_SECONDS)},
            ).fetchone()
        if row is None:
            return False
        self._claims[identity] = row["until"]
        return True

    def release(self, identity: str) -> None:
        """End our claim; one that has run out may be another task's by now, and stays."""
        until = self._claims.pop(identity, None)
        with self._db.transaction() as cursor:
            cursor.execute(
                "DELETE FROM data_sync.token_purchases WHERE identity = %s AND until = %s",
                [self._hash(identity), until],
            )

    def _hash(self, value: str) -> str:
        return keyed_hash(self._hash_key, value)


def _cipher(secret: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"data_sync access token").derive(
        hashlib.sha256(secret.encode()).digest()
    )
    return Fernet(base64.urlsafe_b64encode(key))
