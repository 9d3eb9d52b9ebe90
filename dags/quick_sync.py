"""The DAG quick_sync, for one-off syncs from Airflow's trigger form, the screens and the command line."""

from data_sync.dag.factory import load_quick_sync

dag = load_quick_sync(__file__)
