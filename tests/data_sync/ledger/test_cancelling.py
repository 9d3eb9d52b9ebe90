"""A log that somebody cancels ends soon, keeps what it has stored, and is never stuck in between."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from data_sync.checking import CHECK_UNIT, run_check
from data_sync.database import Database
from data_sync.engine import unit as engine
from data_sync.errors import ConfigError, StepTakenError, UnitCancelledError
from data_sync.ledger import cancelling, steps
from data_sync.ledger.cancelling import Cancellation
from data_sync.ledger.steps import Progress, Step
from data_sync.runs.lookup import find_run
from data_sync.runs.opening import open_run
from data_sync.runs.request import RunKind
from data_sync.runs.retrying import find_failed_log
from data_sync.schedules.planning import WorkUnit
from network_clients.errors import NetworkUnavailableError
from network_clients.interface import Credentials
from tests.data_sync.engine.scripted import ScriptedClient, actions
from tests.data_sync.engine.tries import page_by_page
from tests.data_sync.kit import (
    ACCOUNT,
    Airflow,
    Child,
    admitad_account,
    claim,
    counts,
    eventually,
    make_request,
    make_schedule,
    open_scheduled,
    purchases,
    reader_of,
    rows,
    settle_run,
    step_row,
    sync_unit,
    units_of,
)
from tests.sandbox_networks.caller import Caller, process

THREE = make_schedule(sync_type="all")
LONG = {"first": "2026-03-01", "last": "2026-03-08"}


@pytest.fixture(scope="module")
def running() -> Iterator[Caller]:
    with process("--now", "2026-03-10T12:00:00Z", "--rows-per-day", "300") as caller:
        yield caller


@pytest.fixture
def sandbox(running: Caller) -> Caller:
    running.admin("/reset")
    return running


def cancel(db: Database, who: str = "anna", log: int | None = None) -> Cancellation:
    with db.transaction() as cursor:
        if log is None:
            row = cursor.execute("SELECT max(id) AS id FROM data_sync.sync_logs").fetchone()
            assert row is not None
            log = row["id"]
        return cancelling.cancel(cursor, log, who)


def log_of(db: Database, account: str = ACCOUNT) -> dict:
    (found,) = rows(db, "SELECT * FROM data_sync.sync_logs WHERE account = %s", account)
    return found


def unreachable(account: str) -> Credentials:
    """Nobody asks for credentials who has nothing to read."""
    raise AssertionError(account)


def start(db: Database, unit: dict, *, round: int = 4) -> None:
    sync_unit(db, "r1", WorkUnit.from_dict(unit), unreachable, round=round)


def statuses(db: Database, run: int) -> list[str]:
    return [unit["status"] for unit in units_of(db, run)]


def test_a_log_that_has_not_begun_ends_at_once_and_asks_no_network(db: Database) -> None:
    opened = open_scheduled(db, "r1", sync_type="all", max_runs_per_day=1)
    cancel(db)
    assert (log_of(db)["status"], log_of(db)["reason"]) == ("cancelled", "cancelled by anna")
    assert statuses(db, opened.id) == ["cancelled"] * 3
    for unit in opened.units:
        with pytest.raises(UnitCancelledError, match="cancelled by anna"):
            start(db, unit)
    settled = settle_run(db, "r1", Airflow("success", admitad__sync_0="skipped"))
    assert (settled.is_closed, settled.statuses, settled.complete) == (True, {ACCOUNT: "cancelled"}, ())
    (run,) = rows(db, "SELECT state, guard FROM data_sync.sync_runs")
    assert run == {"state": "closed", "guard": "given_back"}
    assert rows(db, "SELECT * FROM data_sync.schedule_leases") == []


@pytest.mark.parametrize("state", ["waiting", "retrying"])
def test_a_unit_that_sleeps_ends_at_once_and_its_task_is_named(db: Database, state: str) -> None:
    opened = open_run(db, make_request("r1", THREE))
    step = claim(db, "r1", 1, holder=steps.holder_name(4, "one"))
    with db.transaction() as cursor:
        steps.advance(cursor, step, Progress(read=3, inserted=3, requests=1), {"at": 0})
        if state == "waiting":
            steps.wait(cursor, step, db.clock() + timedelta(hours=6), "the day's calls are used up")
        else:
            steps.finish(cursor, step, "retrying", reason="the network did not answer")
    assert cancel(db).asleep == [1]
    unit = units_of(db, opened.id)[1]
    assert (unit["status"], unit["waiting_until"], unit["reason"]) == ("cancelled", None, "cancelled by anna")
    assert (unit["rows_inserted"], log_of(db)["requests"]) == (3, 1)
    assert log_of(db)["status"] == "cancelled"
    with pytest.raises(UnitCancelledError):
        start(db, opened.units[1])


def test_a_log_that_a_pause_holds_can_be_cancelled(db: Database) -> None:
    opened = open_run(db, make_request("r1", THREE))
    assert settle_run(db, "r1", Airflow(paused=True)).statuses == {ACCOUNT: "held"}
    cancel(db)
    assert log_of(db)["status"] == "cancelled"
    assert statuses(db, opened.id) == ["cancelled"] * 3


def test_asked_again_the_answer_is_the_same(db: Database) -> None:
    open_run(db, make_request("r1", THREE))
    claim(db, "r1", 0)
    first = cancel(db, "anna")
    second = cancel(db, "ben")
    assert (second.requested_by, second.requested_at) == ("anna", first.requested_at)
    settle_run(db, "r1", Airflow("failed"))
    assert cancel(db, "ben").requested_at == first.requested_at


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_a_log_that_is_over_is_not_cancelled_and_says_so(db: Database, status: str) -> None:
    open_run(db, make_request("r1"))
    with db.transaction() as cursor:
        steps.finish(cursor, claim(db, "r1"), status)
    settle_run(db, "r1", Airflow("running"))
    with pytest.raises(ConfigError, match=f"is {status}: it is over"):
        cancel(db)
    assert log_of(db)["cancel_requested_at"] is None


def test_the_other_accounts_of_the_run_go_on(db: Database) -> None:
    both = make_schedule(networks=["admitad", "admitad:shop2"])
    opened = open_run(db, make_request("r1", both))
    cancel(db, log=log_of(db)["id"])
    other = log_of(db, "admitad_shop2")
    assert (other["status"], other["cancel_requested_at"]) == ("pending", None)
    (run,) = rows(db, "SELECT state FROM data_sync.sync_runs WHERE id = %s", opened.id)
    assert run["state"] == "open"


def test_a_running_sync_stops_behind_its_batch_and_keeps_its_rows(
    db: Database, sandbox: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real process over real HTTP."""
    monkeypatch.setattr("data_sync.engine.batch.MOST_ROWS", 1)
    sandbox.fault("slow", path="/statistics/actions/", count=None, seconds=0.4)
    opened = open_run(db, make_request("r1", make_schedule(**LONG)))
    (unit,) = opened.units
    db.close()
    load = admitad_account(sandbox.base)

    def work() -> None:
        with pytest.raises(UnitCancelledError, match="cancelled by anna"):
            sync_unit(Database(), "r1", WorkUnit.from_dict(unit), load)

    child = Child(work)
    eventually(lambda: units_of(db, opened.id)[0]["pages"] >= 2)
    assert cancel(db).asleep == []
    asked = time.monotonic()
    assert child.wait() == 0
    assert time.monotonic() - asked < 5
    found = units_of(db, opened.id)[0]
    assert (found["status"], found["reason"], found["is_complete"]) == (
        "cancelled",
        "cancelled by anna",
        False,
    )
    assert found["items_expected"] > found["rows_read"] > 0
    stored = purchases(db)
    assert len(stored) == counts(found)["inserted"]
    assert not any(row["gone"] for row in stored)
    assert rows(db, "SELECT * FROM data_sync.sync_step_pages") == []
    # Nobody had to settle first.
    assert (log_of(db)["status"], log_of(db)["requests"]) == ("cancelled", found["requests"])
    sandbox.admin("/faults", method="DELETE")
    retry = make_request("r2", make_schedule(**LONG), kind=RunKind.RETRY, retry_of=log_of(db)["id"])
    again = open_run(db, retry)
    sync_unit(db, "r2", WorkUnit.from_dict(again.units[0]), load)
    whole = units_of(db, again.id)[0]
    assert whole["rows_read"] == found["items_expected"]
    assert (whole["rows_unchanged"], whole["rows_vanished"]) == (len(stored), 0)


