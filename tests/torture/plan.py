"""What happens in a round, drawn from its seed: the same seed and number give the same plan."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sandbox_networks.settings import SandboxSettings

NETWORKS = ("admitad", "boostiny")
FIRST = date(2026, 3, 1)
START = datetime(2026, 3, 6, 9, tzinfo=UTC)

_HOUR, _DAY = 3_600, 86_400
#: After so many tries a unit is left in peace, so that every round ends.
_TROUBLED_TRIES = 4
#: Faults of rows that nobody can store truthfully: their rows are set aside, and come back unspoiled.
_SPOILED = ("missing_currency", "missing_id", "impossible_date", "text_amount")


@dataclass(frozen=True)
class RunPlan:
    """One run of a schedule, or a quick sync where ``is_quick``.

    :param at: seconds after the round's start.
    :param window_days: how many days each unit of purchases has at least.
    """

    number: int
    networks: tuple[str, ...]
    sync_type: str
    first: date
    last: date
    at: float
    window_days: int
    is_quick: bool

    def __str__(self) -> str:
        kind = "quick sync" if self.is_quick else "schedule"
        days = f"{self.first} to {self.last} in windows of {self.window_days}"
        asked = f"{self.sync_type} of {', '.join(self.networks)}"
        return f"{self.at:4.1f} s  {kind} {self.number}: {asked}, {days}"


@dataclass(frozen=True)
class Event:
    """Something that happens to everybody at a moment of the round."""

    at: float
    what: str
    detail: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.at:4.1f} s  {self.what} {self.detail or ''}"


@dataclass(frozen=True)
class Fate:
    """What happens to one try of a unit: seconds after its start, ``None`` for never."""

    killed_after: float | None = None
    again_after: float | None = None
    """When the same try is delivered to a second process."""
    asleep_after: float | None = None
    """When its machine falls asleep: it is taken for dead and tried again, and wakes up in the middle."""
    stalled_after: float | None = None
    """When its machine hangs for a while, and nobody takes it for dead: what it then stores is old news."""
    asleep_for: float = 0.0
    clock: int = 0
    """Seconds by which the sandbox's clock goes on when it stalls."""


@dataclass(frozen=True)
class Plan:
    """One round.

    :param is_still: whether the sandbox's clock stands while the runs are going; what must be counted is
        then known to the row.
    :param advance: seconds by which the clock moves before anything starts.
    """

    seed: int
    number: int
    last_day: date
    is_still: bool
    advance: int
    runs: tuple[RunPlan, ...]
    events: tuple[Event, ...]

    def fate(self, *place: object) -> Fate:
        """Draw what happens to a try: of opening or settling a run, or of a unit."""
        chance = random.Random(f"{self.seed} {self.number} {place}")
        if int(str(place[-1])) >= _TROUBLED_TRIES:
            return Fate()
        luck = chance.random()
        # Most of what can go wrong does so soon after the start; some reads take seconds.
        moment = chance.random() ** 2 * 1.5
        if luck < 0.4:
            return Fate(killed_after=moment)
        if place[0] == "open":
            # One that wakes up after its run has ended opens it again: it is not told from a cleared one.
            return Fate()
        if luck < 0.5:
            return Fate(again_after=moment)
        if luck < 0.55:
            return Fate(again_after=moment, killed_after=moment * 2)
        if luck < 0.65:
            return Fate(asleep_after=moment, asleep_for=chance.uniform(0.1, 1.5))
        if luck < 0.8:
            clock = 0 if self.is_still else chance.choice((_HOUR, _DAY, 3 * _DAY))
            return Fate(stalled_after=moment, asleep_for=chance.uniform(0.5, 2.5), clock=clock)
        return Fate()

    def spoils(self, network: str) -> bool:
        """Tell whether rows of a network come spoiled in this round."""
        return any(
            event.detail.get("kind") in _SPOILED and event.detail["network"] == network
            for event in self.events
        )

    def __str__(self) -> str:
        """List everything that is planned, a line each."""
        clock = "stands" if self.is_still else "moves"
        head = f"the clock goes on by {self.advance} s, then {clock}; days {FIRST} to {self.last_day}"
        return "\n".join([head, *map(str, self.runs), *map(str, self.events)])


