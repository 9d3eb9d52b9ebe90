"""Access tokens shared by all tasks of an account, encrypted with a key made from its own secret.

Whoever can decrypt a token already holds the secret that buys one, and a changed secret makes the old
tokens unreadable by itself. No further key is needed on the workers.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from data_sync.database import Database
from data_sync.limiter import keyed_hash


class PostgresTokenStore:
    """Keeps tokens in Postgres; see :class:`network_clients.interface.TokenStore`."""

    def __init__(self, db: Database, hash_key: str) -> None:
        self._db = db
        self._hash_key = hash_key

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

    def _hash(self, value: str) -> str:
        return keyed_hash(self._hash_key, value)


def _cipher(secret: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"data_sync access token").derive(
        hashlib.sha256(secret.encode()).digest()
    )
    return Fernet(base64.urlsafe_b64encode(key))
