"""Which accounts of a run can be read: they exist, and Airflow has a task for each."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import timezone
from airflow.sdk.exceptions import AirflowRescheduleException

from data_sync import accounts
from data_sync.dag.airflow_view import TaskAirflowView
from data_sync.database import Database, now
from data_sync.errors import AccountMissingError, AccountRefusedError
from data_sync.runs.lookup import find_run
from data_sync.runs.request import RunRequest
from data_sync.schedules.model import Schedule

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

#: How often a run asks whether its DAG has got the tasks of a new account, and for how long.
_LOOK_AGAIN = timedelta(seconds=5)
_LONGEST_LOOK = timedelta(minutes=2)

_NO_TASK = (
    "Airflow had no task for the account {account} when this run began: it was added a moment ago, or taken "
    "out since. The next run reads it if its schedule names it; `data-sync retry` reads it now."
)


def missing(db: Database, schedule: Schedule) -> dict[str, str]:
    """Note which accounts exist; return those that cannot be read, each with the reason.

    :raises SecretsUnavailableError: when that cannot be told now.
    """
    found = {}
    for ref in schedule.networks:
        try:
            accounts.load_credentials(ref.conn_id)
        except AccountRefusedError as error:
            found[ref.conn_id] = str(error)
            exists = not isinstance(error, AccountMissingError)
        else:
            exists = True
        with db.transaction() as cursor:
            accounts.mirror(cursor, ref.conn_id, exists=exists)
    return found


def without_task(
    context: Context, db: Database, request: RunRequest, unreadable: dict[str, str]
) -> dict[str, str]:
    """Return the accounts that Airflow has no task for in this run, each with what to do.

    A run may open with a definition that is newer than its DAG: an account was added a moment ago. Airflow
    adds the tasks to the run once the dag-processor has built the DAG again, so the run waits for them.

    :raises AirflowRescheduleException: while they may still come.
    """
    ti = context["ti"]
    there = groups_of(ti)
    absent = [ref for ref in request.schedule.networks if ref.group_id not in there]
    if not absent:
        return {}
    with db.transaction() as cursor:
        is_new = find_run(cursor, ti.dag_id, ti.run_id) is None
        waited = now(cursor) - (context["dag_run"].start_date or request.anchor)
    to_come = [ref.conn_id for ref in absent if ref.conn_id not in unreadable]
    if is_new and to_come and waited < _LONGEST_LOOK:
        log.info("The DAG has no task for %s yet. Looking again in %s s.", to_come, _LOOK_AGAIN.seconds)
        raise AirflowRescheduleException(timezone.utcnow() + _LOOK_AGAIN)
    return {ref.conn_id: unreadable.get(ref.conn_id, _NO_TASK.format(account=ref.conn_id)) for ref in absent}


def groups_of(ti: Any) -> set[str]:
    """Return the task groups that Airflow has in a run: one per account."""
    names = TaskAirflowView().task_states(ti.dag_id, ti.run_id)
    return {name.split(".")[0] for name in names if "." in name}


def look_for(db: Database, account: str) -> None:
    """Note whether an account exists, if that can be told now."""
    try:
        accounts.load_credentials(account)
        exists = True
    except AccountMissingError:
        exists = False
    except AccountRefusedError:
        exists = True
    except Exception:  # A secrets backend that does not answer says nothing about the account.
        log.warning("Whether %s exists cannot be told now.", account, exc_info=True)
        return
    with db.transaction() as cursor:
        accounts.mirror(cursor, account, exists=exists)
