"""Rounds of the crash test, short ones here and long ones in ``make prove``; ``make torture`` plays more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from tests.torture import site
from tests.torture.drive import Drive
from tests.torture.history import broken_histories
from tests.torture.plan import FIRST, NETWORKS, Event, Fate, RunPlan, draw, settings_of
from tests.torture.rounds import TortureError, play_on
from tests.torture.site import CrashingPostgres, Pooler, Site, servers
from tests.torture.tables import differences, leftovers, miscounts, snapshot
from tests.torture.truth import ADMITAD, Truth, days_read

Running = tuple[Path, CrashingPostgres, Pooler | None]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A Postgres that can be crashed, for all tests of this file."""
    with servers(pooled=False) as found:
        yield found


#: Seeds in whose rounds every sort of trouble is drawn, soon enough to be met on any machine.
SHORT, LONG, POOLED = (495, 2), ((223, 3), (38, 3), (1239, 3)), (1175, 4)
TROUBLE = {
    "kills", "doubles", "sleepers", "stalls", "connections dropped", "Postgres crashes", "upkeep settles",
    "clock moves", "fault",
}  # fmt: skip


def test_syncs_that_are_killed_cut_off_and_doubled_end_in_the_truth(running: Running) -> None:
    seed, rounds = SHORT
    met = play_on(running, seed, rounds)
    assert TROUBLE - met.keys() == set(), "what is never met is not shown"


@pytest.mark.parametrize(("seed", "rounds"), [SHORT, *LONG, POOLED])
def test_every_sort_of_trouble_is_drawn_within_the_rounds_of_each_form(seed: int, rounds: int) -> None:
    plans = [draw(seed, number) for number in range(1, rounds + 1)]
    assert {plan.is_still for plan in plans} == {True, False}
    events = [event for plan in plans for event in plan.events]
    kinds = {event.detail["kind"] for event in events if event.what == "fault"}
    assert kinds & {"missing_currency", "missing_id", "impossible_date", "text_amount"}, "spoiled rows"
    assert kinds & {"server_error", "truncated", "drop", "rate_limited", "too_many_requests"}
    happens = {event.what for event in events}
    assert happens >= {"connections dropped", "Postgres crashes", "upkeep settles", "clock moves"}
    assert "pooler crashes" in happens or (seed, rounds) != POOLED
    assert any(share_an_account(plan.runs) for plan in plans), "two schedules on one account"


def share_an_account(runs: Sequence[RunPlan]) -> bool:
    """Tell whether two schedules read the purchases of one account, almost from the same moment on."""
    close = [run for run in runs if not run.is_quick and run.at < 1 and run.sync_type in ("purchases", "all")]
    return any(set(one.networks) & set(other.networks) for one, other in combinations(close, 2))


def test_a_seed_is_always_the_same_plan() -> None:
    plans = [draw(seed, number) for seed in range(1, 40) for number in range(1, 6)]
    assert plans == [draw(plan.seed, plan.number) for plan in plans]
    assert len({str(plan) for plan in plans}) == len(plans)
    happens = {event.what for plan in plans for event in plan.events}
    assert happens == {
        "fault", "connections dropped", "Postgres crashes", "pooler crashes", "upkeep settles", "clock moves"
    }  # fmt: skip
    fates = {plan.fate(1, "admitad", 0, 1) for plan in plans}
    assert any(fate.killed_after for fate in fates)
    assert any(fate.again_after for fate in fates)
    assert any(fate.asleep_after for fate in fates)
    assert any(fate.stalled_after for fate in fates)


