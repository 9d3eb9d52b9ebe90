"""Checking accounts against the sandbox: each verdict, in words that say what to do, kept for everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from data_sync.checking import CHECK_UNIT, CheckFailedError, run_check
from data_sync.database import Database
from data_sync.errors import AccountRefusedError
from data_sync.ledger.steps import Place
from data_sync.runs.opening import open_run
from data_sync.runs.request import RunKind
from network_clients.interface import Credentials
from tests.data_sync.kit import ACCOUNT, Airflow, admitad_account, make_request, rows, settle_run
from tests.sandbox_networks.caller import Caller, process


@pytest.fixture(scope="module")
def running() -> Iterator[Caller]:
    with process("--rows-per-day", "5") as caller:
        yield caller


@pytest.fixture
def sandbox(running: Caller) -> Caller:
    running.admin("/reset")
    return running


def check(db: Database, load: Callable[[str], Credentials]) -> dict:
    """Check the account and return what the table holds then."""
    open_run(db, make_request("c1", kind=RunKind.CHECK, units=(CHECK_UNIT,)))
    try:
        run_check(db, Place("sync__daily", "c1", ACCOUNT, 0), "a try", load)
        ended = "completed"
    except CheckFailedError:
        ended = "failed"
    settled = settle_run(db, "c1", Airflow())
    assert settled.statuses == {ACCOUNT: ended}
    assert settled.complete == ()
    (row,) = rows(db, "SELECT check_verdict, check_detail, checked_at FROM data_sync.accounts")
    assert row["checked_at"] is not None
    assert (row["check_verdict"] == "fine") == (ended == "completed")
    return row


def test_a_fine_account_says_what_it_can_read(db: Database, sandbox: Caller) -> None:
    found = check(db, admitad_account(sandbox.base))
    assert found["check_verdict"] == "fine"
    assert sorted(found["check_detail"]["readable"]) == ["campaigns", "coupons", "purchases"]
    (log,) = rows(db, "SELECT requests, counts FROM data_sync.sync_logs")
    assert (log["requests"], log["counts"]) == (4, {})
    assert rows(db, "SELECT * FROM data_sync.purchases") == []


def test_wrong_credentials(db: Database, sandbox: Caller) -> None:
    found = check(db, admitad_account(sandbox.base, password="not-the-secret"))
    assert found["check_verdict"] == "wrong credentials"
    assert "enter them again" in found["check_detail"]["message"]
    assert "not-the-secret" not in str(rows(db, "SELECT * FROM data_sync.accounts"))


def test_a_missing_scope_names_it_and_what_can_be_read_all_the_same(db: Database, sandbox: Caller) -> None:
    sandbox.fault("missing_scope", path="/coupons/", count=None)
    found = check(db, admitad_account(sandbox.base))
    assert found["check_verdict"] == "missing scope"
    assert "Tick coupons" in found["check_detail"]["message"]
    assert sorted(found["check_detail"]["readable"]) == ["campaigns", "purchases"]


def test_a_lockout_is_told_at_once(db: Database, sandbox: Caller) -> None:
    sandbox.fault("rate_limited", path="/", count=None, retry_after=1200)
    found = check(db, admitad_account(sandbox.base))
    assert found["check_verdict"] == "rate limited"
    assert "Syncs wait for it by themselves" in found["check_detail"]["message"]


def test_a_network_that_does_not_answer(db: Database) -> None:
    found = check(db, admitad_account("http://127.0.0.1:1"))
    assert found["check_verdict"] == "unreachable"


def test_an_account_without_a_connection(db: Database) -> None:
    def missing(account: str) -> Credentials:
        raise AccountRefusedError(f"There is no Airflow connection {account!r}.")

    found = check(db, missing)
    assert found["check_verdict"] == "not configured"
    assert "There is no Airflow connection" in found["check_detail"]["message"]


def test_an_empty_field_is_not_configured(db: Database, sandbox: Caller) -> None:
    found = check(db, admitad_account(sandbox.base, login=""))
    assert found["check_verdict"] == "not configured"
    assert "Client id" in found["check_detail"]["message"]
