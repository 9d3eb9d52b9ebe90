"""The factory behind the thin files in ``dags/``: each of them asks for its DAGs and nothing else.

A shard file never raises: one broken schedule costs nobody else their DAG, because a single import
error would mark every DAG of the file stale (law 4). What is wrong is shown by one file that holds no
DAG.

Modules that only some parses need are imported where they are needed: a parse is a process of its own, and
a worker pays for one with every task that it starts.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import DAG, get_parsing_context
from airflow.sdk.configuration import conf

from data_sync.dag import builder, names
from data_sync.errors import ConfigError

if TYPE_CHECKING:
    from data_sync.dag.snapshot import Entry, SnapshotFolder

log = logging.getLogger(__name__)

#: How long the catalogue may take to note which schedules cannot become DAGs, in seconds.
KEEP_SECONDS = 5.0


def load_shard(dag_file: str) -> dict[str, DAG]:
    """Return the DAGs of one shard file: all of them in a full parse, one skeleton in a worker."""
    shard = shard_number(dag_file)
    context = get_parsing_context()
    if context.dag_id is not None:
        key = names.key_of(context.dag_id)
        if key is None or names.shard_of(key) != shard:
            return {}
        return {context.dag_id: builder.build_skeleton(context.dag_id, context.task_id)}
    return _load_whole(dag_file, shard)


def _load_whole(dag_file: str, shard: int) -> dict[str, DAG]:
    from data_sync.dag.proving import build_all
    from data_sync.dag.source import Source, is_dag_processor

    found = Source(dag_file)
    try:
        entries = found.shard(shard)
    except Exception:
        log.exception("The schedules cannot be read; this shard stays empty until they can.")
        return {}
    if not is_dag_processor():
        return build_all(entries, {}).dags
    return _build_and_remember(found.folder, shard, entries)


def _build_and_remember(folder: SnapshotFolder, shard: int, entries: list[Entry]) -> dict[str, DAG]:
    """Build the DAGs of a shard, and keep which definitions are good for the next parse."""
    from data_sync.dag.patience import within
    from data_sync.dag.proving import build_all, keep_in_catalogue

    proofs = folder.proofs(shard)
    built = build_all(entries, proofs)
    try:
        if built.proofs != proofs:
            folder.write_proofs(shard, built.proofs)
        if folder.write_failures(shard, sorted(built.failures.values())):
            within(KEEP_SECONDS, lambda: keep_in_catalogue(entries, built))
    except Exception:
        log.exception("What was learned about the schedules of shard %s cannot be kept.", shard)
    return built.dags


def shard_number(dag_file: str) -> int:
    """Return the number in a shard file's name.

    :raises ConfigError: for a file whose name has no number of a shard.
    """
    match = re.search(r"(\d+)$", Path(dag_file).stem)
    if match is None or int(match[1]) >= names.SHARDS:
        raise ConfigError(
            f"{Path(dag_file).name} is no shard: the names run from shard_00.py to "
            f"shard_{names.SHARDS - 1:02}.py."
        )
    return int(match[1])


def load_quick_sync(dag_file: str) -> DAG:
    """Return ``quick_sync``: with every known account in a full parse, as a skeleton in a worker."""
    from data_sync.dag import quick_sync

    context = get_parsing_context()
    if context.dag_id is not None:
        return quick_sync.build_quick_skeleton(context.task_id)
    from data_sync.dag.source import Source

    return quick_sync.build_quick_sync(Source(dag_file).accounts())


class SchedulesHaveProblemsError(ConfigError):
    """Raised by ``dags/data_sync_problems.py`` so that Airflow's banner shows what is wrong."""


def report_problems(dag_file: str) -> None:
    """Raise one error that lists every problem of the schedules; do nothing when there is none.

    :raises SchedulesHaveProblemsError: with file, line, and what to write instead.
    """
    if get_parsing_context().dag_id is not None:
        return
    from data_sync.dag.source import Source

    problems = [*Source(dag_file).problems(), *_wrong_settings()]
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems)
        raise SchedulesHaveProblemsError(
            f"The schedules have {len(problems)} problem(s). They keep their last good form.\n{listed}"
        )


def _wrong_settings() -> list[str]:
    """Return which of Airflow's settings make edits of schedules go wrong (law 3)."""
    from data_sync.dag.source import is_dag_processor

    interval = conf.getint("core", "min_serialized_dag_update_interval", fallback=30)
    if not is_dag_processor() or interval == 0:
        return []
    return [
        f"[core] min_serialized_dag_update_interval is {interval}: a second edit of a schedule within that "
        "many seconds is half applied. Set it to 0 for the dag-processor."
    ]
