"""People at the API: each asks one thing after the other, with a token and parameters of their own."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from benchmarks.api_events import Changes, watching
from benchmarks.api_questions import FURTHER, QUESTIONS, Known, Query, Question


@dataclass
class Answers:
    """What came of it.

    :param took: the ms of each answer, by the question's name.
    :param refused: how many answers there were of each status that is no success.
    :param events: how many seconds after its commit each change was told to somebody.
    :param blind: why somebody had no stream of events.
    """

    took: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    events: list[float] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)
    seconds: float = 0.0


def load(
    address: str, tokens: Mapping[str, str], known: Known, changes: Changes, *, seconds: float, pause: float
) -> Answers:
    """Let all people ask at once for a time, each with a stream of events open.

    :param tokens: of the people, by their names.
    :param changes: what the events tell of, while it changes.
    :param pause: how long each waits from one question to the next, on average; 0 for not at all.
    """
    return asyncio.run(_load(address, tokens, known, changes, seconds, pause))


async def _load(
    address: str, tokens: Mapping[str, str], known: Known, changes: Changes, seconds: float, pause: float
) -> Answers:
    answers = Answers()
    limits = httpx.Limits(max_connections=2 * len(tokens))
    async with (
        httpx.AsyncClient(base_url=f"{address}/sync", timeout=60, limits=limits) as http,
        watching(http, tokens, changes) as watchers,
    ):
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number, token in enumerate(tokens.values()):
                person = _Person(http, token, Random(number), known, answers)
                group.create_task(person.ask_until(started + seconds, pause))
        answers.seconds = time.perf_counter() - started
    for watcher in watchers:
        answers.events += watcher.latencies(changes)
        answers.blind += [watcher.refused] if watcher.refused else []
    return answers


@dataclass
class _Person:
    http: httpx.AsyncClient
    token: str
    draw: Random
    known: Known
    answers: Answers
    next: str | None = None
    query: Query = field(default_factory=dict)

    async def ask_until(self, end: float, pause: float) -> None:
        """Ask one thing after the other."""
        shares = [question.share for question in QUESTIONS]
        while time.perf_counter() < end:
            if pause:
                await asyncio.sleep(2 * pause * self.draw.random())
            (question,) = self.draw.choices(QUESTIONS, shares)
            await self._ask(question)

    async def _ask(self, question: Question) -> None:
        name, query = question.name, dict(question.draw(self.draw, self.known))
        path = question.path.format(log=query.pop("log", ""))
        if name == FURTHER:
            # What follows the page that this person has looked at before, where there is more.
            name, query = (name, {**self.query, "cursor": self.next}) if self.next else ("logs", query)
        started = time.perf_counter()
        answer = await self.http.get(path, params=query, headers={"Authorization": f"Bearer {self.token}"})
        took = 1000 * (time.perf_counter() - started)
        # A log of somebody else's does not exist for them: that is an answer, too.
        if answer.status_code in (200, 404):
            self.answers.took[name].append(took)
        else:
            self.answers.refused[answer.status_code] += 1
        if question.path == "/logs" and answer.status_code == 200:
            found: dict[str, Any] = answer.json()
            self.next, self.query = found["next"], {k: v for k, v in query.items() if k != "cursor"}
