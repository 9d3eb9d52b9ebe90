"""Rows are found by their key, also of an account that Postgres's statistics have never heard of."""

from __future__ import annotations

from typing import Any

import pytest

from data_sync.database import Database
from tests.data_sync.engine.scripted import ScriptedClient, actions
from tests.data_sync.kit import counts, read, rows

ROWS = 2_000


@pytest.fixture
def unheard_of(db: Database) -> Database:
    """An account that was loaded a moment ago, beside one that was there when the table was last analyzed."""
    with db.transaction() as cursor:
        cursor.execute("ALTER TABLE data_sync.purchases SET (autovacuum_enabled = off)")
    read(db, "r1", ScriptedClient(actions(*range(ROWS)), size=500))
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.purchases SET account = 'admitad_other'")
        cursor.execute("ANALYZE data_sync.purchases")
    read(db, "r2", ScriptedClient(actions(*range(ROWS)), size=500))
    return db


def touched(db: Database) -> int:
    """How many rows and entries of indexes of purchases were looked at so far."""
    # A connection tells at its end what it has done.
    db.close()
    (found,) = rows(
        db,
        "SELECT t.seq_tup_read + sum(i.idx_tup_read + i.idx_tup_fetch) AS found FROM pg_stat_user_tables t "
        "JOIN pg_stat_user_indexes i USING (relid) WHERE t.relname = 'purchases' GROUP BY t.seq_tup_read",
    )
    return int(found["found"])


@pytest.mark.parametrize(("changed", "what"), [({}, "unchanged"), ({"payment": "8.00"}, "updated")])
def test_a_sync_looks_at_each_row_a_few_times(
    unheard_of: Database, changed: dict[str, Any], what: str
) -> None:
    before = touched(unheard_of)
    step = read(unheard_of, "r3", ScriptedClient(actions(*range(ROWS), **changed), size=500))
    assert counts(step) == {"read": ROWS, what: ROWS}
    # By the account alone it would be each row for each row: four million times.
    assert touched(unheard_of) - before < 50 * ROWS
