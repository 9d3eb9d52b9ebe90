"""What a task costs around its work can be measured on a real Airflow."""

from __future__ import annotations

import pytest

from benchmarks import task_cost
from benchmarks.figures import Figure, Sheet


@pytest.mark.prove
@pytest.mark.airflow
def test_the_cost_of_a_task_is_measured_for_each_task_and_each_step_of_its_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_cost, "_RUNS", 1)
    results = task_cost.measure()
    tasks, steps = (result for result in results if isinstance(result, Sheet))
    assert {"open_run", "admitad.sync", "close_run"} <= {name for name, _ in tasks.lines}
    assert [name for name, _ in steps.lines] == list(task_cost.STEPS)
    assert all(figure.value >= 0 for figure in results if isinstance(figure, Figure))
