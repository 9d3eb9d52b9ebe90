"""Telling people how a run ended, as its schedule's ``notifications`` say.

A target is an e-mail address (sent through the Airflow connection ``smtp_default``) or the id of an
Airflow connection of the type ``http``, which gets one JSON document by POST. A notification that
cannot be sent is logged; it never decides the run's state.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Mapping
from typing import Any

from data_sync.database import Database
from data_sync.errors import ConfigError
from data_sync.ledger.settle import Settled
from data_sync.runs.lookup import StoredRun
from data_sync.schedules.words import NotifyOn

log = logging.getLogger(__name__)

_TIMEOUT = (5, 20)


def ending_of(statuses: Mapping[str, str]) -> NotifyOn:
    """Return the word for how a run ended: the worst of its logs decides."""
    found = set(statuses.values())
    if "failed" in found:
        return NotifyOn.FAILURE
    # What a person has cancelled has not failed, and it was not read either.
    return NotifyOn.SKIPPED if found == {"skipped"} or "cancelled" in found else NotifyOn.SUCCESS


def send(db: Database, run: StoredRun, settled: Settled) -> None:
    """Send what the run's definition asks for, once: where this settling is what closed the run."""
    if not settled.has_just_closed:
        return
    ending = ending_of(settled.statuses)
    targets = {t for rule in run.schedule.notifications if ending in rule.on for t in rule.to}
    if not targets:
        return
    message = _message(db, run, ending)
    for target in sorted(targets):
        try:
            _deliver(target, message)
        except Exception as error:
            reason = str(error) if isinstance(error, ConfigError) else type(error).__name__
            log.warning("The notification to %s was not sent (%s).", target, reason)


def _message(db: Database, run: StoredRun, ending: NotifyOn) -> dict[str, Any]:
    with db.transaction() as cursor:
        cursor.execute(
            "SELECT id, account, status, counts, error, reason FROM data_sync.sync_logs WHERE sync_run = %s "
            "ORDER BY account",
            [run.id],
        )
        logs = cursor.fetchall()
    return {
        "schedule": run.schedule_key,
        "name": run.schedule_name,
        "run": run.run_id,
        "ended": ending.value,
        "logs": logs,
    }


def _deliver(target: str, message: Mapping[str, Any]) -> None:
    if "@" in target:
        _mail(target, message)
    else:
        _post(target, message)


def _mail(address: str, message: Mapping[str, Any]) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    lines = [f"{entry['account']}: {entry['status']} {entry['reason'] or ''}" for entry in message["logs"]]
    with SmtpHook() as hook:
        hook.send_email_smtp(
            to=address,
            subject=f"{message['name']}: {message['ended']}",
            html_content=f"<pre>{html.escape(chr(10).join(lines))}</pre>",
        )


def _post(conn_id: str, message: Mapping[str, Any]) -> None:
    # Loaded when it is needed: every parse of a DAG file imports this module.
    import requests
    from airflow.sdk import BaseHook

    connection = BaseHook.get_connection(conn_id)
    if connection.conn_type not in ("http", "https"):
        # The secret of an account, say, is for nobody but its network.
        raise ConfigError(
            f"The Airflow connection {conn_id} is of the type {connection.conn_type}, not http."
        )
    url = connection.host if "://" in (connection.host or "") else f"https://{connection.host}"
    headers = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
    requests.post(url, json=dict(message), headers=headers, timeout=_TIMEOUT).raise_for_status()
