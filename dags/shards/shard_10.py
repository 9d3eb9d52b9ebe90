"""One shard of the DAG factory: Airflow reads this file and finds its share of the schedules' DAGs."""

from data_sync.dag.factory import load_shard

globals().update(load_shard(__file__))
