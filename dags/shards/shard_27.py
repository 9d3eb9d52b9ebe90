"""One shard of the DAG factory: Airflow reads this file and finds its share of the schedules' DAGs."""

# The dag-processor imports Airflow's modules once, before it starts a process per file.
import airflow.providers.postgres.hooks.postgres
import airflow.providers.standard.decorators.python  # noqa: F401

from data_sync.dag.factory import load_shard

globals().update(load_shard(__file__))
