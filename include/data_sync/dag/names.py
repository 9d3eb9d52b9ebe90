"""The ids by which people and Airflow know our DAGs, and the shard file that each one lives in."""

from __future__ import annotations

import hashlib

PREFIX = "sync__"
QUICK_SYNC = "quick_sync"
UPKEEP = "data_sync_upkeep"

OPEN_RUN = "open_run"
CLOSE_RUN = "close_run"
SYNC = "sync"
CHOOSE = "choose_accounts"

#: Fixed for good: a DAG's file is part of its serialized hash, so another number would make a new
#: version of every DAG.
SHARDS = 32

#: The DAG files beside the shards' folder.
QUICK_SYNC_FILE = "quick_sync.py"
PROBLEMS_FILE = "data_sync_problems.py"


def dag_id_of(key: str) -> str:
    """Return the DAG id of a schedule's key."""
    return PREFIX + key


def key_of(dag_id: str) -> str | None:
    """Return the schedule's key of a DAG id, or ``None`` for a DAG that is no schedule's."""
    return dag_id.removeprefix(PREFIX) if dag_id.startswith(PREFIX) else None


def shard_of(key: str) -> int:
    """Return which shard file holds a schedule's DAG: the same in every process, for good."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % SHARDS


def shard_file(shard: int) -> str:
    """Return the name of a shard's file, which is unique among the DAG files."""
    return f"shard_{shard:02}.py"
