"""Which Airflow connections are accounts, and the pools of the networks, as Airflow's database has them.

Works where that database can be reached; connections that live in the environment or in a secrets backend
cannot be listed: they are known once a schedule names them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from data_sync.accounts import is_account
from data_sync.dag import reparse
from network_clients import registry


def connected_accounts() -> list[str]:
    """Return the accounts among Airflow's stored connections, by their connection id.

    :raises AirflowUnreachableError: where the metadata database cannot be reached.
    """
    from airflow.models.connection import Connection
    from sqlalchemy import select

    types = [registry.facts_of(slug).connection_type for slug in registry.all_networks()]
    with reparse.metadata() as session:
        found = session.scalars(select(Connection.conn_id).where(Connection.conn_type.in_(types)))
        return sorted(conn_id for conn_id in found if is_account(conn_id))


@dataclass(frozen=True)
class PoolUse:
    """How many tasks may read a network at once, and do; of all pools, those that exist.

    :param slots: -1 for any number.
    :param queued: of tasks that have a slot and wait for a worker.
    :param scheduled: of tasks that wait for a slot.
    """

    slots: int
    running: int
    queued: int
    scheduled: int


def pool_use() -> dict[str, PoolUse]:
    """Return the use of each network's pool by its name.

    :raises AirflowUnreachableError: where the metadata database cannot be reached.
    """
    from airflow.models.pool import Pool

    with reparse.metadata() as session:
        stats = Pool.slots_stats(session=session)
    names = {registry.facts_of(slug).pool for slug in registry.all_networks()}
    return {
        name: PoolUse(
            slots=-1 if math.isinf(stat["total"]) else int(stat["total"]),
            running=int(stat["running"]),
            queued=int(stat["queued"]),
            scheduled=int(stat["scheduled"]),
        )
        for name, stat in stats.items()
        if name in names
    }
