"""Rows that are what they were: not translated, not written, and still counted, warned about and known."""

from __future__ import annotations

from typing import Any

import pytest

from data_sync.database import Database
from network_clients.interface import Credentials
from network_clients.records import Record, RejectedRow, SentRow
from network_clients.rows import RowReader
from tests.data_sync.engine.scripted import ScriptedClient, action, actions
from tests.data_sync.engine.tries import break_off, go_on
from tests.data_sync.kit import (
    changes,
    claim,
    counts,
    make_request,
    open_run,
    purchases,
    read,
    reader_of,
    rows,
    step_row,
)


@pytest.fixture
def translated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of rows in the order in which they are translated."""
    found: list[str] = []
    translate = RowReader.translate

    def watched(self: RowReader, row: SentRow) -> Record | RejectedRow:
        found.append(row.key)
        return translate(self, row)

    monkeypatch.setattr(RowReader, "translate", watched)
    return found


def test_only_new_and_changed_rows_are_translated(db: Database, translated: list[str]) -> None:
    listed = actions(1, 2, 3, 4)
    read(db, "r1", ScriptedClient(listed))
    assert sorted(translated) == ["1", "2", "3", "4"]
    translated.clear()
    listed[1] = action(2, status="approved")
    assert counts(read(db, "r2", ScriptedClient([*listed, action(5)]))) == {
        "read": 5,
        "inserted": 1,
        "updated": 1,
        "unchanged": 3,
    }
    assert sorted(translated) == ["2", "5"]


def stamps(db: Database) -> list[dict[str, Any]]:
    return rows(db, "SELECT key, updated_at, read_at, log_id FROM data_sync.purchases ORDER BY key")


def test_another_setting_has_rows_compared_once_and_changes_none(db: Database, translated: list[str]) -> None:
    read(db, "r1", ScriptedClient(actions(1, 2)))
    before = stamps(db)
    for run, wanted in (("r2", 4), ("r3", 4)):
        client = ScriptedClient(actions(1, 2))
        client.credentials = Credentials("admitad_default", {"password": "another"})
        assert counts(read(db, run, client)) == {"read": 2, "unchanged": 2}
        assert len(translated) == wanted
    assert stamps(db) == before
    assert changes(db) == []


def test_a_row_sent_in_another_form_is_what_it_was(db: Database) -> None:
    read(db, "r1", ScriptedClient([b'{"action_id": 1, "action_date": "2026-03-02", "status": "pending"}']))
    before = stamps(db)
    again = b'{"status":"pending","action_id":1,\n"action_date":"2026-03-02"}'
    assert counts(read(db, "r2", ScriptedClient([again]))) == {"read": 1, "unchanged": 1}
    assert stamps(db) == before


def test_an_unknown_word_is_warned_about_as_long_as_it_is_there(db: Database) -> None:
    listed = [action(1, status="on the moon"), action(2)]
    for run in ("r1", "r2"):
        (warning,) = read(db, run, ScriptedClient(listed))["warnings"]
        assert "'on the moon'" in warning


def test_a_bad_row_between_unchanged_ones_is_set_aside_each_time(db: Database) -> None:
    listed = [action(1), action(2, currency=None), action(3)]
    read(db, "r1", ScriptedClient(listed))
    assert counts(read(db, "r2", ScriptedClient(listed))) == {"read": 3, "unchanged": 2, "rejected": 1}
    assert rows(db, "SELECT times FROM data_sync.rejected_records") == [{"times": 2}]


def test_a_row_that_becomes_unreadable_stays_as_it_was(db: Database) -> None:
    read(db, "r1", ScriptedClient([action(1)]))
    row = read(db, "r2", ScriptedClient([action(1, cart="a lot")]))
    assert counts(row) == {"read": 1, "rejected": 1}
    assert [(found["key"], found["sale_amount"], found["gone"]) for found in purchases(db)] == [
        ("1", 100, False)
    ]


def test_a_crash_of_the_server_forgets_what_was_seen_and_the_read_begins_again(db: Database) -> None:
    client = ScriptedClient(actions(*range(10, 20)), size=4)
    break_off(db, client, at=2)
    assert rows(
        db, "SELECT relpersistence::text AS kind FROM pg_class WHERE relname = 'sync_step_pages'"
    ) == [{"kind": "u"}]
    with db.transaction() as cursor:
        # What Postgres does to an unlogged table when it recovers.
        cursor.execute("TRUNCATE data_sync.sync_step_pages")
    row = go_on(db, client)
    assert client.asked == [0, 4, 7]
    assert counts(row) == {"read": 10, "inserted": 10}


def test_names_that_are_gone_at_the_end_prove_nothing(db: Database) -> None:
    read(db, "r1", ScriptedClient(actions(1, 2, 3)))
    client = ScriptedClient(actions(1, 2))
    open_run(db, make_request("r2"))
    step = claim(db, "r2")
    reader = reader_of(db, step, client)
    close = reader._close_slice

    def crash_first(part: Any) -> None:
        with db.transaction() as cursor:
            cursor.execute("TRUNCATE data_sync.sync_step_pages")
        close(part)

    reader._close_slice = crash_first  # type: ignore[method-assign]
    reader.run()
    assert "vanished" not in counts(step_row(db, step.id))
    assert not any(found["gone"] for found in purchases(db))
