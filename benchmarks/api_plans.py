"""What the lists of the API cost inside Postgres, and by which plans it answers them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from psycopg.rows import dict_row

from benchmarks.api_questions import QUESTIONS, Known, Question
from data_sync.looking.viewer import Viewer

#: The tables that grow with every run or day: who reads one from end to end gets slower all the time.
LARGE = frozenset({"sync_logs", "sync_runs", "sync_log_steps", "purchases", "reads"})


@dataclass(frozen=True)
class Cost:
    """What all statements of one request took, in ms: by the clock, and of a core of the server."""

    clock: float
    cpu: float


@dataclass
class Plans:
    """The plans of the statements of one question.

    :param statements: how many of them ask a large table.
    :param by_index: how many of these find all that they need of such tables by an index.
    :param scans: what the others read from end to end, each with its statement.
    """

    statements: int = 0
    by_index: int = 0
    scans: list[str] = field(default_factory=list)


def costs(
    connection: psycopg.Connection[Any],
    question: Question,
    viewers: Sequence[Viewer],
    known: Known,
    *,
    times: int,
    seed: int = 1,
) -> list[Cost]:
    """Ask a question so many times, each time by somebody and with parameters of its own."""
    draw, found = Random(seed), []
    connection.prepare_threshold = None
    for _ in range(times):
        viewer, query = draw.choice(viewers), question.draw(draw, known)
        cpu, started = _cpu(connection), time.perf_counter()
        with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            question.ask(cursor, viewer, query, known)
        seconds = time.perf_counter() - started
        found.append(Cost(1000 * seconds, (_cpu(connection) - cpu) / 1e6))
    return found


def plans(
    connection: psycopg.Connection[Any],
    viewers: Sequence[Viewer],
    known: Known,
    *,
    times: int,
    seed: int = 1,
) -> dict[str, Plans]:
    """Return the plans that Postgres has for each question, with many parameters."""
    found = {}
    connection.prepare_threshold = None
    for question in QUESTIONS:
        draw, plans = Random(seed), Plans()
        for _ in range(times):
            viewer, query = draw.choice(viewers), question.draw(draw, known)
            with connection.transaction(), _Explained(connection, plans) as cursor:
                question.ask(cursor, viewer, query, known)
        found[question.name] = plans
    return found


class _Explained(psycopg.Cursor[dict[str, Any]]):
    """Has each question explained before it is asked, under the settings of that moment."""

    def __init__(self, connection: psycopg.Connection[Any], plans: Plans) -> None:
        super().__init__(connection, row_factory=dict_row)
        self._plans = plans

    def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        """Explain, then ask."""
        if str(query).lstrip().startswith(("SELECT", "WITH")):
            plan = super().execute(f"EXPLAIN (FORMAT JSON) {query}", params).fetchone()
            self._note(str(query), (plan or {})["QUERY PLAN"][0]["Plan"])
        return super().execute(query, params, **more)

    def _note(self, query: str, plan: dict[str, Any]) -> None:
        nodes = [
            node
            for node in _nodes(plan)
            if node.get("Relation Name") in LARGE or "Index" in node["Node Type"]
        ]
        self._plans.statements += bool(nodes)
        self._plans.by_index += any("Index" in node["Node Type"] for node in nodes)
        self._plans.scans += [
            f"{node['Relation Name']}: {query}" for node in nodes if node["Node Type"] == "Seq Scan"
        ]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _cpu(connection: psycopg.Connection[Any]) -> int:
    """Return the nanoseconds that the connection's server process has used."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text().split()[0])
    return 0
