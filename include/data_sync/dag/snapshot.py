"""What this machine's dag-processor knows of the catalogue, on its own disk (law 4).

A parse of a shard reads its share from here and asks Postgres for one number: whether anything has changed.
Where Postgres does not answer, everything stays as it was. A new snapshot is a folder of its own, and
becomes the current one by the atomic replacement of one small file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_HEAD = "head.json"


class Entry(msgspec.Struct, frozen=True):
    """A schedule as a shard needs it.

    :param digest: of the definition; a definition that has become a DAG once is not tried out again.
    :param last_good: what to build where the definition cannot be.
    """

    key: str
    source: str
    definition: dict[str, Any]
    digest: str
    last_good: dict[str, Any] | None = None
    also: tuple[str, ...] = ()
    """Accounts that runs in flight still read, though the definition does not name them any more (law 6)."""
    starts_paused: bool = False
    """The status that it was made with: Airflow takes it over when it first sees the DAG (law 2)."""


class Head(msgspec.Struct, frozen=True):
    """What a snapshot was made of, and what is not split by shards.

    :param file: version of schedules.yaml; ``""`` where there was none.
    :param revision: of the catalogue in Postgres.
    :param accounts: connection ids of the accounts that quick sync offers.
    :param problems: sentences for people.
    :param told: those of them that are the file's.
    :param missing: accounts of which Airflow has no connection.
    :param contents: a digest of what each file that holds DAGs makes them of, by the file's name.
    """

    generation: str
    file: str
    revision: int
    accounts: list[str]
    problems: list[str]
    told: list[str]
    missing: list[str]
    contents: dict[str, str]


class Proof(msgspec.Struct, frozen=True):
    """A definition that has become a DAG which Airflow could serialize."""

    digest: str
    definition: dict[str, Any]


class SnapshotFolder:
    """The snapshots of one schedules.yaml on this machine.

    :param root: made when something is written; other users may not read it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of(cls, schedules_file: Path) -> SnapshotFolder:
        """Return the folder for a file: below ``[data_sync] state_folder``, else below AIRFLOW_HOME."""
        from airflow.configuration import AIRFLOW_HOME
        from airflow.sdk.configuration import conf

        configured = conf.get("data_sync", "state_folder", fallback="")
        base = Path(configured) if configured else Path(AIRFLOW_HOME) / "data_sync"
        return cls(base / hashlib.sha256(str(schedules_file).encode()).hexdigest()[:12])

    def head(self) -> Head | None:
        """Return what the current snapshot was made of; ``None`` where there is none that can be read."""
        return self._read(_HEAD, Head)

    def shard(self, head: Head, number: int) -> list[Entry] | None:
        """Return the schedules of a shard; ``None`` when somebody has replaced the snapshot meanwhile."""
        return self._read(f"{head.generation}/shard_{number:02}.json", list[Entry])

    def write(self, head: Head, shards: Mapping[int, Sequence[Entry]]) -> None:
        """Make a snapshot the current one; one that is half written is never seen."""
        folder = self.root / head.generation
        folder.mkdir(mode=0o700, parents=True)
        for number, entries in shards.items():
            (folder / f"shard_{number:02}.json").write_bytes(msgspec.json.encode(list(entries)))
        old = self.head()
        self._replace(_HEAD, head)
        kept = {head.generation, old.generation if old else ""}
        for other in self.root.iterdir():
            # The one before may still be read by another parse.
            if other.is_dir() and other.name not in kept:
                shutil.rmtree(other, ignore_errors=True)

    def proofs(self, number: int) -> dict[str, Proof]:
        """Return which definitions of a shard have become DAGs, by key."""
        return self._read(f"proofs_{number:02}.json", dict[str, Proof]) or {}

    def write_proofs(self, number: int, proofs: Mapping[str, Proof]) -> None:
        """Keep which definitions of a shard have become DAGs."""
        self._replace(f"proofs_{number:02}.json", dict(proofs))

    def failures(self) -> list[str]:
        """Return what is wrong with schedules that could not become DAGs, of all shards."""
        found = []
        for path in sorted(self.root.glob("failures_*.json")):
            found += self._read(path.name, list[str]) or []
        return found

    def write_failures(self, number: int, failures: Sequence[str]) -> bool:
        """Keep what is wrong with schedules of a shard, and tell whether that has changed."""
        name = f"failures_{number:02}.json"
        if (self._read(name, list[str]) or []) == list(failures):
            return False
        self._replace(name, list(failures))
        return True

    @contextmanager
    def lock(self, seconds: float) -> Iterator[bool]:
        """Let one parse of this machine make a new snapshot; the end of the process frees the lock too.

        Yields whether it is ours: another one may take longer than ``seconds``.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield _lock(descriptor, time.monotonic() + seconds)
        finally:
            os.close(descriptor)

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode((self.root / name).read_bytes(), type=kind)
        except (OSError, msgspec.DecodeError):
            return None

    def _replace(self, name: str, value: object) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.root / f".{name}.{uuid.uuid4().hex}"
        draft.write_bytes(msgspec.json.encode(value))
        draft.replace(self.root / name)


def _lock(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)


def digest_of(parts: object) -> str:
    """Return a digest of plain values and entries, the same in every process."""
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:16]


def new_generation() -> str:
    """Return a name that no other snapshot has."""
    return uuid.uuid4().hex[:12]
