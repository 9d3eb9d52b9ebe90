"""One Airflow pool per network: how many tasks read a network at once.

A task that names a missing pool waits for ever, so the pools are made with the tables. A pool whose
size somebody has changed keeps it.
"""

from __future__ import annotations

from network_clients import registry


def make_pools() -> list[str]:
    """Make the pools that are missing, in Airflow's metadata database; return their names.

    Runs where that database is reachable: at set-up, never in a task.
    """
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session

    made = []
    with create_session() as session:
        for slug in registry.all_networks():
            facts = registry.facts_of(slug)
            if Pool.get_pool(facts.pool, session=session) is None:
                Pool.create_or_update_pool(
                    name=facts.pool,
                    slots=facts.max_parallel,
                    description=f"How many tasks read {facts.title} at once.",
                    include_deferred=False,
                    session=session,
                )
                made.append(facts.pool)
    return made
