"""Taking ``config/schedules.yaml`` over into the catalogue, whenever the file changed (law 1).

An entry that is broken keeps its last good definition and shows its problem; a file that cannot be read
changes nothing. A schedule of the screens with the same key is not touched. A key that was deleted before is
marked, so that it does not stay paused by its predecessor (see :mod:`data_sync.catalogue.switches`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from data_sync.database import Database
from data_sync.schedules.model import Schedule

# A statement that changes no row counts as a change of the catalogue all the same: two machines that take
# turns would make each other read everything for ever.
_IS_TAKEN = """
SELECT 1 FROM data_sync.yaml_mirror
WHERE revision > %(revision)s OR (content_hash = %(content_hash)s AND problems = %(problems)s::jsonb)
"""

# An entry that comes back is the one that it was, logs and all, unless its key was somebody else's meanwhile.
_MIRROR = """
WITH incoming AS (
    SELECT * FROM jsonb_to_recordset(%(schedules)s::jsonb)
        AS r(key text, name text, definition jsonb, definition_hash text, line integer, problems jsonb)
),
kept AS (
    INSERT INTO data_sync.sync_schedules AS s
        (key, source, name, definition, definition_hash, yaml_line, problems, pause_switch)
    SELECT key, 'yaml', name, definition, definition_hash, line, problems,
        (SELECT 'due' FROM data_sync.sync_schedules o WHERE o.key = incoming.key
         HAVING bool_and(o.deleted_at IS NOT NULL))
    FROM incoming ORDER BY key
    ON CONFLICT (key, source) DO UPDATE SET name = excluded.name,
        definition = excluded.definition, definition_hash = excluded.definition_hash,
        yaml_line = excluded.yaml_line, problems = excluded.problems, deleted_at = NULL,
        created_at = CASE WHEN s.deleted_at IS NULL OR NOT EXISTS (
            SELECT 1 FROM data_sync.sync_schedules o
            WHERE o.key = s.key AND o.source <> s.source AND COALESCE(o.deleted_at, 'infinity') > s.deleted_at
        ) THEN s.created_at ELSE clock_timestamp() END,
        pause_switch = COALESCE(excluded.pause_switch, s.pause_switch),
        revision = s.revision + (s.definition_hash <> excluded.definition_hash)::integer,
        updated_at = clock_timestamp()
    WHERE (s.definition_hash, s.yaml_line, s.problems, s.deleted_at IS NULL) IS DISTINCT FROM
          (excluded.definition_hash, excluded.yaml_line, excluded.problems, true)
    RETURNING 1
),
broken AS (
    UPDATE data_sync.sync_schedules s
    SET problems = %(broken)s::jsonb -> s.key, updated_at = clock_timestamp()
    WHERE s.source = 'yaml' AND %(broken)s::jsonb ? s.key
    RETURNING 1
),
gone AS (
    UPDATE data_sync.sync_schedules s
    SET deleted_at = clock_timestamp(), updated_at = clock_timestamp(), pause_switch = NULL
    WHERE s.source = 'yaml' AND s.deleted_at IS NULL AND s.key <> ALL(%(keys)s)
    RETURNING 1
)
INSERT INTO data_sync.yaml_mirror (content_hash, revision, problems)
VALUES (%(content_hash)s, %(revision)s, %(problems)s::jsonb)
ON CONFLICT (id) DO UPDATE SET content_hash = excluded.content_hash, revision = excluded.revision,
    problems = excluded.problems, mirrored_at = clock_timestamp()
"""


def mirror_yaml(
    db: Database,
    schedules: Mapping[str, tuple[Schedule, int]],
    broken: Mapping[str, Collection[str]],
    *,
    flaws: Mapping[str, Collection[str]] | None = None,
    content_hash: str,
    revision: int,
    problems: Collection[str],
) -> bool:
    """Write the YAML schedules into the catalogue, in one statement, if they changed.

    :param schedules: key to schedule and its line.
    :param broken: keys whose entries have problems, with these; they keep their last good definition.
    :param flaws: problems of valid schedules that do not keep their DAGs from being built, such as an
        account that does not exist.
    :param revision: grows with every edit of the file; an older one never overwrites a newer one.
    :param problems: all problems of the file, for people.
    :return: whether anything was written.
    """
    rows = [
        {
            "key": key,
            "name": schedule.name,
            "definition": schedule.to_dict(),
            "definition_hash": schedule.definition_hash,
            "line": line,
            "problems": list((flaws or {}).get(key, ())),
        }
        for key, (schedule, line) in schedules.items()
    ]
    with db.transaction() as cursor:
        # A statement that waited for another machine's would not see the rows which that one has made.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('data_sync.yaml_mirror', 0))")
        values = {
            "content_hash": content_hash,
            "revision": revision,
            "problems": json.dumps(sorted(problems)),
            "schedules": json.dumps(rows),
            "broken": json.dumps({key: list(found) for key, found in broken.items()}),
            "keys": [*schedules, *broken],
        }
        if cursor.execute(_IS_TAKEN, values).fetchone() is not None:
            return False
        cursor.execute(_MIRROR, values)
    return True
