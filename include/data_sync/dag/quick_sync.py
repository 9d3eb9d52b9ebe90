"""``quick_sync``: one-off syncs from our screens, from Airflow's own trigger form and from the CLI.

It has one group per known account. Between ``open_run`` and the groups stands a task that picks the
accounts asked for; the others are skipped by the scheduler without starting a process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import DAG, Param, task

from data_sync.dag import tasks
from data_sync.dag.builder import OWNER, close_run_task, open_run_task, sync_group
from data_sync.dag.names import CHOOSE, QUICK_SYNC, SYNC
from data_sync.dag.retry import FIRST_DELAY, RETRIES
from data_sync.schedules.accounts import AccountRef
from data_sync.schedules.words import DateRange, SyncType

_DOC = """\
Runs one sync now. Choose networks and days, or give the key of a schedule to run it once, also while it
is paused (its own networks and range are used unless you fill in others).

On the command line: `airflow dags trigger quick_sync --conf '{"networks": ["admitad"], "date_range":
"yesterday"}'`
"""


def build_quick_sync(accounts: Sequence[str]) -> DAG:
    """Build the DAG for full parses, with one group per account (connection ids)."""
    groups = [AccountRef.from_conn_id(account) for account in sorted(set(accounts))]
    with DAG(
        dag_id=QUICK_SYNC,
        dag_display_name="Quick sync",
        description="One sync now, of the networks and days that you choose.",
        doc_md=_DOC,
        schedule=None,
        is_paused_upon_creation=False,
        # Pools and limits bound what reads at once. A run that waits for its schedule holds no slot; with a
        # small number here, a few of those would keep everybody else from starting one.
        max_active_runs=64,
        default_args={"owner": OWNER},
        tags=["data sync"],
        params=_params(groups),
    ) as dag:
        _wire(groups)
    return dag


def build_quick_skeleton(task_id: str | None) -> DAG:
    """Build what a worker needs to run one task of a quick sync."""
    group, _, name = (task_id or "").rpartition(".")
    groups = [AccountRef.from_group_id(group)] if name == SYNC and group else [AccountRef("network")]
    with DAG(dag_id=QUICK_SYNC, schedule=None) as dag:
        _wire(groups)
    return dag


def _wire(groups: Sequence[AccountRef]) -> None:
    units = open_run_task()
    chosen = task(task_id=CHOOSE, retries=RETRIES, retry_delay=FIRST_DELAY)(tasks.choose_accounts)()
    close = close_run_task()
    units >> chosen
    for ref in groups:
        chosen >> sync_group(ref.group_id, ref.conn_id, units) >> close


def _params(groups: Sequence[AccountRef]) -> dict[str, Any]:
    known = [str(ref) for ref in groups]
    return {
        "networks": Param(
            [],
            type=["null", "array"],
            items={"type": "string"},
            examples=known,
            title="Networks",
            description="Accounts to read; those of the schedule when you name one below.",
        ),
        "sync_type": Param(
            None,
            type=["null", "string"],
            enum=[None, *(word.value for word in SyncType)],
            values_display={"null": "as the schedule says, else everything"},
            title="What to read",
        ),
        "date_range": Param(
            None,
            type=["null", "string"],
            enum=[None, *(word.value for word in DateRange)],
            values_display={"null": "as the schedule says, else today"},
            title="Days",
            description="For custom, fill in both days below. Other days than a schedule's: a backfill.",
        ),
        "from": Param(None, type=["null", "string"], format="date", title="First day"),
        "to": Param(None, type=["null", "string"], format="date", title="Last day"),
        "schedule": Param(
            None,
            type=["null", "string"],
            title="Schedule",
            description="Key of a schedule to run once, also while it is paused.",
        ),
        "check": Param(
            False,
            type=["null", "boolean"],
            title="Check only",
            description="Ask what the credentials of these networks (none: of all) can read; read no rows.",
        ),
        "log": Param(
            None,
            type=["null", "integer"],
            title="Log to read again",
            description="A failed log: what had failed of it is read once more. Fill in nothing else.",
        ),
    }
