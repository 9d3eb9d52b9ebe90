"""One round after the other: what is expected of each, what came of it, and how to see a failure again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime

import psycopg

from data_sync.local import totals
from network_clients import registry
from tests.torture.drive import Drive, RoundFailedError, tidy
from tests.torture.history import broken_histories, last_change
from tests.torture.plan import FIRST, NETWORKS, Fate, Plan, RunPlan, draw, settings_of
from tests.torture.site import CrashingPostgres, Pooler, Site, servers, site
from tests.torture.tables import (
    ACCOUNTS,
    PLACES,
    Figures,
    Place,
    Snapshot,
    differences,
    figures_of,
    leftovers,
    miscounts,
    pooled_state,
    snapshot,
)
from tests.torture.truth import Row, Rows, Truth, days_read

#: How many problems of a round are told.
_TOLD = 12
_CLEAN = 99


class TortureError(AssertionError):
    """Raised when a round ends in anything but the truth; its text is all that is needed to see it again."""


@dataclass
class _Round:
    """What a round began with, and the moments of the sandbox's clock since."""

    site: Site
    truth: Truth
    plan: Plan
    before: Snapshot
    since: int
    first_log: int
    moments: list[datetime] = field(default_factory=list)

    def domain(self, account: str) -> tuple[date, date]:
        """Return the days of a network that any run of this seed may read."""
        return days_read(account, FIRST, self.plan.last_day)

    def rows(self, place: Place) -> Rows:
        """Return what the network has now."""
        return self.truth.rows(*place, self.site.sandbox.now, self.domain(place[0]))

    def states(self, account: str) -> Callable[[str], Sequence[Row | None]]:
        """Return how to ask what a purchase went through in this round."""
        seen = [
            self.truth.rows(account, "purchases", moment, self.domain(account)) for moment in self.moments
        ]
        return lambda key: [rows.get(key) for rows in seen]


def play(
    seed: int, rounds: int, *, pooled: bool = False, say: Callable[[str], None] = lambda line: None
) -> None:
    """Play the rounds of one seed on servers of their own.

    :raises TortureError: for the first round that does not end in the truth.
    """
    with servers(pooled=pooled) as running:
        play_on(running, seed, rounds, say=say)


@contextmanager
def _told(plan: Plan, drives: Sequence[Drive], *, pooled: bool) -> Iterator[None]:
    try:
        yield
    except RoundFailedError as error:
        again = f"make torture SEED={plan.seed} ROUNDS={plan.number}{' POOLER=pgbouncer' if pooled else ''}"
        journal = "\n".join(line for drive in drives for line in drive.journal)
        said = "\n".join(drive.outputs() for drive in drives)
        raise TortureError(
            f"Round {plan.number} of seed {plan.seed}: {error}\nAgain: {again}\n\nPlanned:\n{plan}\n\n"
            f"Happened:\n{journal}\n\nProcesses:\n{said[-12_000:]}"
        ) from error


def play_on(
    running: tuple[object, CrashingPostgres, Pooler | None],
    seed: int,
    rounds: int,
    *,
    say: Callable[[str], None] = lambda line: None,
    until: float | None = None,
) -> Counter[str]:
    """Play the rounds of one seed on servers that are running, in a fresh database.

    :param until: no round begins after this moment of the monotonic clock.
    :return: how often each sort of trouble was really met, not only planned.
    """
    folder, postgres, pooler = running
    settings, _ = settings_of(seed)
    truth, met = Truth(settings), Counter[str]()
    with site(folder, postgres, pooler, settings) as here:  # type: ignore[arg-type]
        for number in range(1, rounds + 1):
            if until is not None and time.monotonic() > until:
                break
            line, happened = _play_round(here, truth, draw(seed, number))
            say(line)
            met.update(happened)
            truth.forget()
            tidy(here.folder)
    return met


def _play_round(here: Site, truth: Truth, plan: Plan) -> tuple[str, Mapping[str, int]]:
    if plan.advance:
        here.sandbox.advance(plan.advance)
    with here.connect() as connection:
        newest = connection.execute("SELECT COALESCE(max(id), 0) AS id FROM data_sync.sync_logs").fetchone()
        assert newest is not None
        now = _Round(here, truth, plan, snapshot(connection), last_change(connection), newest["id"] + 1)
    drive = Drive(here, plan.runs, plan.events, plan.fate)
    clean = RunPlan(_CLEAN, NETWORKS, "all", FIRST, plan.last_day, 0.0, 3, is_quick=True)
    drives = [drive]
    with _told(plan, drives, pooled=here.pooler is not None):
        drive.go()
        here.sandbox.admin("/faults", method="DELETE")
        now.moments = drive.moments
        _require(_after_trouble(now), "after the troubled runs")
        again = Drive(here, [clean], [], lambda *place: Fate())
        drives.append(again)
        with here.connect() as connection:
            expected = _still_to_do(now, snapshot(connection))
        again.go()
        _require(_after_all(now, expected), "after an undisturbed run")
    return _line(now, drive), drive.tally


def _require(problems: Iterator[str], when: str) -> None:
    found = list(problems)
    if found:
        more = f"\n... and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
        raise RoundFailedError(f"{when}:\n" + "\n".join(found[:_TOLD]) + more)


def _after_trouble(now: _Round) -> Iterator[str]:
    yield from _always(now)
    with now.site.connect() as connection:
        after = snapshot(connection)
        yield from _histories(now, after)
        figures = figures_of(connection, now.first_log)
    for place in PLACES:
        check = _still_place if now.plan.is_still else _moving_place
        yield from check(now, place, figures, after)


