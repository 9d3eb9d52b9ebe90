"""What Airflow knows about the DAGs of schedules: whether they are paused, and when they run next.

Works where Airflow's metadata database can be reached.
"""

from __future__ import annotations

from data_sync.dag import reparse
from data_sync.dag.names import PREFIX, dag_id_of
from data_sync.looking.schedules import Switch


def read_switches(key: str | None = None) -> dict[str, Switch]:
    """Return the state of each schedule's DAG by the schedule's key; one without a DAG has none.

    :param key: of the only schedule that matters.
    :raises AirflowUnreachableError: where the metadata database cannot be reached.
    """
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    all_of_them = DagModel.dag_id.startswith(PREFIX, autoescape=True)
    which = all_of_them if key is None else DagModel.dag_id == dag_id_of(key)
    columns = (DagModel.dag_id, DagModel.is_paused, DagModel.next_dagrun_create_after)
    with reparse.metadata() as session:
        found = session.execute(select(*columns).where(which, ~DagModel.is_stale))
        return {row[0].removeprefix(PREFIX): Switch(bool(row[1]), row[2]) for row in found}
