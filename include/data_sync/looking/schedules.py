"""The list of schedules, and one of them with what its last runs came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from data_sync.catalogue.belonging import SCHEDULES_WITH_GAPS
from data_sync.catalogue.stored import CLASH
from data_sync.database import Cursor, one
from data_sync.looking.viewer import SEES_SCHEDULE, Viewer


class ScheduleState(StrEnum):
    """Whether a schedule runs by itself."""

    ACTIVE = "active"
    """It runs when its timing says so."""
    PAUSED = "paused"
    """Somebody has turned it off."""
    INACTIVE = "inactive"
    """Its definition says ``active: false``: it runs by hand only."""


class ScheduleSort(StrEnum):
    """By what the list is ordered; equal ones by their key."""

    KEY = "key"
    NAME = "name"
    STATE = "state"
    LAST_RUN = "last_run"
    NEXT_RUN = "next_run"
    UPDATED = "updated"


@dataclass(frozen=True)
class Switch:
    """What Airflow knows about a schedule's DAG.

    :param next_run: when it runs next by itself (aware), where it does.
    """

    is_paused: bool
    next_run: datetime | None


@dataclass(frozen=True)
class Wanted:
    """Which schedules are asked for; what is ``None`` does not matter.

    :param text: a part of the key or the name, in any letter case.
    """

    state: ScheduleState | None = None
    source: str | None = None
    network: str | None = None
    sync_type: str | None = None
    owner: str | None = None
    with_problems: bool | None = None
    text: str | None = None
    sort: ScheduleSort = ScheduleSort.KEY
    descending: bool = False
    limit: int = 50
    offset: int = 0


_ORDER = {
    ScheduleSort.KEY: "key",
    ScheduleSort.NAME: "lower(name)",
    ScheduleSort.STATE: "state",
    ScheduleSort.LAST_RUN: "last_run_at",
    ScheduleSort.NEXT_RUN: "next_run",
    ScheduleSort.UPDATED: "updated_at",
}

# The last run of a key is not the schedule's own if it is older, or of the time in which git had the key.
_KNOWN = f"""
WITH in_force AS (
    SELECT DISTINCT ON (key) key, source, owner, name, definition, revision, yaml_line, created_at,
        updated_at, problems || CASE WHEN build_problem IS NULL THEN '[]' ELSE to_jsonb(build_problem) END
            || CASE WHEN count(*) OVER (PARTITION BY key) > 1 THEN to_jsonb(%(clash)s::text) ELSE '[]' END
            AS problems
    FROM data_sync.sync_schedules
    WHERE deleted_at IS NULL AND (%(key)s::text IS NULL OR key = %(key)s) ORDER BY key, source = 'yaml' DESC
), known AS (
    SELECT s.*, d.next_run, last.opened_at AS last_run_at, last.id AS last_run_id,
        CASE WHEN s.definition ->> 'active' = 'false' THEN 'inactive'
             WHEN d.is_paused THEN 'paused' ELSE 'active' END AS state,
        COALESCE(d.is_paused, false) AS is_paused, d.key IS NOT NULL AS has_dag
    FROM in_force s
    LEFT JOIN unnest(%(keys)s::text[], %(paused)s::bool[], %(next)s::timestamptz[])
        AS d (key, is_paused, next_run) ON d.key = s.key
    JOIN {SCHEDULES_WITH_GAPS} own ON own.key = s.key AND own.source = s.source
    LEFT JOIN LATERAL (SELECT r.id, r.opened_at FROM data_sync.sync_runs r WHERE r.schedule_key = s.key
                       ORDER BY r.id DESC LIMIT 1) last
        ON last.opened_at >= s.created_at AND NOT last.opened_at <@ own.gap
    WHERE {SEES_SCHEDULE}
)
"""  # noqa: S608

# Runs that count against max_runs_per_day; where there is none, those that would.
_RUNS_TODAY = """
LATERAL (
    SELECT count(*) AS runs_today
    FROM (SELECT (clock_timestamp() AT TIME ZONE (s.definition ->> 'timezone'))::date AS day) today,
    LATERAL (SELECT 1 FROM data_sync.sync_runs r WHERE r.schedule_key = s.key AND r.guard = 'claimed'
             AND r.guard_day = today.day
             UNION ALL
             SELECT 1 FROM data_sync.sync_runs r WHERE r.schedule_key = s.key AND r.guard = 'not_counted'
             AND r.kind IN ('scheduled', 'run_now')
             AND r.opened_at >= today.day::timestamp AT TIME ZONE (s.definition ->> 'timezone')) runs
) t
"""

_PAGE = """
, page AS (
    SELECT *, count(*) OVER () AS total_entries FROM known
    WHERE (%(state)s::text IS NULL OR state = %(state)s)
      AND (%(source)s::text IS NULL OR source = %(source)s)
      AND (%(sync_type)s::text IS NULL OR definition ->> 'sync_type' = %(sync_type)s)
      AND (%(owner)s::text IS NULL OR owner = %(owner)s)
      AND (%(with_problems)s::bool IS NULL OR (problems <> '[]') = %(with_problems)s)
      AND (%(text)s::text IS NULL OR position(lower(%(text)s) IN lower(key || ' ' || name)) > 0)
      AND (%(network)s::text IS NULL OR EXISTS (
           SELECT 1 FROM jsonb_array_elements_text(definition -> 'networks') n
           WHERE split_part(n, ':', 1) = %(network)s))
    ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s
)
"""

_COLUMNS = """
s.key, s.name, s.source, s.owner, s.definition, s.revision, s.yaml_line, s.problems, s.state, s.is_paused,
s.has_dag, s.next_run, s.created_at, s.updated_at, t.runs_today, last.run AS last_run
"""

_LAST = """
LEFT JOIN LATERAL (
    SELECT jsonb_build_object('id', r.id, 'run_id', r.run_id, 'dag_id', r.dag_id, 'kind', r.kind,
        'opened_at', r.opened_at, 'closed_at', r.closed_at, 'refusal', r.refusal,
        'statuses', (SELECT COALESCE(jsonb_agg(DISTINCT l.status), '[]') FROM data_sync.sync_logs l
                     WHERE l.sync_run = r.id)) AS run
    FROM data_sync.sync_runs r WHERE r.id = s.last_run_id
) last ON true
"""


@dataclass(frozen=True)
class Page:
    """A part of a list.

    :param total: how many there are in all.
    """

    rows: Sequence[Mapping[str, Any]]
    total: int


def list_page(cursor: Cursor, viewer: Viewer, wanted: Wanted, switches: Mapping[str, Switch]) -> Page:
    """Return a part of the schedules that a person sees.

    :param switches: what Airflow knows, by the schedule's key.
    """
    direction = "DESC NULLS LAST" if wanted.descending else "ASC NULLS LAST"
    order = f"{_ORDER[wanted.sort]} {direction}, key"
    asked = {name: getattr(wanted, name) for name in wanted.__dataclass_fields__}
    values = {**_values(viewer, switches), **asked}
    rows = cursor.execute(
        f"{_KNOWN}{_PAGE.format(order=order)} SELECT {_COLUMNS}, s.total_entries "  # noqa: S608
        f"FROM page s {_LAST}, {_RUNS_TODAY} ORDER BY {order.replace('key', 's.key')}",
        values,
    ).fetchall()
    if rows or not wanted.offset:
        return Page(rows, rows[0]["total_entries"] if rows else 0)
    # Past the end: there is no row that could tell.
    counted = cursor.execute(
        f"{_KNOWN}{_PAGE.format(order='key')} SELECT max(total_entries) AS total FROM page",  # noqa: S608
        {**values, "offset": 0, "limit": 1},
    ).fetchone()
    return Page([], one(counted)["total"] or 0)


def find(cursor: Cursor, viewer: Viewer, key: str, switch: Switch | None) -> dict[str, Any] | None:
    """Return one schedule if this person sees it."""
    values = {**_values(viewer, {key: switch} if switch else {}), "key": key}
    return cursor.execute(
        f"{_KNOWN} SELECT {_COLUMNS} FROM known s {_LAST}, {_RUNS_TODAY}",  # noqa: S608
        values,
    ).fetchone()


def cards(cursor: Cursor, viewer: Viewer, switches: Mapping[str, Switch]) -> dict[str, int]:
    """Count all that a person sees: total, active, paused, inactive, with problems, runs today."""
    row = cursor.execute(
        f"""{_KNOWN} SELECT count(*) AS total, count(*) FILTER (WHERE state = 'active') AS active,
            count(*) FILTER (WHERE state = 'paused') AS paused,
            count(*) FILTER (WHERE state = 'inactive') AS inactive,
            count(*) FILTER (WHERE problems <> '[]') AS with_problems,
            COALESCE(sum(t.runs_today), 0)::bigint AS runs_today
        FROM known s, {_RUNS_TODAY}""",  # noqa: S608
        _values(viewer, switches),
    ).fetchone()
    return dict(one(row))


def _values(viewer: Viewer, switches: Mapping[str, Switch]) -> dict[str, Any]:
    return {
        **viewer.values,
        "key": None,
        "clash": CLASH,
        "keys": list(switches),
        "paused": [switch.is_paused for switch in switches.values()],
        "next": [switch.next_run for switch in switches.values()],
    }
