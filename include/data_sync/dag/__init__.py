"""All that knows Airflow's DAGs: how a schedule becomes one, and what its tasks do."""
