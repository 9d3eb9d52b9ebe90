"""One sync task: takes its unit, reads the network, stores the rows, writes its own end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import psycopg

from data_sync import accounts, maturity
from data_sync.database import Cursor, Database, one
from data_sync.engine.rereading import days_to_reread
from data_sync.engine.unit import UnitReader
from data_sync.errors import (
    AccountRefusedError,
    ConfigError,
    DatabaseError,
    DataSyncError,
    TooManyRejectedError,
    UnitCancelledError,
)
from data_sync.ledger import cancelling, steps
from data_sync.ledger.steps import Step
from data_sync.limiter import LONGEST_SLEEP, PostgresLimiter, load_hash_key
from data_sync.runs import guard, lease
from data_sync.runs.lease import RunWaitsError
from data_sync.runs.lookup import StoredRun, find_run
from data_sync.runs.request import RunKind
from data_sync.schedules.planning import WorkUnit, network_days
from data_sync.tokens import PostgresTokenStore
from network_clients import registry
from network_clients.errors import NetworkError, WaitTooLongError
from network_clients.interface import Credentials, NetworkClient, ReadRequest
from network_clients.records import Kind

_DAY = timedelta(days=1)


class NotOfThisRunError(DataSyncError):
    """Raised for an account that the schedule has had only before or since: the run has nothing to read."""


@dataclass(frozen=True)
class SyncTask:
    """Which unit of which run a task works on.

    :param holder: names this try of this task; whoever claims the step later is the only one who writes.
    :param round: the same for all tries that Airflow makes by itself, another one after somebody has
        cleared the task: a unit that ended in this round is not read again.
    :param is_last_try: whether Airflow would try again after a failure that may pass.
    """

    dag_id: str
    run_id: str
    account: str
    unit: WorkUnit
    holder: str
    round: int
    is_last_try: bool


def run_sync(
    db: Database,
    task: SyncTask,
    load_credentials: Callable[[str], Credentials] = accounts.load_credentials,
) -> None:
    """Read one unit of one account to its end.

    :raises NetworkError: when the network cannot be read; the step holds the reason.
    :raises WaitTooLongError: when the unit should go on later; the step is marked as waiting.
    :raises RunWaitsError: while another run of the schedule is going.
    :raises UnitCancelledError: when somebody has asked that the unit ends; it has.
    :raises DataSyncError: for a missing account, a run that is not open, or a unit taken by another.
    """
    taken = _take(db, task)
    if taken is None:
        # An earlier try had written its end, and its process was lost before Airflow heard of it.
        return
    run, step = taken
    try:
        _read_or_record(db, task, run, step, load_credentials)
    except UnitCancelledError as cancelled:
        cancelling.end_unit(db, run.id, step, cancelled.who)
        raise


def _read_or_record(
    db: Database,
    task: SyncTask,
    run: StoredRun,
    step: Step,
    load_credentials: Callable[[str], Credentials],
) -> None:
    """Read the unit; where it cannot go on, let its step say why."""
    try:
        _read(db, task, run, step, load_credentials)
    except NetworkError as error:
        _record_failure(db, step, error.verdict, error.user_message, error.detail,
                        again=error.is_retryable and not task.is_last_try)  # fmt: skip
        raise
    except (AccountRefusedError, ConfigError) as error:
        _record_failure(db, step, "not configured", str(error), "", again=False)
        raise
    except TooManyRejectedError as error:
        _record_failure(db, step, "too many rows set aside", str(error), "", again=False)
        raise
    except (psycopg.OperationalError, DatabaseError):
        # The database itself went away: there is nobody to tell. The retry goes on at the checkpoint.
        raise
    except WaitTooLongError as error:
        with db.transaction() as cursor:
            steps.wait(cursor, step, error.until, error.reason)
        raise
    except Exception as error:
        if not isinstance(error, DataSyncError):
            message = f"An unexpected error stopped this unit ({type(error).__name__}). See the task's log."
            _record_failure(db, step, "error", message, "", again=False)
        raise


def _take(db: Database, task: SyncTask) -> tuple[StoredRun, Step] | None:
    """Take the unit; ``None`` when it was read to its end already.

    :raises UnitCancelledError: when it was cancelled before this try; it has ended.
    """
    with db.transaction() as cursor:
        taken = _claim(cursor, task)
    if isinstance(taken, UnitCancelledError):
        raise taken
    return taken


def _claim(cursor: Cursor, task: SyncTask) -> tuple[StoredRun, Step] | UnitCancelledError | None:
    """Take the unit, unless it has ended.

    The run's row is locked first, as opening and settling lock it: a unit that somebody clears while its
    run is being settled opens the run again or is closed with it, and nothing in between.
    """
    run = find_run(cursor, task.dag_id, task.run_id, lock=True)
    if run is None:
        raise DataSyncError(f"The run {task.run_id} was never opened. Clear the whole run in Airflow.")
    if task.account not in {ref.conn_id for ref in run.schedule.networks}:
        raise NotOfThisRunError(f"The run {task.run_id} started without {task.account}.")
    place = steps.Place(task.dag_id, task.run_id, task.account, task.unit.index)
    if steps.has_ended(cursor, place, task.round):
        return None
    if (who := cancelling.called_off(cursor, place, task.round, task.holder)) is not None:
        return UnitCancelledError(who)
    if (other := lease.claim(cursor, run.id, run.schedule_key)) is not None:
        raise RunWaitsError(other["id"], other["run_id"])
    if refusal := guard.claim_again(cursor, run):
        raise DataSyncError(refusal)
    cursor.execute(
        "UPDATE data_sync.sync_runs SET state = 'open', closed_at = NULL WHERE id = %s AND state <> 'open'",
        [run.id],
    )
    return run, steps.claim(cursor, place, holder=steps.holder_name(task.round, task.holder))


def _read(
    db: Database,
    task: SyncTask,
    run: StoredRun,
    step: Step,
    load_credentials: Callable[[str], Credentials],
) -> None:
    with db.transaction() as cursor:
        _refuse_if_told(cursor, step)
    client = build_client(db, load_credentials(task.account))
    if Kind(step.kind) not in client.facts.kinds:
        _skip(db, step, f"{client.facts.title} offers no {step.kind}.")
        return
    scope = account_scope(client)
    with db.transaction() as cursor:
        _note_scope(cursor, step, scope)
        today = one(
            cursor.execute(
                "SELECT (clock_timestamp() AT TIME ZONE %s)::date AS day", [client.zone.key]
            ).fetchone()
        )["day"]
    if task.unit.sweep is None:
        request = read_request(client, task.unit, run.timezone, today)
    else:
        with db.transaction() as cursor:
            request = maturity.sweep_request(cursor, step, client, run, task.unit)
    if request is None:
        _skip(db, step, maturity.NOTHING_DUE if task.unit.sweep else "These days are still to come.")
        return
    if task.unit.opens_range and RunKind(run.kind).keeps_up_to_date:
        with db.transaction() as cursor:
            request = replace(request, earlier=days_to_reread(cursor, client, request, today))
    reader = UnitReader(db, step, client, request, scope=scope)
    try:
        if reader.run() and task.unit.sweep is not None:
            with db.transaction() as cursor:
                maturity.note_changes(cursor, step)
    finally:
        client.limiter.done()
        requests, waited = reader.unbilled()
        if requests or waited:
            with db.transaction() as cursor:
                steps.add_costs(cursor, step, requests=requests, waited=waited)


def _skip(db: Database, step: Step, reason: str) -> None:
    with db.transaction() as cursor:
        steps.finish(cursor, step, "skipped", reason=reason)


def _note_scope(cursor: Cursor, step: Step, scope: str) -> None:
    """Note under which settings this log writes rows.

    Where they changed between two tries, nobody can tell any more which rows were written under which:
    no later read may then conclude that they vanished.
    """
    cursor.execute(
        "UPDATE data_sync.sync_logs SET scope = CASE WHEN COALESCE(scope, %(scope)s) = %(scope)s "
        "THEN %(scope)s ELSE 'mixed' END WHERE id = %(log)s",
        {"scope": scope, "log": step.log_id},
    )


def _refuse_if_told(cursor: Cursor, step: Step) -> None:
    if refused := steps.refusal_of(cursor, step):
        raise AccountRefusedError(f"{refused} Then clear the whole run, open_run included.")


def build_client(
    db: Database, credentials: Credentials, *, longest_wait: float = LONGEST_SLEEP
) -> NetworkClient:
    """Make the client of an account, with the shared limiter and the shared tokens.

    :param longest_wait: how long a call may wait for its turn, in seconds.
    :raises NotConfiguredError: when the account lacks a field.
    """
    slug = accounts.network_of(credentials.account)
    key = load_hash_key(db)
    client_class = registry.get_client_class(slug)
    limiter = PostgresLimiter(db, slug, key, account=credentials.account, longest_sleep=longest_wait)
    return client_class(credentials, limiter, PostgresTokenStore(db, key))


def account_scope(client: NetworkClient) -> str:
    """Fingerprint the account's settings that decide which rows a read finds; no secret is among them."""
    settings = {
        field.name: client.credentials.values.get(field.name) or field.default
        for field in client.facts.fields
        if field.selects_rows and not field.secret
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def read_request(client: NetworkClient, unit: WorkUnit, zone: str, today: date) -> ReadRequest | None:
    """Turn a unit's days, which are the schedule's, into the days of the network that cover them.

    At the ends of the run's range the network's ``edge_overlap_days`` are added, where its zone or the
    meaning of its dates is not certain. Days after ``today`` (the network's) are left out: ``None``, when
    that leaves none.
    """
    if unit.first is None or unit.last is None:
        return ReadRequest(kind=unit.kind)
    network_zone = client.zone.key
    opening, closing = date.fromisoformat(unit.first), date.fromisoformat(unit.last)
    first, last = network_days(opening, closing, zone, network_zone)
    margin = timedelta(days=client.facts.edge_overlap_days)
    if unit.opens_range:
        first -= margin
    if unit.closes_range:
        last += margin
    else:
        # Two windows that share a network day would both read it: it belongs to the later one.
        last = network_days(closing + _DAY, closing + _DAY, zone, network_zone)[0] - _DAY
    last = min(last, today)
    return None if last < first else ReadRequest(kind=unit.kind, start=first, end=last)


def _record_failure(
    db: Database, step: Step, verdict: str, message: str, detail: str, *, again: bool
) -> None:
    error = {"verdict": verdict, "message": message, "detail": detail}
    with db.transaction() as cursor:
        steps.finish(cursor, step, "retrying" if again else "failed", reason=message, error=error)