def settings_of(seed: int) -> tuple[SandboxSettings, date]:
    """Draw the world of a seed, and the last day that its syncs ask for."""
    chance = random.Random(f"world {seed}")
    rows_per_day = chance.choice((40, 120, 400))
    settings = SandboxSettings(
        seed=seed,
        rows_per_day=rows_per_day,
        first_day=date(2026, 2, 1),
        now=START,
        options={
            "admitad": {"coupons": chance.choice((120, 700))},
            # Its limit is no number that anybody knows; how it is kept is proved elsewhere.
            "boostiny": {"per_page": rows_per_day // chance.randint(1, 4) + 1, "calls": 1_000_000},
        },
    )
    return settings, FIRST + timedelta(days=chance.randint(2, 5))


def draw(seed: int, number: int) -> Plan:
    """Draw one round.

    :param number: from 1; rounds of one seed follow each other on the same tables.
    """
    chance = random.Random(f"round {seed} {number}")
    _, last = settings_of(seed)
    is_still = chance.random() < 0.5
    advance = 0 if number == 1 else chance.choice((_HOUR, 10 * _HOUR, 2 * _DAY, 6 * _DAY))
    runs = tuple(_runs(chance, last))
    events = [*_faults(chance), *_crashes(chance)]
    if not is_still:
        events += _moves(chance)
    events = sorted(events, key=lambda event: event.at)
    return Plan(seed, number, last, is_still, advance, runs, tuple(events))


def _runs(chance: random.Random, last: date) -> Iterator[RunPlan]:
    length = (last - FIRST).days
    for number in range(1, chance.choice((1, 2, 2, 3)) + 1):
        start = chance.randint(0, length // 2) if number > 1 else 0
        end = chance.randint(length // 2, length) if number > 1 else length
        yield RunPlan(
            number=number,
            networks=chance.choice((NETWORKS, NETWORKS, NETWORKS[:1], NETWORKS[1:])),
            sync_type=chance.choice(("purchases", "purchases", "all", "campaigns", "coupons"))
            if number > 1
            else chance.choice(("purchases", "all")),
            first=FIRST + timedelta(days=start),
            last=FIRST + timedelta(days=end),
            at=0.0 if number == 1 else round(chance.uniform(0, 2), 1),
            window_days=chance.choice((1, 2, 4, 14)),
            is_quick=chance.random() < 0.3,
        )


def _faults(chance: random.Random) -> Iterator[Event]:
    for network in NETWORKS:
        path = "/statistics/" if network == "admitad" else "/publisher/"
        if chance.random() < 0.6:
            seconds = round(chance.uniform(0.01, 0.15 if network == "admitad" else 0.05), 3)
            yield _fault(0.0, network=network, kind="slow", path=path, seconds=seconds, count=None)
        kinds = ["rate_limited", "too_many_requests", "server_error", "truncated", "drop", "expired_tokens"]
        for _ in range(chance.randint(0, 2)):
            kind = chance.choice(kinds)
            if kind == "expired_tokens":
                # A token that was bought a moment ago and is refused too means wrong credentials.
                kinds.remove(kind)
            details: dict[str, Any] = {"network": network, "kind": kind, "after": chance.randint(0, 4)}
            if kind in ("rate_limited", "too_many_requests"):
                # A second is slept, half a minute more is not: the task frees its slot then.
                details["retry_after"] = chance.choice((1, 1, 40))
            if kind != "expired_tokens" and chance.random() < 0.3:
                details["count"] = chance.randint(2, 4)
            yield _fault(round(chance.uniform(0, 3), 1), path=path, **details)


def _fault(at: float, **details: Any) -> Event:
    return Event(at, "fault", details)


def _crashes(chance: random.Random) -> Iterator[Event]:
    for _ in range(chance.randint(0, 3)):
        share = chance.choice(("one", "all"))
        yield Event(round(chance.uniform(0.2, 3), 1), "connections dropped", {"which": share})
    for _ in range(chance.choice((0, 0, 1, 2))):
        yield Event(round(chance.uniform(0.2, 3), 1), "Postgres crashes", {})
    if chance.random() < 0.3:
        yield Event(round(chance.uniform(0.2, 3), 1), "pooler crashes", {})
    for _ in range(chance.randint(0, 2)):
        yield Event(round(chance.uniform(0.2, 3), 1), "upkeep settles", {})


def _moves(chance: random.Random) -> Iterator[Event]:
    for _ in range(chance.randint(2, 5)):
        seconds = chance.choice((60, 600, _HOUR, 5 * _HOUR, 2 * _DAY))
        yield Event(round(chance.uniform(0.1, 3), 1), "clock moves", {"seconds": seconds})
    if chance.random() < 0.3:
        network, kind = chance.choice(NETWORKS), chance.choice(_SPOILED)
        yield _fault(round(chance.uniform(0, 2), 1), network=network, kind=kind, every=37, count=None)
