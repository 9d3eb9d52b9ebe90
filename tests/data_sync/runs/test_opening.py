"""``open_run``: one run of a schedule at a time, everything fixed at its first opening."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from data_sync import accounts
from data_sync.database import Database
from data_sync.runs.lease import RunWaitsError
from data_sync.runs.lookup import find_run, open_runs
from data_sync.runs.opening import open_run
from data_sync.runs.request import RunKind
from data_sync.schedules.planning import WorkUnit
from network_clients.errors import NetworkUnavailableError
from tests.data_sync.kit import (
    ACCOUNT,
    Airflow,
    admitad_account,
    make_request,
    make_schedule,
    open_scheduled,
    rows,
    settle_run,
    sync_unit,
)

PAST = datetime(2026, 1, 1, tzinfo=UTC)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


def test_a_run_has_a_log_per_account_and_a_unit_per_window_and_kind(db: Database) -> None:
    schedule = make_schedule(networks=["admitad", "admitad:shop2"], sync_type="all", last="2026-03-20")
    opened = open_run(db, make_request("r1", schedule))
    assert [unit["label"] for unit in opened.units] == [
        "purchases 2026-03-01..2026-03-10",
        "purchases 2026-03-11..2026-03-20",
        "campaigns",
        "coupons",
    ]
    logs = rows(db, "SELECT account, network, status FROM data_sync.sync_logs ORDER BY account")
    assert [tuple(row.values()) for row in logs] == [
        ("admitad_default", "admitad", "pending"),
        ("admitad_shop2", "admitad", "pending"),
    ]
    assert rows(db, "SELECT count(*) AS n FROM data_sync.sync_log_steps")[0]["n"] == 8
    assert [row["state"] for row in rows(db, "SELECT state FROM data_sync.accounts")] == ["unknown"] * 2


def test_doing_it_again_finds_the_same_answer_whatever_changed_meanwhile(db: Database) -> None:
    first = open_scheduled(db, "r1", date_range="last_7_days", first=None, last=None)
    again = open_scheduled(
        db, "r1", date_range="last_30_days", first=None, last=None, anchor=datetime(2026, 5, 1, tzinfo=UTC)
    )
    assert again.units == first.units
    with db.transaction() as cursor:
        run = find_run(cursor, "sync__daily", "r1")
    assert run is not None
    assert run.schedule.date_range.value == "last_7_days"
    assert len(rows(db, "SELECT 1 FROM data_sync.sync_runs")) == 1


def test_a_second_run_of_a_schedule_waits_and_leaves_no_trace(db: Database) -> None:
    first = open_scheduled(db, "r1")
    with pytest.raises(RunWaitsError, match="r1") as waits:
        open_scheduled(db, "r2", gives_up_at=FUTURE)
    assert waits.value.held_by == first.id
    assert [row["run_id"] for row in rows(db, "SELECT run_id FROM data_sync.sync_runs")] == ["r1"]
    settle_run(db, "r1", Airflow("success"))
    assert open_scheduled(db, "r2", gives_up_at=FUTURE).units


@pytest.mark.parametrize("kind", [RunKind.RUN_NOW, RunKind.BACKFILL])
def test_backfills_and_runs_by_hand_share_the_lease_and_never_give_up(db: Database, kind: RunKind) -> None:
    open_scheduled(db, "r1", kind=kind)
    with pytest.raises(RunWaitsError):
        open_scheduled(db, "r2", kind=kind, gives_up_at=PAST)
    assert open_run(db, make_request("quick")).units, "a plain quick sync waits for nobody"


def test_a_tick_gives_up_when_the_next_one_is_due_and_says_why(db: Database) -> None:
    open_scheduled(db, "r1", kind=RunKind.BACKFILL)
    late = open_scheduled(db, "r2", gives_up_at=PAST, max_runs_per_day=1)
    assert late.units == []
    assert str(late.refusal).startswith("previous run still going: r1")
    assert settle_run(db, "r2", Airflow()).statuses == {ACCOUNT: "skipped"}
    assert rows(db, "SELECT sync_run FROM data_sync.schedule_leases") == [{"sync_run": late.id - 1}]
    settle_run(db, "r1", Airflow("success"))
    assert open_scheduled(db, "r2", gives_up_at=PAST, max_runs_per_day=1).units, (
        "cleared, it runs: nothing was claimed"
    )


def test_of_runs_that_open_at_once_one_gets_the_lease(db: Database) -> None:
    def try_to_open(number: int) -> bool:
        own = Database()
        try:
            open_scheduled(own, f"r{number}")
            return True
        except RunWaitsError:
            return False
        finally:
            own.close()

    for turn in range(5):
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(try_to_open, range(turn * 8, turn * 8 + 8)))
        assert sum(won) == 1
        settle_run(db, f"r{turn * 8 + won.index(True)}", Airflow("success"))


def test_settling_a_run_whose_tasks_died_frees_the_lease(db: Database) -> None:
    open_scheduled(db, "r1")
    with pytest.raises(RunWaitsError):
        open_scheduled(db, "r2")
    with db.transaction() as cursor:
        (holder,) = open_runs(cursor)
    assert holder.run_id == "r1"
    assert not settle_run(db, "r1", Airflow("running", admitad__sync_0="running")).is_closed
    with pytest.raises(RunWaitsError):
        open_scheduled(db, "r2")
    assert settle_run(db, "r1", Airflow(None)).is_closed
    assert open_scheduled(db, "r2").units


def test_a_refused_account_fails_alone(db: Database) -> None:
    schedule = make_schedule(networks=["admitad", "admitad:shop2"])
    open_run(db, make_request("r1", schedule), missing_accounts={"admitad_shop2": "There is no connection."})
    found = rows(db, "SELECT account, metadata FROM data_sync.sync_logs ORDER BY account")
    assert [row["metadata"] for row in found] == [{}, {"refused": "There is no connection."}]


def test_an_author_may_only_use_the_accounts_that_were_granted(db: Database) -> None:
    with db.transaction() as cursor:
        accounts.grant(cursor, "admitad_default", "ann")
    schedule = make_schedule(networks=["admitad", "admitad:shop2"])
    open_run(db, make_request("r1", schedule, author="ann", trusted=False))
    found = rows(
        db, "SELECT account, metadata ->> 'refused' AS refused FROM data_sync.sync_logs ORDER BY account"
    )
    assert found[0]["refused"] is None
    assert "ann may not use the account admitad_shop2" in found[1]["refused"]
    assert "data-sync accounts grant admitad_shop2 ann" in found[1]["refused"]


def test_a_cleared_run_starts_from_nothing_on_the_screens(db: Database) -> None:
    open_scheduled(db, "r1")
    settle_run(db, "r1", Airflow("failed"))
    (failed,) = rows(db, "SELECT status, error FROM data_sync.sync_logs")
    assert failed["status"] == "failed"
    open_scheduled(db, "r1")
    assert settle_run(db, "r1", Airflow()).statuses == {ACCOUNT: "pending"}
    (log,) = rows(db, "SELECT status, error, reason, started_at, finished_at FROM data_sync.sync_logs")
    assert tuple(log.values()) == ("pending", None, None, None, None)


def test_a_backfill_of_catalogues_alone_has_nothing_to_read(db: Database) -> None:
    opened = open_scheduled(db, "r1", kind=RunKind.BACKFILL, sync_type="campaigns")
    assert opened.units == []
    settled = settle_run(db, "r1", Airflow())
    assert (settled.is_closed, settled.statuses) == (True, {ACCOUNT: "skipped"})


def test_the_range_is_seen_from_the_anchor_not_from_the_clock(db: Database) -> None:
    anchor = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    words = {"date_range": "yesterday", "first": None, "last": None, "timezone": "Europe/Berlin"}
    open_scheduled(db, "r1", anchor=anchor, **words)
    (row,) = rows(db, "SELECT first_day, last_day, anchor FROM data_sync.sync_runs")
    assert (row["first_day"].isoformat(), row["last_day"].isoformat()) == ("2026-03-31", "2026-03-31")
    assert row["anchor"] == anchor
    assert anchor - row["anchor"] == timedelta(0)


def test_a_run_that_a_pause_holds_keeps_nobody_waiting_and_waits_itself_afterwards(db: Database) -> None:
    opened = open_scheduled(db, "r1")
    with pytest.raises(RunWaitsError):
        open_scheduled(db, "now", kind=RunKind.RUN_NOW)
    settle_run(db, "r1", Airflow("running", paused=True))
    assert open_scheduled(db, "now", kind=RunKind.RUN_NOW).units
    work = WorkUnit.from_dict(opened.units[0])
    with pytest.raises(RunWaitsError, match="now"):
        sync_unit(db, "r1", work, admitad_account("http://127.0.0.1:1"))
    settle_run(db, "now", Airflow("failed"))
    with pytest.raises(NetworkUnavailableError):
        sync_unit(db, "r1", work, admitad_account("http://127.0.0.1:1"))


def test_a_unit_that_is_cleared_long_after_waits_for_the_run_that_goes_now(db: Database) -> None:
    opened = open_scheduled(db, "r1")
    settle_run(db, "r1", Airflow("failed"))
    open_scheduled(db, "r2")
    work = WorkUnit.from_dict(opened.units[0])
    with pytest.raises(RunWaitsError, match="r2"):
        sync_unit(db, "r1", work, admitad_account("http://127.0.0.1:1"))
    (lease,) = rows(db, "SELECT r.run_id FROM data_sync.schedule_leases e JOIN data_sync.sync_runs r "
                        "ON r.id = e.sync_run")  # fmt: skip
    assert lease["run_id"] == "r2"
