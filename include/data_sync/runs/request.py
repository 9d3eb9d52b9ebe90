"""What a DAG run asks for: who, which schedule or which words, and the moment it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from data_sync.schedules.model import Schedule


class RunKind(StrEnum):
    """How a run came about."""

    SCHEDULED = "scheduled"
    """A tick of the schedule's timetable."""
    RUN_NOW = "run_now"
    """A person started the schedule by hand."""
    BACKFILL = "backfill"
    """Past days are read again; the dated kinds only."""
    QUICK_SYNC = "quick_sync"
    """A one-off sync without a schedule."""
    RETRY = "retry"
    """What failed of a log is read again."""
    CHECK = "check"
    """Accounts are asked what their credentials can read; no row is stored."""

    @property
    def is_counted(self) -> bool:
        """Whether ``max_runs_per_day`` counts it unless the schedule says otherwise."""
        return self in (RunKind.SCHEDULED, RunKind.RUN_NOW)

    @property
    def keeps_up_to_date(self) -> bool:
        """Whether it also reads again what may have changed outside its own days."""
        return self in (RunKind.SCHEDULED, RunKind.RUN_NOW)


@dataclass(frozen=True)
class RunRequest:
    """A run as it arrives at ``open_run``.

    :param anchor: the logical date where there is one, else run-after (aware): named ranges are seen
        from it, so a retry after midnight reads the same days.
    :param schedule_key: ``None`` for a plain quick sync.
    :param author: whose permission to use the accounts counts: the owner of a schedule, else who asked.
    :param trusted: whether the author may use every account: git's schedules, and admins.
    :param gives_up_at: until when a scheduled run waits for the run before it; ``None``: without end.
    :param units: the units of work where the schedule's own words do not give them.
    :param retry_of: the log that is read again.
    :param made_from: source and revision of the schedule in the catalogue that this was made from; where it
        has changed meanwhile, the run is not opened with what is out of date.
    """

    dag_id: str
    run_id: str
    kind: RunKind
    anchor: datetime
    requested_by: str | None
    schedule: Schedule
    schedule_key: str | None
    author: str | None = None
    trusted: bool = True
    gives_up_at: datetime | None = None
    units: tuple[Mapping[str, object], ...] | None = None
    retry_of: int | None = None
    made_from: tuple[str, int] | None = None

    @property
    def definition(self) -> dict[str, Any]:
        """The definition that this run keeps, whatever happens to its schedule."""
        return self.schedule.to_dict()
