"""A process that carries out one sync task as Airflow's would: the task's own function, real everything.

Only Airflow's context is made up. The network's limit is either its own or one that does not bind.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from benchmarks.usage import report
from network_clients.admitad import facts

#: Calls a minute that nothing here can reach.
_UNBOUND = 6_000_000


def main(order: dict[str, Any]) -> None:
    """Read one unit.

    :param order: ``dag_id``, ``run_id``, ``account``, ``unit``, and whether the limit is ``real``.
    """
    if not order["real"]:
        limits = tuple(replace(limit, calls=_UNBOUND) for limit in facts.FACTS.limits)
        # Before the client is imported, which takes it from here.
        facts.FACTS = replace(facts.FACTS, limits=limits)
    from data_sync.dag import work
    from network_clients.registry import get_client_class

    # Imports are no part of a load; what a task's start costs is measured apart.
    get_client_class("admitad")
    ti = SimpleNamespace(dag_id=order["dag_id"], run_id=order["run_id"], max_tries=0, try_number=1)
    with patch.object(work, "get_current_context", lambda: {"ti": ti}):
        report(lambda: work.sync(order["account"], order["unit"]))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
