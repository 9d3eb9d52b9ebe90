"""The factory behind the thin files in ``dags/``: each of them asks for its DAGs and nothing else.

A shard file never raises: one broken schedule costs nobody else their DAG, because a single import
error would mark every DAG of the file stale (law 4). What is wrong is shown by one file that holds no
DAG.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from airflow.sdk import DAG, get_parsing_context

from data_sync.dag import builder, names, quick_sync, source
from data_sync.errors import ConfigError

log = logging.getLogger(__name__)


def load_shard(dag_file: str) -> dict[str, DAG]:
    """Return the DAGs of one shard file: all of them in a full parse, one skeleton in a worker."""
    shard = shard_number(dag_file)
    context = get_parsing_context()
    if context.dag_id is not None:
        key = names.key_of(context.dag_id)
        if key is None or names.shard_of(key) != shard:
            return {}
        return {context.dag_id: builder.build_skeleton(context.dag_id, context.task_id)}
    try:
        schedules = source.find_schedules(dag_file).schedules
    except Exception:
        log.exception("The schedules cannot be read; this shard stays empty until they can.")
        return {}
    built = {}
    for key, schedule in sorted(schedules.items()):
        if names.shard_of(key) != shard:
            continue
        try:
            built[names.dag_id_of(key)] = builder.build_dag(schedule)
        except Exception:
            log.exception("The schedule %s cannot be built; the others are not touched.", key)
    return built


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
    context = get_parsing_context()
    if context.dag_id is not None:
        return quick_sync.build_quick_skeleton(context.task_id)
    return quick_sync.build_quick_sync(source.known_accounts(dag_file))


class SchedulesHaveProblemsError(ConfigError):
    """Raised by ``dags/data_sync_problems.py`` so that Airflow's banner shows what is wrong."""


def report_problems(dag_file: str) -> None:
    """Raise one error that lists every problem of the schedules; do nothing when there is none.

    :raises SchedulesHaveProblemsError: with file, line, and what to write instead.
    """
    if get_parsing_context().dag_id is not None:
        return
    problems = source.find_schedules(dag_file).problems
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems)
        raise SchedulesHaveProblemsError(
            f"schedules.yaml has {len(problems)} problem(s). The schedules keep their last good form.\n"
            f"{listed}"
        )
