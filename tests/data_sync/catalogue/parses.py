"""What a parse of the dag-processor makes of file and catalogue, without building DAGs."""

from __future__ import annotations

from pathlib import Path

from data_sync.dag.names import SHARDS
from data_sync.dag.snapshot import Entry
from data_sync.dag.source import Source
from data_sync.schedules.model import Schedule

OTHER = "  other: {networks: [admitad], interval: 1d, date_range: today}\n"


def write(path: Path, entries: str) -> None:
    """Save a file of these entries."""
    path.write_text(f"schedules:\n{entries or '  {}'}")


def entries(source: Source) -> dict[str, Entry]:
    """What becomes DAGs now, by key."""
    return {entry.key: entry for number in range(SHARDS) for entry in source.shard(number)}


def built(source: Source) -> dict[str, Schedule]:
    """The schedules that become DAGs now."""
    return {key: Schedule.from_dict(entry.definition) for key, entry in entries(source).items()}
