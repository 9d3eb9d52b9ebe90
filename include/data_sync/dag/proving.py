"""Making a schedule into a DAG so that no other schedule can suffer from it (law 4).

Each is built in its own ``try``; a definition that is new here is also serialized once, as Airflow will
do it right after. What cannot be built, cannot be serialized or takes too long is replaced by its last good
form, and told.
"""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from data_sync.dag import builder
from data_sync.dag.names import dag_id_of
from data_sync.dag.patience import interrupted_after
from data_sync.dag.snapshot import Entry, Proof
from data_sync.database import Database
from data_sync.schedules.model import Schedule

log = logging.getLogger(__name__)

#: How long a new definition may take to become a DAG, in seconds: a thousand times what it needs.
_LONGEST_BUILD = 3.0


@dataclass
class Built:
    """The DAGs of a shard, and what was learned about their definitions.

    :param failures: sentences for people, by key.
    """

    dags: dict[str, DAG] = field(default_factory=dict)
    proofs: dict[str, Proof] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def build_all(entries: Sequence[Entry], proofs: Mapping[str, Proof]) -> Built:
    """Build the DAGs of a shard.

    :param proofs: definitions that have become DAGs before, by key.
    """
    built = Built()
    with _no_collections():
        for entry in sorted(entries, key=lambda entry: entry.key):
            _add(built, entry, proofs.get(entry.key))
    return built


def _add(built: Built, entry: Entry, known: Proof | None) -> None:
    try:
        is_proved = known is not None and known.digest == entry.digest
        dag = _build(entry.definition, also=entry.also, is_proved=is_proved)
        built.proofs[entry.key] = Proof(entry.digest, entry.definition)
    except Exception as error:
        log.exception("The schedule %s cannot become a DAG; the others are not touched.", entry.key)
        built.failures[entry.key] = _sentence(entry.key, error)
        dag = _last_good(entry, known)
        if known is not None:
            built.proofs[entry.key] = known
    if dag is not None:
        dag.is_paused_upon_creation = entry.starts_paused
        built.dags[dag_id_of(entry.key)] = dag


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep Python from looking for garbage again and again while the DAGs, all of them kept, pile up.

    Each look goes through all objects made so far, and takes a quarter of the time of a build.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _build(definition: dict[str, Any], *, also: Sequence[str] = (), is_proved: bool) -> DAG:
    if is_proved:
        return builder.build_dag(Schedule.from_dict(definition), also=also)
    with interrupted_after(_LONGEST_BUILD):
        dag = builder.build_dag(Schedule.from_dict(definition), also=also)
        DagSerialization.to_dict(dag)
    return dag


def _last_good(entry: Entry, known: Proof | None) -> DAG | None:
    for definition in (known.definition if known else None, entry.last_good):
        if definition is not None:
            try:
                return _build(definition, is_proved=False)
            except Exception:
                log.exception("The last good form of %s cannot become a DAG either.", entry.key)
    return None


def _sentence(key: str, error: Exception) -> str:
    return (
        f"schedule {key}: it cannot become a DAG ({type(error).__name__}: {error}); its last good form "
        "stays. Change it, or report this."
    )


def keep_in_catalogue(entries: Sequence[Entry], built: Built) -> None:
    """Write into the catalogue which schedules of a shard stay in their last good form, and why."""
    told = [
        {
            "key": entry.key,
            "source": entry.source,
            "problem": built.failures.get(entry.key),
            "last_good": built.proofs[entry.key].definition if entry.key in built.proofs else None,
        }
        for entry in entries
    ]
    db = Database()
    try:
        with db.transaction() as cursor:
            cursor.execute(_KEEP, [json.dumps(told)])
    finally:
        db.close()


_KEEP = """
UPDATE data_sync.sync_schedules s SET build_problem = t.problem,
    last_good = CASE WHEN t.problem IS NULL THEN NULL ELSE COALESCE(t.last_good, s.last_good) END
FROM jsonb_to_recordset(%s::jsonb) AS t(key text, source text, problem text, last_good jsonb)
WHERE s.key = t.key AND s.source = t.source AND s.build_problem IS DISTINCT FROM t.problem
"""
