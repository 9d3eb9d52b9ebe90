"""Rows as networks send them on their worst days, over real HTTP: the good ones of each page are stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time.context import set_current_context

from data_sync.dag import work
from data_sync.database import Database
from data_sync.errors import TooManyRejectedError
from data_sync.local import totals
from data_sync.runs.opening import open_run
from data_sync.schedules.planning import WorkUnit
from network_clients.admitad.facts import FACTS
from sandbox_networks.server import running
from sandbox_networks.settings import SandboxSettings
from tests.data_sync.engine import boostiny
from tests.data_sync.engine.boostiny import Site
from tests.data_sync.kit import (
    ACCOUNT,
    Airflow,
    admitad_account,
    make_request,
    make_schedule,
    rows,
    settle_run,
    sync_run,
    sync_unit,
    units_of,
)
from tests.sandbox_networks.caller import Caller

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = date(2026, 3, 5)
ONE_DAY = {"first": DAY.isoformat(), "last": DAY.isoformat()}
#: The sandbox's fault, a word of the reason, and a word of the payload; no reason: the row can be stored.
HOSTILE: dict[str, tuple[str | None, str]] = {
    "missing_id": ("missing", ""),
    "impossible_date": ("does not exist", "02-31"),
    "text_amount": ("is not a number", "NaN"),
    "bare_nan": ("is not a number", '"NaN"'),
    "long_amount": ("more than 30 digits", "1234567890" * 4),
    "nul_byte": ("NUL character", "\\u0000"),
    "huge_field": (None, ""),
    "deep_nesting": (None, ""),
    "wrong_encoding": (None, ""),
}


def every(fault: str) -> int:
    """One row in so many, which is one or two of each page; of the largest rows one of each day."""
    return 1000 if fault == "huge_field" else 25


@pytest.fixture
def admitad() -> Iterator[Caller]:
    with running(SandboxSettings(now=NOON, rows_per_day=60, networks=("admitad",))) as url:
        yield Caller(url)


@pytest.fixture
def site() -> Iterator[Site]:
    with boostiny.site(rows_per_day=60) as found:
        yield found


def assert_set_aside(db: Database, account: str, fault: str, unit: dict[str, Any]) -> None:
    """Each bad row is kept with reason and payload, the log counts them and says so."""
    reason, payload = HOSTILE.get(fault) or ("currency is missing", "")
    kept = rows(db, "SELECT account, reason, payload FROM data_sync.rejected_records")
    assert unit["rows_rejected"] == len(kept)
    assert unit["rows_read"] > len(kept)
    assert bool(kept) is (reason is not None)
    for row in kept:
        assert row["account"] == account
        assert str(reason) in row["reason"]
        assert payload in bytes(row["payload"]).decode()
    said = [warning for warning in unit["warnings"] if f"Rows set aside: {len(kept)}." in warning]
    assert bool(said) is bool(kept)
    assert unit["is_complete"]


@pytest.mark.parametrize("fault", ["missing_currency", *HOSTILE])
def test_bad_rows_of_admitad_harm_no_other(db: Database, database: str, admitad: Caller, fault: str) -> None:
    admitad.fault(fault, every=every(fault), count=None)
    (unit,) = sync_run(db, "r1", admitad_account(admitad.base), **ONE_DAY)
    assert_set_aside(db, ACCOUNT, fault, unit)
    expected = totals.of_sandbox(admitad.totals(**{"from": DAY, "to": DAY}), FACTS)
    with psycopg.connect(database) as connection:
        found = totals.of_tables(connection, ACCOUNT, DAY, DAY)
    found.campaigns, found.coupons = expected.campaigns, expected.coupons
    assert totals.differences(expected, found) == []


@pytest.mark.parametrize("fault", HOSTILE)
def test_bad_rows_of_boostiny_harm_no_other(db: Database, database: str, site: Site, fault: str) -> None:
    site.fault(fault, every=every(fault), count=None)
    # One day and its neighbours, which are those that the sandbox sums up, for all but the largest rows.
    days = {"first": "2026-03-02", "last": "2026-03-02"} if fault == "huge_field" else {}
    (unit,) = boostiny.sync_run(db, "r1", site.account(link_traffic="yes" if not days else "no"), **days)
    assert_set_aside(db, boostiny.ACCOUNT, fault, unit)
    if not days:
        boostiny.assert_true(database, site)


@pytest.mark.parametrize(
    ("fault", "expected"), [("huge_field", {"longest": 10_000_000}), ("wrong_encoding", {"longest": 4})]
)
def test_odd_texts_are_kept_whole(
    db: Database, admitad: Caller, fault: str, expected: dict[str, int]
) -> None:
    admitad.fault(fault, every=1000, count=None)
    sync_run(db, "r1", admitad_account(admitad.base), **ONE_DAY)
    odd = "SELECT max(length(order_ref)) AS longest FROM data_sync.purchases WHERE order_ref !~ '^A'"
    assert rows(db, odd) == [expected]


def test_a_field_that_is_nested_too_deep_is_kept_as_text(db: Database, admitad: Caller) -> None:
    admitad.fault("deep_nesting", every=1000, count=None)
    sync_run(db, "r1", admitad_account(admitad.base), **ONE_DAY)
    deep = rows(db, "SELECT raw FROM data_sync.purchases WHERE raw ? 'extra'")
    assert deep
    assert "[[[[" in json.dumps(deep[0]["raw"])
    again = sync_run(db, "r2", admitad_account(admitad.base), **ONE_DAY)
    assert again[0]["rows_unchanged"] == again[0]["rows_read"], "the same answer is the same row"


BOOSTINYS_DAY = {"first": "2026-03-02", "last": "2026-03-02"}


@pytest.mark.parametrize(("fault", "longest"), [("huge_field", 10_000_000), ("wrong_encoding", 4)])
def test_odd_texts_of_a_report_are_kept_whole(db: Database, site: Site, fault: str, longest: int) -> None:
    site.fault(fault, every=1000, count=None)
    boostiny.sync_run(db, "r1", site.account(link_traffic="no"), **BOOSTINYS_DAY)
    odd = rows(
        db,
        "SELECT DISTINCT length(campaign_name) AS longest, campaign_name AS name FROM data_sync.purchases "
        "WHERE campaign_name LIKE '0123456789%%' OR campaign_name LIKE 'caf%%'",
    )
    assert [row["longest"] for row in odd] == [longest]
    assert odd[0]["name"] in ("0123456789" * 1_000_000, "caf\ufffd")


def test_a_field_of_a_report_that_is_nested_too_deep_is_kept_as_text(db: Database, site: Site) -> None:
    site.fault("deep_nesting", every=25, count=None)
    load = site.account(link_traffic="no")
    boostiny.sync_run(db, "r1", load, **BOOSTINYS_DAY)
    deep = rows(db, "SELECT raw ->> 'extra' AS extra FROM data_sync.purchases WHERE raw ? 'extra'")
    assert deep
    assert all(row["extra"].startswith("[[[[") for row in deep)
    (again,) = boostiny.sync_run(db, "r2", load, **BOOSTINYS_DAY)
    assert again["rows_unchanged"] == again["rows_read"], "the same answer is the same row"


@pytest.mark.parametrize("fault", ["missing_id", "text_amount"])
def test_a_report_of_which_too_much_was_set_aside_fails_and_says_what_to_do(
    db: Database, site: Site, fault: str
) -> None:
    site.fault(fault, every=3, count=None)
    load = site.account()
    opened = boostiny.open_boostiny(db, "r1")
    with pytest.raises(TooManyRejectedError) as failed:
        boostiny.sync_unit(db, "r1", opened.units[0], load)
    (unit,) = units_of(db, opened.id)
    assert (unit["status"], unit["is_complete"]) == ("failed", False)
    assert unit["error"]["message"] == str(failed.value)
    assert unit["rows_rejected"] * 3 == pytest.approx(unit["rows_read"], rel=0.2)
    kept = rows(db, "SELECT account, reason, payload FROM data_sync.rejected_records")
    assert len(kept) == unit["rows_rejected"] > 20
    assert str(HOSTILE[fault][0]) in str(failed.value)
    assert len(rows(db, "SELECT 1 FROM data_sync.purchases")) == unit["rows_inserted"] > 100
    settled = settle_run(db, "r1", Airflow(run="failed", boostiny__sync_0="failed"))
    assert settled.statuses == {boostiny.ACCOUNT: "failed"}
    assert settled.complete == ()


def spoil(sandbox: Caller, every: int) -> None:
    sandbox.admin("/faults", method="DELETE")
    sandbox.fault("missing_currency", every=every, count=None)


def failing(db: Database, sandbox: Caller, run_id: str, **words: Any) -> tuple[str, dict[str, Any]]:
    """Run one unit that fails; return what it says, and its row."""
    opened = open_run(db, make_request(run_id, make_schedule(**{**ONE_DAY, **words})))
    with pytest.raises(TooManyRejectedError) as failed:
        sync_unit(db, run_id, WorkUnit.from_dict(opened.units[0]), admitad_account(sandbox.base))
    (unit,) = units_of(db, opened.id)
    return str(failed.value), unit


def test_a_unit_of_which_too_much_was_set_aside_fails_and_says_what_to_do(
    db: Database, admitad: Caller
) -> None:
    spoil(admitad, every=2)
    message, unit = failing(db, admitad, "r1")
    assert (unit["status"], unit["is_complete"]) == ("failed", False)
    assert unit["error"]["verdict"] == "too many rows set aside"
    assert unit["error"]["message"] == message
    assert unit["rows_rejected"] * 2 == pytest.approx(unit["rows_read"], abs=5)
    assert f"{unit['rows_rejected']} of {unit['rows_read']} rows" in message
    assert "currency is missing" in message
    assert "max_rejected_share" in message
    statement = message[message.index("SELECT") :].split(". If")[0]
    assert len(rows(db, statement)) == unit["rows_rejected"]
    assert len(rows(db, "SELECT 1 FROM data_sync.purchases")) == unit["rows_inserted"] > 50, "the good rows"
    settled = settle_run(db, "r1", Airflow(run="failed", admitad__sync_0="failed"))
    assert settled.statuses == {ACCOUNT: "failed"}
    assert settled.complete == ()


def test_the_task_of_such_a_unit_fails_at_once_and_is_not_tried_again(
    db: Database, admitad: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(admitad, every=2)
    fields = {"conn_type": "affiliate_admitad", "host": admitad.base}
    secret = {"login": "sandbox-admitad-id", "password": "sandbox-admitad-secret"}
    monkeypatch.setenv("AIRFLOW_CONN_ADMITAD_DEFAULT", json.dumps(fields | secret))
    opened = open_run(db, make_request("r1", make_schedule(**ONE_DAY)))
    task = SimpleNamespace(dag_id="sync__daily", run_id="r1", max_tries=4, try_number=1)
    with set_current_context({"ti": task}), pytest.raises(AirflowFailException, match="were set aside"):
        work.sync(ACCOUNT, opened.units[0])
    (unit,) = units_of(db, opened.id)
    assert unit["status"] == "failed"


def test_once_it_is_mended_the_same_unit_is_read_again_from_its_start(db: Database, admitad: Caller) -> None:
    spoil(admitad, every=2)
    _, unit = failing(db, admitad, "r1")
    admitad.admin("/faults", method="DELETE")
    (again,) = sync_run(db, "r1", admitad_account(admitad.base), **ONE_DAY)
    assert (again["id"], again["status"], again["is_complete"]) == (unit["id"], "completed", True)
    assert again["rows_inserted"] == unit["rows_rejected"]


@pytest.mark.parametrize(("every", "share", "is_refused"), [(4, "0.3", False), (10, "0.05", True)])
def test_the_share_is_a_setting(
    db: Database, admitad: Caller, monkeypatch: pytest.MonkeyPatch, every: int, share: str, is_refused: bool
) -> None:
    monkeypatch.setenv("AIRFLOW__DATA_SYNC__MAX_REJECTED_SHARE", share)
    spoil(admitad, every=every)
    if is_refused:
        assert "up to 5% are accepted" in failing(db, admitad, "r1")[0]
    else:
        (unit,) = sync_run(db, "r1", admitad_account(admitad.base), **ONE_DAY)
        assert unit["status"] == "completed"


def test_a_share_that_cannot_be_read_fails_the_unit_with_what_to_write(
    db: Database, admitad: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DATA_SYNC__MAX_REJECTED_SHARE", "20%")
    opened = open_run(db, make_request("r1", make_schedule(**ONE_DAY)))
    with pytest.raises(Exception, match="Write a number from 0 to 1"):
        sync_unit(db, "r1", WorkUnit.from_dict(opened.units[0]), admitad_account(admitad.base))
    (unit,) = units_of(db, opened.id)
    assert (unit["status"], unit["error"]["verdict"]) == ("failed", "not configured")


def test_a_few_rows_tell_nothing_about_a_share(db: Database) -> None:
    with running(SandboxSettings(now=NOON, rows_per_day=4, networks=("admitad",))) as url:
        sandbox = Caller(url)
        spoil(sandbox, every=1)
        (unit,) = sync_run(db, "r1", admitad_account(sandbox.base), **ONE_DAY)
    assert unit["rows_rejected"] == unit["rows_read"] > 0
    assert unit["status"] == "completed"
