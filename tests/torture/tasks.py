"""The processes that play Airflow's: each opens a run, works on one unit or settles, and ends.

A task's process runs the very function that a sync DAG's task runs, and ends with what Airflow would make of
it. Airflow's own part (the context of the task, the decision about a retry) is its own code too.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException
from airflow.sdk.execution_time.context import set_current_context

from data_sync.dag import work
from data_sync.dag.retry import RETRIES, SyncRetryPolicy
from data_sync.database import Database
from data_sync.ledger.settle import settle
from data_sync.runs.lookup import find_run
from data_sync.runs.opening import open_run
from data_sync.runs.request import RunKind, RunRequest
from data_sync.schedules.date_ranges import DayRange
from data_sync.schedules.model import Schedule
from data_sync.schedules.planning import plan_units
from data_sync.schedules.words import SyncType
from tests.torture.plan import RunPlan

DONE, AGAIN_LATER, RETRY = "done", "again later", "retry"
FAILED, SKIPPED, KILLED = "failed", "skipped", "killed"
_CODES = {0: DONE, 10: AGAIN_LATER, 11: RETRY, 12: FAILED, 13: SKIPPED, -signal.SIGKILL: KILLED}
_ANCHOR = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Process:
    """A process of its own that does one thing; what it says goes to a file."""

    def __init__(self, work_to_do: Callable[[], None], output: Path) -> None:
        self.output = output
        self.pid = os.fork()
        self.outcome: str | None = None
        if self.pid == 0:
            _live_and_die(work_to_do, output)

    def poll(self) -> str | None:
        """Return how it ended, ``None`` while it is running."""
        if self.outcome is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._end(status)
        return self.outcome

    def kill(self) -> None:
        """End it as the kernel would: at once, with nothing said."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self._end(os.waitpid(self.pid, 0)[1])

    def signal(self, number: int) -> None:
        """Send it a signal, where it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def said(self) -> str:
        """Return what it has said, but for Airflow's remark about short settings."""
        if not self.output.exists():
            return ""
        lines = self.output.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if "Skipping masking" not in line).strip()

    def _end(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        self.outcome = _CODES.get(code, f"ended with {code}")


def _live_and_die(work_to_do: Callable[[], None], output: Path) -> None:
    code = 1
    try:
        into = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(into, 1)
        os.dup2(into, 2)
        sys.stdout = sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        code = _code_of(work_to_do)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _code_of(work_to_do: Callable[[], None]) -> int:
    outcomes = {outcome: code for code, outcome in _CODES.items()}
    try:
        work_to_do()
    except AirflowRescheduleException:
        return outcomes[AGAIN_LATER]
    except AirflowSkipException:
        return outcomes[SKIPPED]
    except AirflowFailException:
        traceback.print_exc()
        return outcomes[FAILED]
    except Exception as error:
        traceback.print_exc()
        decision = SyncRetryPolicy().evaluate(error, 1, RETRIES)
        return outcomes[RETRY if decision.action is RetryAction.RETRY else FAILED]
    return outcomes[DONE]


def sync(dag_id: str, run_id: str, account: str, unit: Mapping[str, Any]) -> Callable[[], None]:
    """Do what a mapped sync task does; its retries never run out."""
    task = SimpleNamespace(dag_id=dag_id, run_id=run_id, max_tries=RETRIES, try_number=1)

    def do() -> None:
        with set_current_context({"ti": task}):
            work.sync(account, dict(unit))

    return do


def opening(plan: RunPlan, dag_id: str, run_id: str) -> Callable[[], None]:
    """Do what ``open_run`` does, with units as small as the plan has them."""
    days = {"date_range": "custom", "from": plan.first.isoformat(), "to": plan.last.isoformat()}
    words = {"key": f"torture{plan.number}", "name": "Torture", "networks": list(plan.networks), **days}
    schedule = Schedule.from_dict({**words, "sync_type": plan.sync_type, "timezone": "UTC"}, timed=False)
    units = plan_units(
        SyncType(plan.sync_type), DayRange(plan.first, plan.last), window_days=plan.window_days
    )
    request = RunRequest(
        dag_id=dag_id,
        run_id=run_id,
        kind=RunKind.QUICK_SYNC if plan.is_quick else RunKind.SCHEDULED,
        anchor=_ANCHOR,
        requested_by=None,
        schedule=schedule,
        schedule_key=None if plan.is_quick else schedule.key,
        units=tuple(unit.to_dict() for unit in units),
    )

    def do() -> None:
        open_run(Database(), request)

    return do


class AirflowView:
    """What Airflow would say about a run: the states that the test gives its tasks."""

    def __init__(self, states: Mapping[str, str]) -> None:
        self._states = dict(states)

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Say that the run is going, as it is while its last task settles it."""
        return "running"

    def task_states(self, dag_id: str, run_id: str) -> Mapping[str, str | None]:
        """Return the states of its tasks."""
        return self._states

    def is_paused(self, dag_id: str) -> bool:
        """Nobody pauses anything here."""
        return False


def settling(dag_id: str, run_id: str, states: Mapping[str, str]) -> Callable[[], None]:
    """Settle a run, as its ``close_run`` and upkeep do."""
    view = AirflowView(states)

    def do() -> None:
        db = Database()
        with db.transaction() as cursor:
            run = find_run(cursor, dag_id, run_id)
        if run is not None:
            settle(db, run, view)

    return do
