"""What is wrong with the installation, and what to do about it: each check is a rule over what was found."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow.exceptions import AirflowConfigException

from data_sync.checkup import options
from data_sync.dag.names import QUICK_SYNC, UPKEEP
from data_sync.dag.people import everybody_is_admin
from data_sync.dag.services import DagState, Health
from data_sync.dag.source import PROCESSOR_MARK, is_dag_processor
from network_clients import registry

if TYPE_CHECKING:
    from data_sync.checkup.report import Report


log = logging.getLogger(__name__)


class Severity(StrEnum):
    """How bad something is."""

    ERROR = "error"
    """Syncs do not run, or not all of them, or a secret is not one."""
    WARNING = "warning"
    """Syncs run, later or with less than they could."""


@dataclass(frozen=True)
class Advice:
    """Something that is wrong.

    :param code: a word for programs, stable over releases.
    :param message: what is wrong, in a sentence for people.
    :param fix: what to do, in another one.
    """

    code: str
    severity: Severity
    message: str
    fix: str


Rule = Callable[["Report"], Iterator[Advice]]

#: Seconds of the parse interval that each schedule needs, so that the dag-processor is not always busy: 60 s
#: fit a thousand (docs/scale.md has the figures).
_INTERVAL_PER_SCHEDULE = 0.06
#: Upkeep runs every minute.
_UPKEEP_LATE = timedelta(minutes=5)
_CLOCKS_APART = timedelta(seconds=60)
_QUEUED_LONG = 300.0


def with_advice(report: Report) -> Report:
    """Return the report with everything that is wrong, the worst first."""
    found = [advice for rule in RULES for advice in _judged(rule, report)]
    return dataclasses.replace(report, advice=tuple(sorted(found, key=lambda one: one.severity)))


def _judged(rule: Rule, report: Report) -> list[Advice]:
    """Apply a rule; one that cannot be applied, as an option has no meaning, says that."""
    try:
        return [*rule(report)]
    except Exception as error:
        log.warning("A rule of the report cannot be applied.", exc_info=error)
        reason = str(error) if isinstance(error, AirflowConfigException) else type(error).__name__
        return [
            _warning(
                "not-judged",
                f"Something could not be judged: {reason}",
                "Mend the option that is named; else the log says more.",
            )
        ]


def _error(code: str, message: str, fix: str) -> Advice:
    return Advice(code, Severity.ERROR, message, fix)


def _warning(code: str, message: str, fix: str) -> Advice:
    return Advice(code, Severity.WARNING, message, fix)


def _databases(report: Report) -> Iterator[Advice]:
    if reason := report.unreadable.get("database"):
        yield _error("database-away", "Nothing can sync: the database data_sync cannot be used.", reason)
    found = report.airflow_database
    if found and found.revision is not None and found.revision != found.needed:
        yield _error(
            "airflow-behind",
            "Airflow's database has the tables of another version than the Airflow that is installed here.",
            "Run: airflow db migrate",
        )
    if options.metadata_driver() in ("postgresql", "postgresql+psycopg"):
        yield _warning(
            "metadata-driver",
            "With this driver Airflow's scheduler ends when a pool is edited at the wrong moment.",
            "Begin [database] sql_alchemy_conn with postgresql+psycopg2://",
        )
    tables = report.tables
    if tables and abs(tables.clock - report.checked_at) > _CLOCKS_APART:
        yield _warning(
            "clocks-apart",
            "The clocks of this machine and of the database differ by more than a minute.",
            "Let both follow a time server; heartbeats look old otherwise.",
        )


def _services(report: Report) -> Iterator[Advice]:
    for service in report.services or ():
        # Nothing of ours defers, so that the triggerer may be left out.
        if service.name == "triggerer" or service.health is Health.HEALTHY:
            continue
        what = "has never been started" if service.health is Health.ABSENT else "does not report any more"
        yield _error(
            f"{service.name}-away", f"Airflow's {service.name} {what}.", f"Start it: airflow {service.name}"
        )
    if report.workers and report.workers.silent:
        yield _warning(
            "tasks-silent",
            f"{report.workers.silent} running tasks have not been heard of for too long.",
            "Look at the workers' machines. Airflow tries such tasks again by itself.",
        )
    queue = report.queue
    if queue and (queue.longest_queued_seconds or 0) > _QUEUED_LONG:
        yield _warning(
            "queue-stuck",
            f"A task has waited for a worker for {queue.longest_queued_seconds:.0f} s.",
            "Look whether workers run; if they do, add more, or raise their concurrency.",
        )


def _own_dags(report: Report) -> Iterator[Advice]:
    needs = {
        UPKEEP: "nothing settles what was killed, and no new account is noticed",
        QUICK_SYNC: "quick syncs, backfills, retries and runs of paused schedules cannot start",
    }
    for dag in report.own_dags or ():
        if dag.state is DagState.MISSING:
            yield _error(
                "dag-missing",
                f"Airflow has not built the DAG {dag.dag_id}: {needs[dag.dag_id]}.",
                "Let the dag-processor read the folder dags of this project, and look at its log.",
            )
        elif dag.state is DagState.PAUSED:
            yield _error(
                "dag-paused",
                f"The DAG {dag.dag_id} is paused: {needs[dag.dag_id]}.",
                f"Run: airflow dags unpause {dag.dag_id}",
            )
        elif dag.dag_id == UPKEEP and dag.last_run_at and report.checked_at - dag.last_run_at > _UPKEEP_LATE:
            yield _warning(
                "upkeep-late",
                f"{UPKEEP} has not run for more than {_UPKEEP_LATE.seconds // 60} minutes.",
                "Look at the scheduler, and at the newest run of that DAG.",
            )
    if report.import_errors:
        yield _warning(
            "import-errors",
            f"Airflow could not read {report.import_errors} DAG files, or they name problems of schedules.",
            "The banner on Airflow's page of DAGs says which, and why.",
        )


def _pools(report: Report) -> Iterator[Advice]:
    if report.pools is None:
        return
    for slug in registry.all_networks():
        name = registry.facts_of(slug).pool
        pool = report.pools.get(name)
        if pool is None:
            yield _error(
                "pool-missing",
                f"The pool {name} is missing: its tasks wait for ever.",
                "Run: data-sync migrate",
            )
        elif pool.slots == 0:
            yield _error(
                "pool-empty",
                f"The pool {name} has no slots: its tasks wait for ever.",
                "Give it some under Admin, Pools.",
            )


def _parsing(report: Report) -> Iterator[Advice]:
    if options.seconds("core", "min_serialized_dag_update_interval", 30) > 0:
        yield _error(
            "half-applied-edits",
            "A second edit of a schedule within half a minute is applied by half.",
            "Set [core] min_serialized_dag_update_interval = 0 for every service.",
        )
    if is_dag_processor():
        yield _error(
            "mark-misplaced",
            "This process is marked as the dag-processor, and would take schedules.yaml over.",
            f"Set {PROCESSOR_MARK}=1 for the dag-processor alone.",
        )
    if (tables := report.tables) is None:
        return
    interval = options.seconds("dag_processor", "min_file_process_interval", 30)
    needed = tables.schedules * _INTERVAL_PER_SCHEDULE
    if interval < needed:
        yield _warning(
            "interval-short",
            f"{tables.schedules} schedules that are read every {interval:g} s keep the dag-processor busy.",
            f"Set [dag_processor] min_file_process_interval = {needed:.0f}. Edits act as soon as before.",
        )
    yield from _file(report, interval)


def _file(report: Report, interval: float) -> Iterator[Advice]:
    tables, here = report.tables, options.schedules_here()
    if tables is None or here is None:
        return
    digest, revision = here
    age = report.checked_at.timestamp() - revision / 1000
    # A machine may have an older file: the dag-processor's is the one that counts.
    is_newer = tables.file_revision is None or (
        digest != tables.file_hash and revision > tables.file_revision
    )
    if is_newer and age > 2 * interval + 60:
        yield _error(
            "file-not-taken-over",
            "config/schedules.yaml of this machine has been there for a while, and is not in force.",
            f"Look whether the dag-processor runs, has {PROCESSOR_MARK}=1 and reads that file; then run: "
            "data-sync reparse",
        )


def _schedules(report: Report) -> Iterator[Advice]:
    if (tables := report.tables) is None:
        return
    for account in tables.missing_accounts:
        yield _error(
            "account-missing",
            f"A schedule names the account {account}, of which Airflow has no connection.",
            "Add it under Admin, Connections, or take it out of the schedule.",
        )
    for account in tables.unseen_accounts:
        yield _warning(
            "account-unseen",
            f"Nobody has looked yet whether the account {account} exists, which a schedule names.",
            f"{UPKEEP} looks every minute: see whether it runs, and whether the secrets backend answers.",
        )
    if tables.schedules_with_problems:
        yield _warning(
            "schedule-problems",
            f"{tables.schedules_with_problems} schedules have problems.",
            "GET /sync/schedules?with_problems=true and data-sync schedules say which.",
        )


def _secrets(report: Report) -> Iterator[Advice]:
    if not options.fernet_keys_are_good():
        yield _error(
            "no-encryption",
            "The credentials of the networks are stored without encryption: there is no valid Fernet key.",
            "Set [core] fernet_key for every service but the workers, then save each connection anew.",
        )
    for option in options.unset_secrets():
        yield _warning(
            "secret-made-up",
            f"{option} is not set: every start makes up another one, and logs everybody out.",
            f"Set {option} to a long random word, the same for all services.",
        )
    for option in options.weak_secrets():
        yield _error(
            "secret-weak",
            f"{option} can be guessed: whoever does so can act as anybody.",
            f"Set {option} to a long random word, such as openssl rand -hex 32 prints.",
        )
    if everybody_is_admin():
        yield _error(
            "everybody-is-admin",
            "Everybody who reaches Airflow is an admin, without a password.",
            "Set [core] simple_auth_manager_all_admins = False, or take the FAB auth manager.",
        )


RULES: tuple[Rule, ...] = (_databases, _services, _own_dags, _pools, _parsing, _schedules, _secrets)
