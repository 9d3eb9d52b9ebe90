"""Reading the catalogue: the schedules in force, and since when nothing has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from data_sync.database import Cursor, one
from data_sync.schedules.model import Schedule

YAML, POSTGRES = "yaml", "postgres"


@dataclass(frozen=True)
class StoredSchedule:
    """A schedule as the catalogue knows it.

    :param source: ``yaml`` (kept in git) or ``postgres`` (kept on the screens).
    :param owner: who made it on the screens; ``None`` for schedules of git.
    :param definition: the newest one that is valid.
    :param last_good: the last one that became a DAG, where that is another one.
    :param problems: what is wrong with the definition, in sentences for people.
    :param build_problem: why it could not become a DAG, where it could not.
    :param revision: grows with every change of the definition.
    :param starts_paused: the status that it was made with; what it is now, Airflow's pause switch says.
    """

    key: str
    source: str
    owner: str | None
    definition: dict[str, Any]
    last_good: dict[str, Any] | None
    problems: list[str]
    build_problem: str | None
    yaml_line: int | None
    revision: int
    starts_paused: bool

    @property
    def schedule(self) -> Schedule:
        """The definition as a model; it was valid when it was stored."""
        return Schedule.from_dict(self.definition)

    @property
    def all_problems(self) -> list[str]:
        """Everything that is wrong with it; empty when all is well."""
        return [*self.problems, *([self.build_problem] if self.build_problem else [])]


CLASH = (
    "config/schedules.yaml and the screens both have a schedule of this key: the one of the file counts. "
    "Give one of them another key, or delete it."
)

_HELD = (
    "This key was deleted while its DAG was paused, and Airflow has not forgotten that: the new schedule is "
    "paused too. Unpause it, or run `data-sync reparse`, which does."
)

# Those of one source, whether the other one overrules them or not.
_OF_SOURCE = """
SELECT key, source, owner, definition, last_good, problems, build_problem, yaml_line, revision, starts_paused
FROM data_sync.sync_schedules
WHERE deleted_at IS NULL AND source = %(source)s AND (%(key)s::text IS NULL OR key = %(key)s)
ORDER BY key
"""

# The schedules in force: one per key, that of the file where both sources have it.
_IN_FORCE = """
SELECT DISTINCT ON (key) key, source, owner, definition, last_good,
    problems || CASE WHEN count(*) OVER (PARTITION BY key) > 1 THEN to_jsonb(%(clash)s::text)
                     ELSE '[]' END
             || CASE pause_switch WHEN 'held' THEN to_jsonb(%(held)s::text) ELSE '[]' END AS problems,
    build_problem, yaml_line, revision, starts_paused
FROM data_sync.sync_schedules WHERE deleted_at IS NULL AND (%(key)s::text IS NULL OR key = %(key)s)
ORDER BY key, source = 'yaml' DESC
"""


def find(cursor: Cursor, key: str) -> StoredSchedule | None:
    """Return the schedule in force of a key, or ``None``."""
    row = cursor.execute(_IN_FORCE, {"key": key, "clash": CLASH, "held": _HELD}).fetchone()
    return StoredSchedule(**row) if row else None


def find_of_source(cursor: Cursor, key: str, source: str) -> StoredSchedule | None:
    """Return the schedule of a key that a source has, also one that another source overrules."""
    row = cursor.execute(_OF_SOURCE, {"source": source, "key": key}).fetchone()
    return StoredSchedule(**row) if row else None


def list_schedules(cursor: Cursor, *, source: str | None = None) -> list[StoredSchedule]:
    """Return the schedules in force, by key.

    :param source: return instead all of one source, also those that another source overrules.
    """
    if source is None:
        cursor.execute(_IN_FORCE, {"key": None, "clash": CLASH, "held": _HELD})
    else:
        cursor.execute(_OF_SOURCE, {"source": source, "key": None})
    return [StoredSchedule(**row) for row in cursor]


def revision(cursor: Cursor) -> int:
    """Return a number that grows with every change of the catalogue, in the order of commits."""
    found: int = one(cursor.execute("SELECT revision FROM data_sync.catalogue_state").fetchone())["revision"]
    return found
