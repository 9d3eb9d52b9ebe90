"""The one-machine set-up: an embedded Postgres, Airflow's services and the sandbox networks together.

``make demo`` and ``make demo-once`` tell its story; the end-to-end tests start the same thing without
one. Everything it keeps lies in one folder, see :mod:`data_sync.local.home`.
"""
