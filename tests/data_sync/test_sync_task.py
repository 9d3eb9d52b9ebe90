"""What a sync task does around its read: days of the network, refusals, scopes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_sync.database import Database
from data_sync.errors import AccountRefusedError, DataSyncError
from data_sync.runs.opening import open_run
from data_sync.schedules.date_ranges import DayRange
from data_sync.schedules.planning import WorkUnit, network_days, plan_units
from data_sync.schedules.words import SyncType
from data_sync.sync import account_scope, build_client, read_request
from network_clients.admitad.client import AdmitadClient
from network_clients.interface import Credentials
from network_clients.limits import NoLimiter
from network_clients.tokens import MemoryTokenStore
from tests.data_sync.kit import (
    ACCOUNT,
    Airflow,
    admitad_account,
    make_request,
    make_schedule,
    rows,
    settle_run,
    sync_unit,
    units_of,
)

ZONES = [
    "UTC",
    "Europe/Moscow",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Dubai",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Atlantic/Azores",
    "Africa/Cairo",
]
FAR = date(2099, 1, 1)


def client_in(zone: str, margin: int = 1) -> AdmitadClient:
    account = Credentials(ACCOUNT, {"login": "id", "password": "secret", "timezone": zone})
    client = AdmitadClient(account, NoLimiter(), MemoryTokenStore())
    client.facts = replace(client.facts, edge_overlap_days=margin)  # type: ignore[misc]
    return client


@settings(deadline=None, max_examples=300)
@given(
    first=st.dates(date(2024, 1, 1), date(2028, 1, 1)),
    days=st.integers(1, 400),
    ours=st.sampled_from(ZONES),
    theirs=st.sampled_from(ZONES),
    margin=st.integers(0, 2),
    today=st.integers(-10, 500),
)
def test_windows_cover_the_range_in_the_networks_days_and_read_none_twice(
    first: date, days: int, ours: str, theirs: str, margin: int, today: int
) -> None:
    wanted = DayRange(first, first + timedelta(days=days - 1))
    client = client_in(theirs, margin)
    now = first + timedelta(days=today)
    found = [read_request(client, unit, ours, now) for unit in plan_units(SyncType.PURCHASES, wanted)]
    asked = [request for request in found if request is not None]
    covered = [
        request.start + timedelta(days=n)
        for request in asked
        for n in range((request.end - request.start).days + 1)
    ]
    assert len(covered) == len(set(covered)), "no day twice"
    assert all(one.end < other.start for one, other in pairwise(asked))
    start, end = network_days(wanted.first, wanted.last, ours, theirs)
    start, end = start - timedelta(days=margin), min(end + timedelta(days=margin), now)
    assert covered == [start + timedelta(days=n) for n in range(max((end - start).days + 1, 0))]


def test_only_the_ends_of_a_range_have_a_margin() -> None:
    client = client_in("Europe/Moscow")
    march = plan_units(SyncType.PURCHASES, DayRange(date(2026, 3, 1), date(2026, 3, 14)))
    asked = [read_request(client, unit, "Europe/Moscow", FAR) for unit in march]
    assert [(str(r.start), str(r.end)) for r in asked if r] == [
        ("2026-02-28", "2026-03-07"),
        ("2026-03-08", "2026-03-15"),
    ]


def test_days_that_are_still_to_come_are_not_asked_for(db: Database) -> None:
    schedule = make_schedule(first="2098-01-01", last="2098-01-20")
    opened = open_run(db, make_request("r1", schedule))
    for unit in opened.units:
        sync_unit(db, "r1", WorkUnit.from_dict(unit), admitad_account("http://127.0.0.1:9"))
    assert {unit["status"] for unit in units_of(db, opened.id)} == {"skipped"}
    settled = settle_run(db, "r1", Airflow())
    assert (settled.statuses, settled.complete) == ({ACCOUNT: "skipped"}, ())
    assert rows(db, "SELECT reason FROM data_sync.sync_logs") == [{"reason": "These days are still to come."}]


def test_an_account_that_was_refused_when_the_run_opened_fails_its_units(db: Database) -> None:
    opened = open_run(db, make_request("r1"), missing_accounts={ACCOUNT: "There is no connection."})
    with pytest.raises(AccountRefusedError, match=r"no connection\. Then clear the whole run"):
        sync_unit(db, "r1", WorkUnit.from_dict(opened.units[0]), admitad_account("http://127.0.0.1:9"))
    settled = settle_run(db, "r1", Airflow())
    assert settled.statuses == {ACCOUNT: "failed"}
    assert units_of(db, opened.id)[0]["error"]["verdict"] == "not configured"


def test_a_run_that_was_never_opened_is_refused_in_words(db: Database) -> None:
    (unit,) = plan_units(SyncType.COUPONS, DayRange(date(2026, 3, 1), date(2026, 3, 1)))
    with pytest.raises(DataSyncError, match="was never opened"):
        sync_unit(db, "r9", unit, admitad_account("http://127.0.0.1:9"))


def test_an_unexpected_fault_ends_the_unit_and_is_named(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_run(db, make_request("r1"))
    monkeypatch.setattr(AdmitadClient, "slices", lambda self, request: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sync_unit(db, "r1", WorkUnit.from_dict(opened.units[0]), admitad_account("http://127.0.0.1:9"))
    (unit,) = units_of(db, opened.id)
    assert unit["status"] == "failed"
    assert "ZeroDivisionError" in unit["error"]["message"]


def test_the_scope_of_a_read_changes_with_every_setting_but_no_secret(db: Database) -> None:
    def scope(**values: str) -> str:
        return account_scope(build_client(db, admitad_account("http://127.0.0.1:9", **values)(ACCOUNT)))

    assert scope() == scope(password="another")
    assert len({scope(), scope(website_id="5"), scope(timezone="UTC"), scope(login="other")}) == 4


def test_a_log_whose_settings_changed_between_tries_proves_nothing(db: Database) -> None:
    opened = open_run(db, make_request("r1", make_schedule(first="2098-01-01", last="2098-01-01")))
    unit = WorkUnit.from_dict(opened.units[0])
    seen = []
    for number, website in enumerate(("1", "1", "2", "1")):
        sync_unit(db, "r1", unit, admitad_account("http://127.0.0.1:9", website_id=website), round=number)
        seen += [row["scope"] for row in rows(db, "SELECT scope FROM data_sync.sync_logs")]
    assert seen[0] == seen[1] != "mixed"
    assert seen[2:] == ["mixed", "mixed"]
