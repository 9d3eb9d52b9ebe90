"""The whole way, on a real Airflow: from a schedule in YAML to rows in Postgres."""