def _after_all(now: _Round, expected: dict[Place, Counter[str]]) -> Iterator[str]:
    yield from _always(now)
    with now.site.connect() as connection:
        after = snapshot(connection)
        figures = figures_of(connection, now.first_log)
        yield from _histories(now, after)
        for place in PLACES:
            yield from differences(place, now.rows(place), after[place], all_gone=True)
            found = figures[f"sync__torture{_CLEAN}", *place]
            if +found != +expected[place]:
                yield f"{' '.join(place)}: the run counts {dict(+found)}, true are {dict(+expected[place])}"
        for account in ACCOUNTS:
            network = account.split("_")[0]
            days = now.domain(account)
            said = totals.of_sandbox(now.site.sandbox.totals(network, days), registry.facts_of(network))
            with psycopg.connect(now.site.postgres.url(now.site.database)) as plain:
                yield from totals.differences(said, totals.of_tables(plain, account, *days))


def _always(now: _Round) -> Iterator[str]:
    yield from leftovers(now.site)
    yield from pooled_state(now.site)
    with now.site.connect() as connection:
        yield from miscounts(connection)
        for network in NETWORKS:
            row = connection.execute(
                "SELECT COALESCE(sum(requests), 0)::integer AS n FROM data_sync.sync_logs WHERE network = %s",
                [network],
            ).fetchone()
            state = now.site.sandbox.state(network)
            if row is None or row["n"] > state["requests_total"]:
                yield f"{network}: the logs count {row} requests, it saw {state['requests_total']}"
            if broken := state["violations"].get("calls_per_minute"):
                yield f"{network}: its limit was broken {broken} times"
    if "deadlock detected" in now.site.postgres.log.read_text(errors="replace"):
        yield f"two tasks deadlocked: see {now.site.postgres.log}"


def _histories(now: _Round, after: Snapshot) -> Iterator[str]:
    with now.site.connect() as connection:
        for account in ACCOUNTS:
            place = (account, "purchases")
            yield from broken_histories(
                connection, account, since=now.since, before=now.before[place], after=after[place],
                went_through=now.states(account),
            )  # fmt: skip


def _still_place(now: _Round, place: Place, figures: Figures, after: Snapshot) -> Iterator[str]:
    """While the clock stood, everything is known: what each run read, and what all together wrote."""
    account, kind = place
    asked: dict[str, Row] = {}
    name, sums = " ".join(place), Counter[str]()
    for run in now.plan.runs:
        found = figures.get((f"sync__torture{run.number}", account, kind))
        if found is None:
            continue
        rows = now.rows(place)
        if kind == "purchases":
            rows = truth_of_days(rows, days_read(account, run.first, run.last))
        if found["read"] != len(rows) or found["incomplete"]:
            yield f"{name}: run {run.number} read {dict(found)}, the network has {len(rows)} rows for it"
        asked |= rows
        sums += found
    known = now.before[place]
    wanted = Counter(
        inserted=len(asked.keys() - known.keys()),
        updated=sum(key in known and known[key].row != row for key, row in asked.items()),
    )
    for what in ("inserted", "updated", "outdated", "rejected"):
        if sums[what] != wanted[what]:
            yield f"{name}: all runs together say {what}: {sums[what]}, true is {wanted[what]}"
    stored = {key: row for key, row in after[place].items() if key in asked}
    yield from differences(place, asked, stored, all_gone=False)


def _moving_place(now: _Round, place: Place, figures: Figures, after: Snapshot) -> Iterator[str]:
    """While the clock moved: what was there all the time was read by each run that says it was complete."""
    account, kind = place
    if now.plan.spoils(account.split("_")[0]):
        return
    seen = [now.truth.rows(*place, moment, now.domain(account)) for moment in now.moments]
    for run in now.plan.runs:
        found = figures.get((f"sync__torture{run.number}", account, kind))
        if found is None or found["incomplete"]:
            continue
        rows = seen[0]
        if kind == "purchases":
            rows = truth_of_days(rows, days_read(account, run.first, run.last))
        for key, row in rows.items():
            states = [then.get(key) for then in seen]
            stored = after[place].get(key)
            if None not in states and (stored is None or stored.has_vanished):
                yield f"{' '.join(place)} {key}: run {run.number} was complete, and the row is not there"
            elif stored is not None and all(state == row for state in states) and stored.row != row:
                yield f"{' '.join(place)} {key}: run {run.number} was complete, and has left {stored.row}"


def truth_of_days(rows: Rows, days: tuple[date, date]) -> Rows:
    """Return the purchases of some days, both inclusive."""
    return {key: row for key, row in rows.items() if days[0] <= row.values[0] <= days[1]}  # type: ignore[operator]


def _still_to_do(now: _Round, found: Snapshot) -> dict[Place, Counter[str]]:
    """Say what an undisturbed run of everything must count, from the tables as they are before it."""
    expected = {}
    for place in PLACES:
        rows, stored = now.rows(place), found[place]
        inserted = len(rows.keys() - stored.keys())
        updated = sum(
            key in stored and (stored[key].row != row or stored[key].has_vanished)
            for key, row in rows.items()
        )
        vanished = sum(key not in rows and not row.has_vanished for key, row in stored.items())
        unchanged = len(rows) - inserted - updated
        expected[place] = Counter(
            read=len(rows), inserted=inserted, updated=updated, unchanged=unchanged, vanished=vanished
        )
    return expected


def _line(now: _Round, drive: Drive) -> str:
    rows = sum(len(now.rows(place)) for place in PLACES)
    with now.site.connect() as connection:
        changes = last_change(connection) - now.since
    tally = ", ".join(f"{count} {what}" for what, count in sorted(drive.tally.items()))
    clock = "still" if now.plan.is_still else "moving"
    return (
        f"seed {now.plan.seed} round {now.plan.number} ({clock}): true after {drive.seconds:.1f} s, "
        f"{rows} rows, {changes} changes; {tally}"
    )