def test_nothing_is_marked_as_vanished_by_a_read_that_was_cancelled_at_its_last_page(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_by_page(monkeypatch)
    client = ScriptedClient(actions(1, 2, 3, 4, 5))
    open_run(db, make_request("r0"))
    reader_of(db, claim(db, "r0"), client).run()
    open_run(db, make_request("r1"))
    step = claim(db, "r1")
    client.items = actions(1, 2, 3, 4)
    client.asked.clear()
    client.before = lambda number: cancel(db) if number == 1 else None
    with pytest.raises(UnitCancelledError):
        reader_of(db, step, client).run()
    assert not any(row["gone"] for row in purchases(db))


def test_a_wait_for_the_network_or_for_a_turn_is_broken_off(
    db: Database, sandbox: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_SILENCE", 0.2)
    opened = open_run(db, make_request("r1"))
    load = admitad_account(sandbox.base)

    def work() -> None:
        with pytest.raises(UnitCancelledError):
            sync_unit(Database(), "r1", WorkUnit.from_dict(opened.units[0]), load)

    # The gate opens in 25 s: less than what makes the task give its slot back.
    sandbox.fault("rate_limited", path="/statistics/actions/", count=None, retry_after=25)
    db.close()
    child = Child(work)
    closed = "SELECT 1 FROM data_sync.rate_limits WHERE gate_until > clock_timestamp()"
    eventually(lambda: rows(db, closed))
    cancel(db)
    asked = time.monotonic()
    assert child.wait() == 0
    assert time.monotonic() - asked < 10
    assert log_of(db)["status"] == "cancelled"


def test_a_wait_that_would_free_the_slot_ends_the_unit_instead(db: Database, sandbox: Caller) -> None:
    opened = open_run(db, make_request("r1"))
    sandbox.fault("rate_limited", path="/statistics/actions/", count=None, retry_after=1200)
    load = admitad_account(sandbox.base)

    def late(account: str) -> Credentials:
        cancel(Database())
        return load(account)

    with pytest.raises(UnitCancelledError):
        sync_unit(db, "r1", WorkUnit.from_dict(opened.units[0]), late)
    assert statuses(db, opened.id) == ["cancelled"]


def test_a_failure_that_may_pass_is_not_tried_again(db: Database) -> None:
    opened = open_run(db, make_request("r1"))

    def fail(account: str) -> Credentials:
        cancel(Database())
        raise NetworkUnavailableError("The network did not answer.")

    with pytest.raises(UnitCancelledError):
        sync_unit(db, "r1", WorkUnit.from_dict(opened.units[0]), fail)
    assert statuses(db, opened.id) == ["cancelled"]


def test_what_failed_for_good_stays_a_failure(db: Database) -> None:
    opened = open_run(db, make_request("r1"))

    def fail(account: str) -> Credentials:
        cancel(Database())
        raise ConfigError("There is no such shop.")

    with pytest.raises(ConfigError):
        sync_unit(db, "r1", WorkUnit.from_dict(opened.units[0]), fail)
    assert statuses(db, opened.id) == ["failed"]


def die(db: Database, step: Step) -> None:
    """As after a kill -9 of the process that holds a step."""
    with db.transaction() as cursor:
        cursor.execute(
            "UPDATE data_sync.sync_log_steps SET lease_until = '2026-01-01' WHERE id = %s",
            [step.id],
        )


def test_a_unit_whose_process_died_ends_at_once_and_the_dead_one_writes_no_more(db: Database) -> None:
    opened = open_run(db, make_request("r1"))
    step = claim(db, "r1", holder=steps.holder_name(4, "dead"))
    die(db, step)
    cancel(db)
    assert (statuses(db, opened.id), log_of(db)["status"]) == (["cancelled"], "cancelled")
    for write in (
        lambda cursor: steps.advance(cursor, step, Progress(read=1, inserted=1), {}),
        lambda cursor: steps.finish_read(cursor, step, is_complete=True),
        lambda cursor: steps.wait(cursor, step, db.clock(), "x"),
    ):
        with pytest.raises(UnitCancelledError), db.transaction() as cursor:
            write(cursor)
    assert step_row(db, step.id)["rows_read"] == 0


def test_a_process_that_dies_before_it_sees_the_mark_leaves_nothing_open(db: Database) -> None:
    opened = open_run(db, make_request("r1", THREE))
    first, second = (claim(db, "r1", n, holder=steps.holder_name(4, str(n))) for n in (0, 1))
    cancel(db)
    assert statuses(db, opened.id) == ["processing", "processing", "cancelled"]
    # One is tried again by Airflow, the other one never.
    with pytest.raises(UnitCancelledError):
        start(db, opened.units[0])
    settled = settle_run(db, "r1", Airflow("failed", admitad__sync_1="failed"))
    assert (settled.is_closed, settled.statuses) == (True, {ACCOUNT: "cancelled"})
    assert [step_row(db, step.id)["error"] for step in (first, second)] == [None, None]


def test_somebody_who_clears_the_task_afterwards_has_it_read(db: Database) -> None:
    open_run(db, make_request("r1"))
    with db.transaction() as cursor:
        run = find_run(cursor, "sync__daily", "r1")
    assert run is not None
    unit = run.units[0]
    cancel(db)
    with pytest.raises(UnitCancelledError):
        start(db, unit, round=4)
    with pytest.raises(UnitCancelledError):
        start(db, unit, round=4)
    with pytest.raises(AssertionError, match=ACCOUNT):
        start(db, unit, round=5)
    assert log_of(db)["cancel_requested_at"] is None


def test_a_run_that_is_done_again_is_not_cancelled_any_more(db: Database) -> None:
    opened = open_run(db, make_request("r1"))
    cancel(db)
    open_run(db, make_request("r1"))
    assert log_of(db)["status"] == "cancelled", "its task was only tried again"
    assert settle_run(db, "r1", Airflow()).is_closed
    open_run(db, make_request("r1"))
    assert (log_of(db)["status"], log_of(db)["cancel_requested_by"]) == ("pending", None)
    with pytest.raises(AssertionError, match=ACCOUNT):
        start(db, opened.units[0])


def test_what_was_cancelled_can_be_retried(db: Database) -> None:
    open_run(db, make_request("r1", THREE))
    with db.transaction() as cursor:
        steps.finish(cursor, claim(db, "r1", 1), "completed", is_complete=True)
    cancel(db)
    with db.transaction() as cursor:
        found = find_failed_log(cursor, log_of(db)["id"])
    assert [unit["kind"] for unit in found.units] == ["purchases", "coupons"]


def test_a_check_that_has_not_begun_is_cancelled(db: Database) -> None:
    open_run(db, make_request("c1", kind=RunKind.CHECK, units=(CHECK_UNIT,)))
    cancel(db)
    with pytest.raises(UnitCancelledError):
        run_check(db, steps.Place("sync__daily", "c1", ACCOUNT, 0), "a try", unreachable)
    assert log_of(db)["status"] == "cancelled"


def test_a_cancel_at_the_very_moment_of_the_end_leaves_one_of_the_two(db: Database) -> None:
    """Two processes, many times: whoever comes first decides, and nothing hangs."""
    chance = random.Random(7)
    seen = set()
    for number in range(40):
        run_id = f"race{number}"
        opened = open_run(db, make_request(run_id))
        step = claim(db, run_id, holder=steps.holder_name(4, "one"))
        db.close()
        pause = chance.uniform(0, 0.02)

        def work(step: Step = step, run: int = opened.id, pause: float = pause) -> None:
            own = Database()
            own.clock()
            time.sleep(pause)
            try:
                with own.transaction() as cursor:
                    news = steps.advance(cursor, step, Progress(read=1, inserted=1), {})
                if news.cancelled_by is not None:
                    raise UnitCancelledError(news.cancelled_by)
                with own.transaction() as cursor:
                    steps.finish_read(cursor, step, is_complete=True)
            except UnitCancelledError as cancelled:
                cancelling.end_unit(own, run, step, cancelled.who)

        child = Child(work)
        time.sleep(chance.uniform(0, 0.03))
        cancel(db)
        assert child.wait() == 0
        settled = settle_run(db, run_id, Airflow("running", admitad__sync_0="running"))
        unit = step_row(db, step.id)
        assert settled.is_closed
        assert settled.statuses == {ACCOUNT: unit["status"]}
        assert unit["status"] in ("completed", "cancelled")
        assert (unit["rows_read"], unit["lease_until"]) == (1, None)
        seen.add(unit["status"])
    assert seen == {"completed", "cancelled"}


def test_a_unit_that_another_process_took_over_is_not_ended_by_the_first(db: Database) -> None:
    open_run(db, make_request("r1"))
    old = claim(db, "r1", holder=steps.holder_name(4, "old"))
    new = claim(db, "r1", holder=steps.holder_name(4, "new"))
    cancel(db)
    with pytest.raises(StepTakenError), db.transaction() as cursor:
        steps.advance(cursor, old, Progress(), {})
    cancelling.end_unit(db, 1, old, "anna")
    assert step_row(db, new.id)["status"] == "processing"
