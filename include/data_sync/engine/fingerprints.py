"""Fingerprints of rows as they were sent: one that is stored already means that nothing has changed.

What a row becomes follows from its bytes, the account's settings and the code that translates it, so all
of these are in its fingerprint: after an update of this package or another setting, each row is translated
and compared once more. The account's secrets are among the settings. So nobody who holds the database
alone can try out which personal data, left out of what is stored, led to a fingerprint.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files

import msgspec

from data_sync.engine.tables import KindTable
from network_clients.interface import NetworkClient
from network_clients.records import Record, SentRow

#: Bytes of a fingerprint.
LENGTH = 16


class Fingerprints:
    """Makes the fingerprints of one account's rows of one kind."""

    def __init__(self, client: NetworkClient, table: KindTable) -> None:
        made_of = {
            "code": _code_of(client.facts.slug),
            "client": type(client).__qualname__,
            "columns": dict(table.columns),
            "settings": dict(client.credentials.values),
        }
        self._start = hashlib.sha256(msgspec.json.encode(made_of, order="deterministic"))

    def of(self, row: Record | SentRow) -> bytes:
        """Return the fingerprint of a row; an empty one for a record that has no form in bytes."""
        made = self._start.copy()
        try:
            made.update(row.raw if type(row) is SentRow else msgspec.msgpack.encode(row))
        except UnicodeEncodeError:
            return b""
        return made.digest()[:LENGTH]


@cache
def _code_of(network: str) -> str:
    """Fingerprint the code that translates a network's rows: this package's version, and its own files."""
    made = hashlib.sha256(version("affiliate-data-sync").encode())
    package = files("network_clients")
    for folder in (package, package / network, files("data_sync") / "engine"):
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name) if folder.is_dir() else ():
            if file.name.endswith(".py"):
                made.update(file.name.encode() + b"\0" + file.read_bytes())
    return made.hexdigest()
