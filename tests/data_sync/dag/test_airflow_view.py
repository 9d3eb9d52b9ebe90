"""What settling learns from Airflow: the very words that it compares with."""

from __future__ import annotations

import pytest
from airflow.sdk.api.datamodels._generated import DagRunState
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import DagRunStateResult, DRCount

from data_sync.dag.airflow_view import TaskAirflowView
from data_sync.ledger import settle


class Supervisor:
    """Answers as the process above a task does."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    def send(self, msg: object) -> object:
        return self.answers.pop(0)


@pytest.mark.parametrize("state", list(DagRunState))
def test_a_runs_state_is_airflows_own_word(monkeypatch: pytest.MonkeyPatch, state: DagRunState) -> None:
    answers = Supervisor(DRCount(count=1), DagRunStateResult(state=state))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", answers, raising=False)
    found = TaskAirflowView().run_state("sync__daily", "r1")
    assert found == state.value
    assert (found in settle._ENDED_RUN) == (state in (DagRunState.SUCCESS, DagRunState.FAILED))


def test_a_deleted_run_has_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(DRCount(count=0)), raising=False)
    assert TaskAirflowView().run_state("sync__daily", "r1") is None
