"""The randomised crash test: syncs that are killed, cut off and delivered twice, beside a model of the truth.

Rooms: ``truth`` (what the sandbox networks hold at a moment), ``plan`` (what happens in a round, drawn from
a seed), ``site`` (Postgres, pooler and sandbox of the test's own), ``tasks`` (the processes that play
Airflow's), ``drive`` (carries a plan out), ``tables`` and ``history`` (what must hold afterwards), ``rounds``
(one after the other).

It reaches the product only as Airflow does: through what the tasks of a DAG run, each in its own process.
"""
