"""What the tasks of every sync DAG do. Arguments come from Airflow, the work is done in other rooms."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import AssetAlias, get_current_context, timezone
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
    DownstreamTasksSkipped,
)

from data_sync import accounts, notifications
from data_sync.assets import ALIAS, asset_of
from data_sync.catalogue import switches
from data_sync.checking import CHECK, run_check
from data_sync.dag import run_accounts
from data_sync.dag.airflow_view import TaskAirflowView
from data_sync.dag.names import SYNC, dag_id_of
from data_sync.dag.requests import request_of
from data_sync.database import Database
from data_sync.errors import (
    DatabaseError,
    DataSyncError,
    SecretsUnavailableError,
    UnitCancelledError,
)
from data_sync.ledger.settle import Settled, settle
from data_sync.ledger.steps import Place
from data_sync.runs.lease import RunWaitsError
from data_sync.runs.lookup import StoredRun, find_run, find_run_by_id, open_runs
from data_sync.runs.opening import OpenedRun, ScheduleChangedError
from data_sync.runs.opening import open_run as open_stored_run
from data_sync.runs.request import RunRequest
from data_sync.schedules.planning import WorkUnit
from data_sync.schema import require_current_schema
from data_sync.sync import NotOfThisRunError, SyncTask, run_sync
from network_clients.errors import WaitTooLongError

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

#: How often a run, or a unit of it, asks whether another run of its schedule has ended.
_ASK_AGAIN = timedelta(seconds=20)


def open_run() -> list[dict[str, Any]]:
    """Open this run: return its units of work, an empty list when it is refused."""
    context = get_current_context()
    db = Database()
    require_current_schema(db)
    request = request_of(context, db)
    missing = run_accounts.missing(db, request.schedule)
    without_task = run_accounts.without_task(context, db, request, missing)
    try:
        opened = _open(db, request, missing, without_task)
    except RunWaitsError as waits:
        raise _ask_again(waits) from None
    except ScheduleChangedError as changed:
        log.info("%s Opening the run as it is now.", changed)
        raise AirflowRescheduleException(timezone.utcnow()) from None
    if opened.refusal:
        log.warning("This run does no work: %s", opened.refusal)
    return opened.units


def _open(
    db: Database, request: RunRequest, missing: dict[str, str], without_task: dict[str, str]
) -> OpenedRun:
    """Open the run; where another one seems to be going, find out first whether it has ended.

    :raises RunWaitsError: when the other one is still going.
    """
    try:
        return open_stored_run(db, request, missing_accounts=missing, without_task=without_task)
    except RunWaitsError as waits:
        with db.transaction() as cursor:
            holder = find_run_by_id(cursor, waits.held_by)
        if not _settle(db, holder, TaskAirflowView()).is_closed:
            raise
    return open_stored_run(db, request, missing_accounts=missing, without_task=without_task)


def _ask_again(waits: RunWaitsError) -> AirflowRescheduleException:
    log.info("%s Asking again in %s s.", waits, _ASK_AGAIN.seconds)
    return AirflowRescheduleException(timezone.utcnow() + _ASK_AGAIN)


def sync(account: str, unit: dict[str, Any]) -> None:
    """Read one unit of one account. Raises so that Airflow fails, retries or reschedules the task."""
    ti = get_current_context()["ti"]
    db = Database()
    require_current_schema(db)
    try:
        if unit["kind"] == CHECK:
            place = Place(ti.dag_id, ti.run_id, account, int(unit["index"]))
            run_check(db, place, str(uuid.uuid4()), round_=ti.max_tries)
        else:
            run_sync(db, _sync_task(ti, account, unit))
    except WaitTooLongError as wait:
        log.info("%s. The slot is free until then.", wait)
        raise AirflowRescheduleException(wait.until) from None
    except RunWaitsError as waits:
        raise _ask_again(waits) from None
    except (NotOfThisRunError, UnitCancelledError) as other:
        # What a person has asked for is no failure, neither of the task nor of the run.
        raise AirflowSkipException(str(other)) from None
    except (DatabaseError, SecretsUnavailableError):
        # May pass by itself: the retry policy decides.
        raise
    except DataSyncError as error:
        raise AirflowFailException(str(error)) from error


def _sync_task(ti: Any, account: str, unit: dict[str, Any]) -> SyncTask:
    return SyncTask(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        account=account,
        unit=WorkUnit.from_dict(unit),
        holder=str(uuid.uuid4()),
        # Clearing a task raises it, retries and reschedules do not.
        round=ti.max_tries,
        is_last_try=ti.try_number > ti.max_tries,
    )


def close_run() -> None:
    """Settle the run and announce what was read completely."""
    context = get_current_context()
    db = Database()
    with db.transaction() as cursor:
        run = find_run(cursor, context["ti"].dag_id, context["ti"].run_id)
    if run is None and (run := _open_failed_run(context, db)) is None:
        return
    settled = settle(db, run, TaskAirflowView())
    for account, status in sorted(settled.statuses.items()):
        log.info("%s: %s", account, status)
    _announce(context, settled.complete)
    notifications.send(db, run, settled)


def _settle(db: Database, run: StoredRun, view: TaskAirflowView) -> Settled:
    """Settle a run, and tell who wants to know when that is what closed it, whoever comes first to do so."""
    settled = settle(db, run, view)
    notifications.send(db, run, settled)
    return settled


def _open_failed_run(context: Context, db: Database) -> StoredRun | None:
    """Make the logs of a run whose ``open_run`` failed, so that it is told like any other."""
    try:
        request = request_of(context, db)
        open_stored_run(db, request)
    except (DataSyncError, RunWaitsError, ScheduleChangedError) as error:
        log.warning("open_run never opened this run, and no log can be made for it: %s", error)
        return None
    with db.transaction() as cursor:
        return find_run(cursor, request.dag_id, request.run_id)


def _announce(context: Context, complete: tuple[tuple[str, str], ...]) -> None:
    events = context["outlet_events"][AssetAlias(ALIAS)]
    for account, kind in complete:
        events.add(asset_of(account, kind), extra={"account": account, "kind": kind})


def choose_accounts() -> None:
    """Let the scheduler skip the accounts that a quick sync does not ask for; no process starts for them.

    Airflow's own branch operator finds what to skip in the worker's DAG, which is a skeleton here; the
    run's task instances are the truth.

    :raises DownstreamTasksSkipped: with the sync tasks to skip, where there are any.
    """
    ti = get_current_context()["ti"]
    db = Database()
    with db.transaction() as cursor:
        run = find_run(cursor, ti.dag_id, ti.run_id)
    chosen = set() if run is None or run.refusal else {ref.group_id for ref in run.schedule.networks}
    groups = run_accounts.groups_of(ti)
    if chosen and not chosen & groups:
        raise AirflowFailException("None of the accounts can be read: `data-sync logs` says why.")
    if others := sorted(groups - chosen):
        raise DownstreamTasksSkipped(tasks=[f"{group}.{SYNC}" for group in others])


def upkeep() -> None:
    """Settle what was left open, note which accounts exist, and look at pause switches that are in doubt."""
    db = Database()
    require_current_schema(db)
    view = TaskAirflowView()
    with db.transaction() as cursor:
        runs = open_runs(cursor)
        known = [row["account"] for row in accounts.list_accounts(cursor)]
    problems = [problem for run in runs if (problem := _settle_left_over(db, run, view))]
    for account in known:
        run_accounts.look_for(db, account)
    with db.transaction() as cursor:
        accounts.forget_unused(cursor)
    switches.look(db, lambda key: view.is_paused(dag_id_of(key)))
    if problems:
        raise DataSyncError(f"{len(problems)} run(s) could not be settled: {'; '.join(problems)}")


def _settle_left_over(db: Database, run: StoredRun, view: TaskAirflowView) -> str | None:
    """Settle one run; return what went wrong, so that the other runs get their turn all the same."""
    try:
        settled = _settle(db, run, view)
    except Exception as error:
        log.exception("The run %s of %s cannot be settled.", run.run_id, run.dag_id)
        return f"{run.dag_id} {run.run_id} ({type(error).__name__})"
    if settled.is_closed:
        log.info("Settled %s of %s: %s", run.run_id, run.dag_id, dict(settled.statuses))
    return None
