"""What the logs of past days add up to: worked out once, and kept until one of these logs changes.

A day is kept when it has been over for a while; a trigger on the logs forgets it in the very transaction that
makes, changes or deletes a log of it. So what is kept always equals what the logs say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from data_sync.database import Cursor, one

Figures = list[dict[str, Any]]

#: A day that has been over for less may still change with every log that ends; the trigger knows one less.
_OVER = timedelta(hours=7)
#: What is kept for longer is worked out anew: who asked for it may see other logs by now.
_KEPT = timedelta(days=2)

_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('data_sync.kept_figures', 0)) AS is_mine"


@dataclass(frozen=True)
class Day:
    """A day and the instants between which it lies."""

    day: date
    begins: datetime
    ends: datetime


def figures_of(
    cursor: Cursor, scope: str, days: Sequence[Day], add_up: Callable[[Day, Day], Figures]
) -> Figures:
    """Return the figures of all days, each with its ``day``.

    :param scope: names which logs are added up, and how.
    :param days: in their order, none left out.
    :param add_up: works out those from one day to another, both inclusive.
    """
    moment, kept = _kept(cursor, scope, days)
    found = [entry for day in days for entry in kept.get(day.begins, ())]
    missing = [day for day in days if day.begins not in kept]
    over = {day for day in missing if day.ends <= moment - _OVER}
    may_keep = bool(over) and bool(one(cursor.execute(_LOCK).fetchone())["is_mine"])
    for part in _parts(days, missing):
        added = add_up(part[0], part[-1])
        found += added
        if may_keep:
            _keep(cursor, scope, [day for day in part if day in over], added)
    return found


def _kept(
    cursor: Cursor, scope: str, days: Sequence[Day]
) -> tuple[datetime, Mapping[datetime, Sequence[dict[str, Any]]]]:
    """Return the database's time, and what is kept by the days' beginnings."""
    rows = cursor.execute(
        "SELECT clock_timestamp() AS moment, k.begins, k.figures FROM (SELECT) always LEFT JOIN "
        "data_sync.kept_figures k ON k.scope = %s AND k.begins BETWEEN %s AND %s",
        [scope, days[0].begins, days[-1].begins],
    ).fetchall()
    known = {row["begins"]: row["figures"] for row in rows if row["begins"] is not None}
    kept = {
        day.begins: [{**entry, "day": day.day} for entry in known[day.begins]]
        for day in days
        if day.begins in known
    }
    return rows[0]["moment"], kept


def _parts(days: Sequence[Day], missing: Sequence[Day]) -> Iterator[list[Day]]:
    """Cut days that are missing into stretches without a gap."""
    place = {day: number for number, day in enumerate(days)}
    for _, part in groupby(enumerate(missing), key=lambda entry: place[entry[1]] - entry[0]):
        yield [day for _, day in part]


def _keep(cursor: Cursor, scope: str, days: Sequence[Day], added: Figures) -> None:
    cursor.execute("DELETE FROM data_sync.kept_figures WHERE kept_at < clock_timestamp() - %s", [_KEPT])
    for day in days:
        figures = [{**entry, "day": None} for entry in added if entry["day"] == day.day]
        cursor.execute(
            "INSERT INTO data_sync.kept_figures (scope, begins, ends, figures) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (scope, begins) DO NOTHING",
            [scope, day.begins, day.ends, json.dumps(figures)],
        )
