"""A unit that is delivered twice is read once and counted once, however close the two are."""

from __future__ import annotations

import pytest

from data_sync.database import Database
from data_sync.ledger import steps
from data_sync.ledger.steps import Step
from data_sync.runs.opening import open_run
from data_sync.schedules.planning import WorkUnit
from network_clients.interface import Credentials
from tests.data_sync.kit import Child, claim, connect, eventually, make_request, step_row, sync_unit


def unreachable(account: str) -> Credentials:
    """Nobody asks for credentials who has nothing to read."""
    raise AssertionError(account)


def take_while_another_ends(db: Database, database: str, step: Step, unit: WorkUnit) -> Child:
    """Start a second process for a unit at the moment when the first one is writing its end."""
    with db.transaction() as cursor:
        steps.finish_read(cursor, step, is_complete=True)
        second = Child(lambda: sync_unit(Database(), "r1", unit, unreachable))
        with connect(database) as watch:
            waits = (
                "SELECT 1 FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            eventually(lambda: watch.execute(waits).fetchone() or not second.is_running())
    return second


@pytest.fixture
def unit(db: Database) -> WorkUnit:
    """The one unit of a run, opened."""
    return WorkUnit.from_dict(open_run(db, make_request("r1")).units[0])


def test_a_second_delivery_waits_for_the_end_of_the_first_and_reads_nothing(
    db: Database, database: str, unit: WorkUnit
) -> None:
    step = claim(db, "r1", holder=steps.holder_name(4, "first"))
    with db.transaction() as cursor:
        steps.advance(cursor, step, steps.Progress(read=7, inserted=7), {})
    assert take_while_another_ends(db, database, step, unit).wait() == 0
    row = step_row(db, step.id)
    assert (row["status"], row["holder"], row["tries"]) == ("completed", "4/first", 1)
    assert (row["rows_read"], row["rows_inserted"]) == (7, 7)


def test_a_unit_that_somebody_has_cleared_is_taken_all_the_same(
    db: Database, database: str, unit: WorkUnit
) -> None:
    step = claim(db, "r1", holder=steps.holder_name(3, "before it was cleared"))
    assert take_while_another_ends(db, database, step, unit).wait() == 1
    assert step_row(db, step.id)["holder"].startswith(steps.holder_name(4, ""))
