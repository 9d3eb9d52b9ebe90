"""No DAG lives here: when schedules have problems, this file fails and Airflow's banner lists them."""

from data_sync.dag.factory import report_problems

report_problems(__file__)
