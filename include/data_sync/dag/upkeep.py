"""``data_sync_upkeep``: once a minute, settles what was left open."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from data_sync.dag import tasks
from data_sync.dag.builder import OWNER
from data_sync.dag.names import UPKEEP


def build_upkeep() -> DAG:
    """Build the DAG; workers and full parses build the same one."""
    with DAG(
        dag_id=UPKEEP,
        dag_display_name="Data sync upkeep",
        description="Settles runs that were killed, deleted or marked failed; notes which accounts exist.",
        schedule=CronTriggerTimetable("* * * * *", timezone="UTC", run_immediately=False),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        default_args={"owner": OWNER},
        tags=["data sync"],
    ) as dag:
        task(task_id="settle", execution_timeout=timedelta(minutes=5), retries=0)(tasks.upkeep)()
    return dag
