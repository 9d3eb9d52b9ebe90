"""Affiliate Data Sync: schedules, runs, limits and rows of affiliate networks inside Apache Airflow.

Rooms, by what a user would call them: ``schedules`` (what should run when), ``catalogue`` (where
schedules are kept), ``accounts``, ``runs`` (one DAG run: anchor, range, guard, lease), ``ledger`` (logs
and steps and how they settle), ``engine`` (reading a unit of work and storing its rows), ``limiter``,
``dag`` (all that knows Airflow's DAGs), ``cli``, ``local`` (the one-machine set-up behind ``make demo``).
"""

__version__ = "0.1.0"
