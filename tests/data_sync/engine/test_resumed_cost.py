"""A read that is taken up by another process costs what is left of it, however much was read before."""

from __future__ import annotations

import pytest

from data_sync.database import Database
from data_sync.engine import seen
from data_sync.engine.seen import SeenNames
from tests.data_sync.engine.scripted import ScriptedClient, actions
from tests.data_sync.engine.tries import break_off, go_on
from tests.data_sync.kit import connect, counts


def looked_up(database: str) -> int:
    """Count the rows with remembered names that Postgres has handed out since the database was made."""
    with connect(database) as outside:
        row = outside.execute(
            "SELECT idx_tup_fetch + seq_tup_read AS n FROM pg_stat_user_tables "
            "WHERE relname = 'sync_step_pages'"
        ).fetchone()
    assert row is not None
    return int(row["n"])


def test_what_was_seen_before_is_fetched_once_and_not_for_each_page(db: Database, database: str) -> None:
    pages = 80
    client = ScriptedClient(actions(*range(2 * pages + 1)))
    break_off(db, client, pages // 2)
    db.close()
    before = looked_up(database)
    row = go_on(db, client)
    db.close()
    assert (row["resumed"], row["is_complete"]) == (True, True)
    assert counts(row) == {"read": 2 * pages + 1, "inserted": 2 * pages + 1}
    assert looked_up(database) - before < 5 * pages


def test_a_row_that_moved_to_a_later_page_is_noticed_by_whoever_goes_on(db: Database) -> None:
    client = ScriptedClient(actions(*range(13)))
    break_off(db, client, 3)
    # A row of the first page stands behind what is left; another one has gone, so that the total is the same.
    client.items = [*client.items[:11], client.items[1], client.items[12]]
    row = go_on(db, client)
    assert client.asked.count(0) > 1, "the list is read from its start again"
    assert row["is_complete"] is False


@pytest.mark.parametrize("number", [0, 1, -1])
def test_a_name_is_never_taken_for_new_whatever_its_hash(number: int) -> None:
    filled = SeenNames(lambda names: [number for _ in names])
    assert filled.suspects(["a"]) == []
    filled.add(["a"])
    assert filled.suspects(["a"]) == ["a"]


def test_more_names_than_there_is_room_for_are_all_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "_MOST", 1 << 17)
    names = [str(number) for number in range(80_000)]
    filled = SeenNames()
    filled.add(names[:75_000])
    assert filled.suspects(names) == names[:75_000]
    filled.add(names)
    assert filled.suspects(["never", *names]) == ["never", *names]
