"""The DAG that settles what was left open, once a minute, in Airflow."""

from data_sync.dag.upkeep import build_upkeep

dag = build_upkeep()
