"""What a DAG run asks for: who, which schedule or which words, and the moment it stands for."""

from __future__ import annotations

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

    @property
    def is_counted(self) -> bool:
        """Whether ``max_runs_per_day`` counts it unless the schedule says otherwise."""
        return self in (RunKind.SCHEDULED, RunKind.RUN_NOW)


@dataclass(frozen=True)
class RunRequest:
    """A run as it arrives at ``open_run``.

    :param anchor: the logical date where there is one, else run-after (aware): named ranges are seen
        from it, so a retry after midnight reads the same days.
    :param schedule_key: ``None`` for a plain quick sync.
    :param next_tick: when the schedule runs next by itself; a scheduled run gives up waiting then.
    """

    dag_id: str
    run_id: str
    kind: RunKind
    anchor: datetime
    requested_by: str | None
    schedule: Schedule
    schedule_key: str | None
    owner: str | None = None
    trusted: bool = True
    next_tick: datetime | None = None

    @property
    def definition(self) -> dict[str, Any]:
        """The definition that this run keeps, whatever happens to its schedule."""
        return self.schedule.to_dict()
