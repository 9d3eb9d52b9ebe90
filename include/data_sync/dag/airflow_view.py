"""What settling learns from Airflow, as a task can ask it: through its supervisor."""

from __future__ import annotations

from collections.abc import Mapping

from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance


class TaskAirflowView:
    """Answers from inside a running task; see :class:`data_sync.ledger.settle.AirflowView`."""

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        """Return the DAG run's state, or ``None`` when it was deleted."""
        # The state of a deleted run is an error that looks like any other; the count is not.
        if RuntimeTaskInstance.get_dr_count(dag_id=dag_id, run_ids=[run_id]) == 0:
            return None
        # A member of an enum of Airflow's client, whose str() is its name and not Airflow's word.
        state = RuntimeTaskInstance.get_dagrun_state(dag_id, run_id)
        return str(getattr(state, "value", state))

    def task_states(self, dag_id: str, run_id: str) -> Mapping[str, str | None]:
        """Return the state of each task instance of the run."""
        states: Mapping[str, Mapping[str, str | None]] = RuntimeTaskInstance.get_task_states(
            dag_id=dag_id, run_ids=[run_id]
        )
        return states.get(run_id, {})

    def is_paused(self, dag_id: str) -> bool:
        """Tell whether the DAG is paused."""
        return bool(RuntimeTaskInstance.get_dag(dag_id).is_paused)