def test_whatever_is_wrong_in_the_tables_is_named(running: Running) -> None:
    """The judge itself: each kind of damage, done by hand to tables that are right, is found."""
    settings, _ = settings_of(101)
    truth, days = Truth(settings), days_read(ADMITAD, FIRST, FIRST)
    with site.site(*running, settings) as here:
        sync(here)
        place = (ADMITAD, "purchases")
        rows = truth.rows(*place, here.sandbox.now, days)
        with here.connect() as connection:
            before = snapshot(connection)[place]
            assert differences(place, rows, before, all_gone=True) == []
            assert [*leftovers(here), *miscounts(connection)] == []
            first, second, third, fourth = sorted(rows)[:4]
            change = "INSERT INTO data_sync.purchase_changes (account, key, change, log_id)"
            for damage in (
                f"DELETE FROM data_sync.purchases WHERE key = '{first}'",
                f"UPDATE data_sync.purchases SET commission = commission + 0.01 WHERE key = '{second}'",
                f"UPDATE data_sync.purchases SET vanished_at = now() WHERE key = '{third}'",
                f"UPDATE data_sync.purchases SET raw = '{{}}' WHERE key = '{fourth}'",
                "UPDATE data_sync.sync_log_steps SET rows_inserted = 0",
                "UPDATE data_sync.sync_log_steps SET status = 'processing' WHERE unit_index = 1",
                f"{change} VALUES ('{ADMITAD}', '{first}', 'changed', 1)",
                f"{change} VALUES ('{ADMITAD}', '{second}', 'changed', 1)",
            ):
                connection.execute(damage)
            found = snapshot(connection)[place]
            named = "\n".join(
                [
                    *differences(place, rows, found, all_gone=True),
                    *leftovers(here),
                    *miscounts(connection),
                    *broken_histories(
                        connection, ADMITAD, since=0, before=before, after=found,
                        went_through=lambda key: [rows.get(key)],
                    ),
                ]
            )  # fmt: skip
    for problem in (
        f"{first}: the network has it, the table does not",
        f"{second}: the network says",
        f"{third}: marked as vanished, and the network has it",
        f"{fourth}: the network sends",
        "a step has not ended",
        "counts do not add up",
        "rows, while all logs together inserted",
        "rows changed by its history",
        f"{first}: the history names a row",
        f"{second}: a change begins at",
        f"{third}: its history ends at",
    ):
        assert problem in named


def sync(here: Site) -> None:
    """Sync one day of both networks, undisturbed."""
    run = RunPlan(1, NETWORKS, "all", FIRST, FIRST, 0.0, 7, is_quick=True)
    Drive(here, [run], [], lambda *place: Fate()).go()


def test_a_round_that_fails_says_how_to_see_it_again(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunPlan(1, ("admitad",), "purchases", FIRST, FIRST, 0.0, 7, is_quick=True)
    wrong = Event(0.0, "fault", {"network": "admitad", "kind": "wrong_credentials", "count": None})
    plan = replace(draw(101, 1), runs=(run,), events=(wrong,))
    monkeypatch.setattr("tests.torture.rounds.draw", lambda seed, number: plan)
    with pytest.raises(TortureError) as raised:
        play_on(running, seed=101, rounds=1)
    for said in ("make torture SEED=101 ROUNDS=1", "ended for good", "wrong_credentials", "quick sync 1"):
        assert said in str(raised.value)


@pytest.mark.prove
@pytest.mark.timeout(1_500)
def test_more_rounds_of_more_seeds(running: Running) -> None:
    met = {name for seed, rounds in LONG for name in play_on(running, seed, rounds)}
    assert TROUBLE - met == set()


@pytest.mark.prove
@pytest.mark.timeout(1_500)
def test_the_same_through_a_pooler_in_transaction_mode() -> None:
    """Debian's pgbouncer; where it is missing, this fails and names the package."""
    with servers(pooled=True) as pooled:
        seed, rounds = POOLED
        met = play_on(pooled, seed, rounds)
    assert "pooler crashes" in met


def test_a_missing_pgbouncer_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.torture.site.shutil.which", lambda name, path: None)
    with pytest.raises(RuntimeError, match="apt-get install pgbouncer"):
        Pooler(tmp_path, CrashingPostgres(tmp_path))
