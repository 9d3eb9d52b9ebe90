"""Checking an account: what its credentials can read, asked of the network, kept for everybody to see."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from data_sync import accounts
from data_sync.database import Cursor, Database
from data_sync.errors import AccountRefusedError, DataSyncError, UnitCancelledError
from data_sync.ledger import cancelling, steps
from data_sync.ledger.steps import Place
from data_sync.limiter import LONGEST_SLEEP
from data_sync.sync import build_client
from network_clients.errors import NetworkError, WaitTooLongError
from network_clients.interface import AccessReport, Credentials

#: The kind of a check's only unit of work.
CHECK = "check"
CHECK_UNIT: Mapping[str, object] = {"index": 0, "kind": CHECK, "label": "check of the account"}

#: The verdict on an account that can read everything its network offers.
FINE = "fine"
#: The verdict for somebody who may not use the account; it is never stored.
FORBIDDEN = "not allowed"


class CheckFailedError(DataSyncError):
    """Raised when a check found something to mend: the task fails, and says what."""


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    :param word: fine, wrong credentials, missing scope, rate limited, unreachable or not configured.
    :param message: one or two sentences; what to do, unless all is fine.
    """

    word: str
    message: str
    readable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return all but the word as JSON values."""
        return {"message": self.message, "readable": list(self.readable), "notes": list(self.notes)}


def run_check(
    db: Database,
    place: Place,
    holder: str,
    load_credentials: Callable[[str], Credentials] = accounts.load_credentials,
    *,
    round_: int = 0,
) -> None:
    """Check one account and store the answer.

    :param holder: names this try of the task.
    :param round_: another one after somebody has cleared the task, see :class:`data_sync.sync.SyncTask`.
    :raises CheckFailedError: for every verdict but fine.
    :raises UnitCancelledError: when the check was cancelled before it began.
    """
    with db.transaction() as cursor:
        who = cancelling.called_off(cursor, place, round_, holder)
        if who is None:
            step = steps.claim(cursor, place, holder=steps.holder_name(round_, holder))
            refusal = steps.refusal_of(cursor, step)
    if who is not None:
        raise UnitCancelledError(who)
    verdict, requests = _ask(db, place.account, load_credentials, refusal)
    failed = verdict.word != FINE
    error = {"verdict": verdict.word, "message": verdict.message, "detail": ""} if failed else None
    with db.transaction() as cursor:
        if verdict.word != FORBIDDEN:
            # What one person may not use is not broken for the others.
            store(cursor, place.account, verdict)
        steps.add_costs(cursor, step, requests=requests, waited=0.0)
        steps.finish(cursor, step, "failed" if failed else "completed", reason=verdict.message, error=error)
    if failed:
        raise CheckFailedError(f"{place.account}: {verdict.word}. {verdict.message}")


def check_now(
    db: Database,
    account: str,
    load_credentials: Callable[[str], Credentials] = accounts.load_credentials,
    *,
    longest_wait: float,
) -> Verdict:
    """Check one account outside a run, for somebody who waits for the answer, and store it.

    :param longest_wait: how long the account's pace may hold the check back, in seconds.
    """
    verdict, _ = _ask(db, account, load_credentials, None, longest_wait)
    with db.transaction() as cursor:
        store(cursor, account, verdict)
    return verdict


def _ask(
    db: Database,
    account: str,
    load_credentials: Callable[[str], Credentials],
    refusal: str | None,
    longest_wait: float = LONGEST_SLEEP,
) -> tuple[Verdict, int]:
    """Ask the network; also return how many requests that took.

    :param refusal: why ``open_run`` said that the account may not be read, if it did.
    """
    client = None
    try:
        credentials = load_credentials(account)
        if refusal:
            return Verdict(FORBIDDEN, refusal), 0
        client = build_client(db, credentials, longest_wait=longest_wait)
        verdict = verdict_of(client.check())
    except WaitTooLongError as wait:
        verdict = Verdict("rate limited", f"{wait}. Syncs wait for it by themselves.")
    except NetworkError as error:
        verdict = Verdict(error.verdict, error.user_message)
    except AccountRefusedError as error:
        verdict = Verdict("not configured", str(error))
    return verdict, client.requests if client else 0


def verdict_of(report: AccessReport) -> Verdict:
    """Return the verdict on an account that can read at least something."""
    readable = tuple(kind.value for kind in report.readable)
    if report.missing:
        return Verdict("missing scope", " ".join(report.missing.values()), readable, report.notes)
    return Verdict(FINE, f"It can read {', '.join(readable)}.", readable, report.notes)


def store(cursor: Cursor, account: str, verdict: Verdict) -> None:
    """Keep the newest verdict on an account, with the database's time."""
    accounts.mirror_unknown(cursor, [account])
    cursor.execute(
        "UPDATE data_sync.accounts SET check_verdict = %s, check_detail = %s, "
        "checked_at = clock_timestamp() WHERE account = %s",
        [verdict.word, json.dumps(verdict.to_dict()), account],
    )
