"""Carries out the plan of a round: starts processes, kills them, and lets things happen around them."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from network_clients import registry
from tests.torture import tasks
from tests.torture.plan import Event, Fate, RunPlan
from tests.torture.site import Site
from tests.torture.tasks import Process

#: So many processes at once, as many as two workers of a small machine.
_MOST = 3
#: A round that takes longer than this, in seconds, is stuck.
_LONGEST = 180.0
_PAST = "until = clock_timestamp() - interval '1 second'"
#: What minutes do to the rows of a table.
_PASSED = {
    "call_slots": _PAST,
    "token_purchases": _PAST,
    "rate_limits": "gate_until = NULL, next_free_at = LEAST(next_free_at, clock_timestamp())",
}
_TAKEN = "Another process works on"
_NUMBERS = itertools.count(1)


class RoundFailedError(AssertionError):
    """Raised when something happened that must not; says what."""


@dataclass
class Delivery:
    """One task of a run: its processes, of which the latest one counts, and what Airflow would say of it."""

    run: int
    task: str
    network: str | None
    place: tuple[object, ...]
    work: Callable[[], None]
    state: str = "queued"
    tries: int = 0
    process: Process | None = None
    earlier: list[Process] = field(default_factory=list)
    fate: Fate = field(default_factory=Fate)
    started: float = 0.0

    @property
    def name(self) -> str:
        """What the journal calls it."""
        return f"run {self.run} {self.task} try {self.tries}"


@dataclass
class Run:
    """A run on its way from its opening to its settlement."""

    plan: RunPlan
    dag_id: str
    run_id: str
    stage: str = "planned"
    opening: Delivery | None = None
    units: list[Delivery] = field(default_factory=list)
    settling: Delivery | None = None

    def states(self) -> dict[str, str]:
        """Return the states of its sync tasks, as Airflow names them."""
        return {unit.task: unit.state for unit in self.units}


class Drive:
    """One round, or the clean run that ends it.

    :param fate: what happens to each try; see :meth:`Plan.fate`.
    """

    def __init__(
        self, site: Site, runs: Iterable[RunPlan], events: Iterable[Event], fate: Callable[..., Fate]
    ) -> None:
        self.site = site
        mark = next(_NUMBERS)
        self.runs = [Run(plan, f"sync__torture{plan.number}", f"round {mark}") for plan in runs]
        self.moments: list[datetime] = [site.sandbox.now]
        self.journal: list[str] = []
        self.tally: dict[str, int] = {}
        self._events = list(events)
        self._fate = fate
        self._began = time.monotonic()
        self._side: list[Process] = []
        self._asleep: list[tuple[float, Process]] = []
        self._outputs = itertools.count(1)
        self._mark = mark

    def go(self) -> None:
        """Let everything happen, until each run is settled and each process has ended.

        :raises RoundFailedError: when a task fails for good, or nothing goes on any more.
        """
        try:
            while any(run.stage != "settled" for run in self.runs):
                self._fire()
                for run in self.runs:
                    self._go_on(run)
                self._pause()
            self._wait_for_the_rest()
        finally:
            for process in self._all_processes():
                process.kill()

    @property
    def seconds(self) -> float:
        """How long the round has been going."""
        return time.monotonic() - self._began

    def outputs(self) -> str:
        """Return the last words of every process that said something."""
        said = []
        for process in self._all_processes():
            if text := process.said()[-2000:]:
                said.append(f"--- {process.output.stem}: {process.outcome}\n{text}")
        return "\n".join(said)

    def _note(self, text: str, tally: str | None = None) -> None:
        self.journal.append(f"{self.seconds:6.2f} s  {text}")
        if tally:
            self.tally[tally] = self.tally.get(tally, 0) + 1

    def _go_on(self, run: Run) -> None:
        if run.stage == "planned" and self.seconds >= run.plan.at:
            run.opening = Delivery(
                run.plan.number, "open", None, ("open", run.plan.number),
                tasks.opening(run.plan, run.dag_id, run.run_id),
            )  # fmt: skip
            run.stage = "opening"
        elif run.stage == "opening" and run.opening and self._is_done(run.opening):
            run.units = [*self._units(run)]
            run.stage = "going"
        elif run.stage == "going" and all([self._is_done(unit) for unit in run.units]):
            work = tasks.settling(run.dag_id, run.run_id, run.states())
            place = ("settle", run.plan.number)
            run.settling = Delivery(run.plan.number, "settle", None, place, work)
            run.stage = "settling"
        elif run.stage == "settling" and run.settling and self._is_done(run.settling):
            run.stage = "settled"

    def _units(self, run: Run) -> Iterable[Delivery]:
        with self.site.connect() as connection:
            row = connection.execute(
                "SELECT units FROM data_sync.sync_runs WHERE dag_id = %s AND run_id = %s",
                [run.dag_id, run.run_id],
            ).fetchone()
        assert row is not None
        for network in run.plan.networks:
            for unit in row["units"]:
                place = (run.plan.number, network, unit["index"])
                yield Delivery(
                    run.plan.number, f"{network}.sync_{unit['index']}", network, place,
                    tasks.sync(run.dag_id, run.run_id, f"{network}_default", unit),
                )  # fmt: skip

    def _is_done(self, delivery: Delivery) -> bool:
        """Let a delivery go on; return whether it has come to its end."""
        if delivery.state == "success":
            return True
        if delivery.process is None:
            if self._has_room(delivery.network):
                self._start(delivery)
            return False
        self._meet_fate(delivery, delivery.process)
        self._take_in(delivery)
        return delivery.state == "success"

    def _meet_fate(self, delivery: Delivery, process: Process) -> None:
        since, fate = time.monotonic() - delivery.started, delivery.fate

        def is_due(moment: float | None) -> bool:
            return moment is not None and since >= moment

        if is_due(fate.again_after):
            self._deliver_again(delivery)
        elif is_due(fate.killed_after) and self._meets(delivery, "kill -9", "kills"):
            process.kill()
        elif is_due(fate.stalled_after) and self._meets(delivery, "stalls", "stalls"):
            self._put_to_sleep(process, fate.asleep_for)
            if fate.clock:
                self.moments.append(self.site.sandbox.advance(fate.clock))
        elif is_due(fate.asleep_after) and self._meets(delivery, "falls asleep", "sleepers"):
            self._put_to_sleep(process, fate.asleep_for)
            delivery.earlier.append(process)
            delivery.process, delivery.state = None, "up_for_retry"

    def _meets(self, delivery: Delivery, what: str, tally: str) -> bool:
        """Note that a process meets its fate, unless it has ended before."""
        fate, delivery.fate = delivery.fate, Fate()
        if delivery.process is None or delivery.process.poll() is not None:
            return False
        for_how_long = f" for {fate.asleep_for:.1f} s" if fate.asleep_for else ""
        clock = f", the clock goes on by {fate.clock} s" if fate.clock else ""
        self._note(f"{what}{for_how_long}: {delivery.name}{clock}", tally)
        return True

    def _put_to_sleep(self, process: Process, seconds: float) -> None:
        process.signal(signal.SIGSTOP)
        self._asleep.append((time.monotonic() + seconds, process))

    def _has_room(self, network: str | None) -> bool:
        running = [
            each for run in self.runs for each in [run.opening, *run.units, run.settling]
            if each is not None and each.process is not None
        ]  # fmt: skip
        if len(running) >= _MOST:
            return False
        most = registry.facts_of(network).max_parallel if network else None
        return most is None or sum(each.network == network for each in running) < most

    def _start(self, delivery: Delivery) -> None:
        delivery.tries += 1
        delivery.fate = self._fate(*delivery.place, delivery.tries)
        delivery.started = time.monotonic()
        delivery.process = self._process(delivery.name, delivery.work)
        delivery.state = "running"

    def _deliver_again(self, delivery: Delivery) -> None:
        delivery.fate = Fate(killed_after=delivery.fate.killed_after)
        assert delivery.process is not None
        if delivery.process.poll() is None:
            self._note(f"delivered twice: {delivery.name}", "doubles")
            delivery.earlier.append(delivery.process)
            delivery.process = self._process(f"{delivery.name} again", delivery.work)

    def _process(self, name: str, work: Callable[[], None]) -> Process:
        self.tally["processes"] = self.tally.get("processes", 0) + 1
        file = f"{self._mark}-{next(self._outputs):03d} {name}.txt"
        return Process(work, self.site.folder / file)

    def _take_in(self, delivery: Delivery) -> None:
        process = delivery.process
        outcome = None if process is None else process.poll()
        if process is None or outcome is None:
            return
        delivery.process = None
        if outcome == tasks.DONE:
            delivery.state = "success"
            return
        delivery.earlier.append(process)
        if outcome == tasks.FAILED and self._was_taken_over(process):
            outcome = tasks.RETRY
        if outcome not in (tasks.RETRY, tasks.KILLED, tasks.AGAIN_LATER):
            raise RoundFailedError(f"{delivery.name} ended for good: {outcome}")
        self._note(f"{delivery.name}: {outcome}", f"tasks: {outcome}")
        delivery.state = "up_for_reschedule" if outcome == tasks.AGAIN_LATER else "up_for_retry"
        self._let_time_pass(gates=outcome == tasks.AGAIN_LATER)

    def _was_taken_over(self, process: Process) -> bool:
        return _TAKEN in process.said()

    def _let_time_pass(self, *, gates: bool) -> None:
        """Let what a killed process held run out, as it does by itself within minutes.

        :param gates: also open gates, whose time a task without a process waits for.
        """
        with self.site.connect() as connection:
            for table in ("call_slots", "token_purchases", *(["rate_limits"] if gates else [])):
                # A row that a sleeping process has locked is left to it.
                connection.execute(
                    f"UPDATE data_sync.{table} SET {_PASSED[table]} WHERE ctid IN "
                    f"(SELECT ctid FROM data_sync.{table} FOR UPDATE SKIP LOCKED)"
                )

    def _fire(self) -> None:
        while self._events and self.seconds >= self._events[0].at:
            event = self._events.pop(0)
            self._note(f"{event.what} {event.detail or ''}", event.what)
            happenings: Mapping[str, Callable[[dict[str, Any]], None]] = {
                "fault": lambda detail: self.site.sandbox.admin("/faults", detail),
                "clock moves": lambda detail: self.moments.append(
                    self.site.sandbox.advance(detail["seconds"])
                ),
                "connections dropped": self._drop_connections,
                "Postgres crashes": lambda detail: self._crash_postgres(),
                "pooler crashes": lambda detail: self._crash_pooler(),
                "upkeep settles": lambda detail: self._settle_all(),
            }
            happenings[event.what](event.detail)

    def _drop_connections(self, detail: dict[str, Any]) -> None:
        with self.site.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE datname = "
                "current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' "
                "ORDER BY backend_start LIMIT %s) found",
                [1 if detail["which"] == "one" else 100],
            )

    def _crash_postgres(self) -> None:
        self.site.postgres.crash()
        self.site.postgres.begin()
        self._let_time_pass(gates=False)

    def _crash_pooler(self) -> None:
        if self.site.pooler:
            self.site.pooler.crash()
            self.site.pooler.begin()

    def _settle_all(self) -> None:
        for run in self.runs:
            if run.stage in ("going", "settling"):
                work = tasks.settling(run.dag_id, run.run_id, run.states())
                self._side.append(self._process(f"{run.dag_id} upkeep", work))

    def _wait_for_the_rest(self) -> None:
        while any(process.poll() is None for process in self._all_processes()):
            self._pause()
        for process in self._all_processes():
            if process.outcome == tasks.FAILED and not self._was_taken_over(process):
                raise RoundFailedError(f"A process ended for good: {process.output.stem}")
            if process.outcome is not None and process.outcome.startswith("ended with"):
                raise RoundFailedError(f"{process.output.stem} {process.outcome}")

    def _all_processes(self) -> list[Process]:
        deliveries = [
            each for run in self.runs for each in [run.opening, *run.units, run.settling] if each is not None
        ]
        return [
            *self._side,
            *(process for each in deliveries for process in [*each.earlier, each.process] if process),
        ]

    def _pause(self) -> None:
        time.sleep(0.005)
        for wakes_at, process in self._asleep[:]:
            if time.monotonic() >= wakes_at:
                self._asleep.remove((wakes_at, process))
                process.signal(signal.SIGCONT)
        if self.seconds > _LONGEST:
            raise RoundFailedError(f"Nothing goes on any more: {[run.states() for run in self.runs]}")


def tidy(folder: Path) -> None:
    """Remove what the processes of a round have said."""
    for file in folder.glob("*.txt"):
        file.unlink()
