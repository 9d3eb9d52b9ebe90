"""What a read proves after settings of the account changed that decide which rows it finds."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from data_sync.database import Database
from network_clients.records import Kind
from tests.data_sync.engine.scripted import ScriptedClient, action, actions
from tests.data_sync.engine.tries import at_page, page_by_page
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
)

EVERYTHING_ELSE = (
    "key, status, sale_amount, digest, first_seen_at, updated_at, read_at, vanished_at, raw::text"
)


def sync(db: Database, run_id: str, *numbers: int, **words: Any) -> dict[str, Any]:
    """Read a list of these actions to its end; ``scope`` tells the settings."""
    return read(db, run_id, ScriptedClient(actions(*numbers)), **words)


def logs(db: Database) -> dict[str, int]:
    """To which log each row belongs."""
    return {row["key"]: row["log_id"] for row in purchases(db, "key, log_id")}


def gone(db: Database) -> list[str]:
    return [row["key"] for row in purchases(db) if row["gone"]]


def test_unchanged_rows_that_a_read_finds_under_new_settings_can_vanish_under_them(db: Database) -> None:
    first = sync(db, "r1", 1, 2, 3)["log_id"]
    before = purchases(db, EVERYTHING_ELSE)
    second = sync(db, "r2", 1, 2, scope="new")
    assert counts(second) == {"read": 2, "unchanged": 2}
    assert logs(db) == {"1": second["log_id"], "2": second["log_id"], "3": first}
    assert purchases(db, EVERYTHING_ELSE) == before
    assert counts(sync(db, "r3", 1, scope="new")) == {"read": 1, "unchanged": 1, "vanished": 1}
    assert gone(db) == ["2"], "the third row was never found under the new settings"
    assert changes(db) == [("2", "vanished", "pending", "pending")]


def test_each_row_is_taken_over_once(db: Database) -> None:
    sync(db, "r1", 1, 2, 3)
    sync(db, "r2", 1, 2, 3, scope="new")
    before = rows(db, "SELECT xmin::text, * FROM data_sync.purchases ORDER BY key")
    assert counts(sync(db, "r3", 1, 2, 3, scope="new")) == {"read": 3, "unchanged": 3}
    assert rows(db, "SELECT xmin::text, * FROM data_sync.purchases ORDER BY key") == before


def test_settings_that_are_changed_back_judge_what_they_find_again(db: Database) -> None:
    sync(db, "r1", 1, 2, 3)
    sync(db, "r2", 1, 2, scope="new")
    assert counts(sync(db, "r3", 1)) == {"read": 1, "unchanged": 1, "vanished": 1}
    assert gone(db) == ["3"]
    assert counts(sync(db, "r4"))["vanished"] == 1
    assert gone(db) == ["1", "3"], "the second row was last seen under the other settings"


def test_rows_of_a_log_whose_settings_changed_between_two_tries_are_judged_again(db: Database) -> None:
    sync(db, "r1", 1, 2)
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_logs SET scope = 'mixed'")
    sync(db, "r2", 1, 2)
    assert counts(sync(db, "r3", 1))["vanished"] == 1


@pytest.mark.parametrize("trouble", ["capped", "moving", "resumed", "nameless"])
def test_a_read_that_proves_nothing_takes_nothing_over(db: Database, trouble: str) -> None:
    sync(db, "r1", *range(1, 8))
    before = logs(db)
    listed = actions(*range(1, 8))
    client = ScriptedClient(listed, capped=trouble == "capped")
    if trouble == "moving":
        client.before = lambda number: listed.insert(0, listed.pop())
    if trouble == "nameless":
        listed.append(action(None))
    if trouble == "resumed":
        open_run(db, make_request("r2"))
        client.before = at_page(1, lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            reader_of(db, claim(db, "r2"), client, scope="new").run()
        client.before = lambda number: None
        reader_of(db, claim(db, "r2"), client, scope="new").run()
    else:
        read(db, "r2", client, scope="new")
    assert logs(db) == before


def test_a_row_that_another_log_has_written_meanwhile_stays_its_own(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_by_page(monkeypatch)
    sync(db, "r1", 1, 2, 3, 4)
    found: list[dict] = []

    def meanwhile() -> None:
        # By the time of change, which says nothing about whole days.
        newer = ScriptedClient([action(1, status="approved")])
        found.append(read(db, "r3", newer, scope="other", by="changed"))

    row = read(db, "r2", ScriptedClient(actions(1, 2, 3, 4), before=at_page(1, meanwhile)), scope="new")
    assert logs(db) == {"1": found[0]["log_id"]} | dict.fromkeys("234", row["log_id"])
    assert counts(row) == {"read": 4, "unchanged": 4}


def test_an_older_read_takes_nothing_over_from_a_newer_one(db: Database) -> None:
    sync(db, "r1", 1)
    found: list[dict] = []
    client = ScriptedClient(actions(1), before=lambda number: found.append(sync(db, "r3", 1, scope="new")))
    read(db, "r2", client)
    assert logs(db) == {"1": found[0]["log_id"]}


def test_catalogues_are_taken_over_too(db: Database) -> None:
    whole: dict[str, Any] = {"kind": Kind.CAMPAIGNS, "start": None, "end": None}
    listed = [{"id": number, "name": f"C{number}", "status": "active"} for number in range(5)]
    read(db, "r1", ScriptedClient(listed), **whole)
    second = read(db, "r2", ScriptedClient(listed[:4]), scope="new", **whole)
    assert counts(second) == {"read": 4, "unchanged": 4}
    owners = rows(db, "SELECT log_id FROM data_sync.campaigns ORDER BY key")
    assert [row["log_id"] == second["log_id"] for row in owners] == [True] * 4 + [False]
    assert counts(read(db, "r3", ScriptedClient(listed[:3]), scope="new", **whole))["vanished"] == 1


def test_as_long_as_the_settings_stay_the_same_nothing_looks_for_rows_to_take_over(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    execute = psycopg.Cursor.execute

    def listen(self: Any, statement: Any, *rest: Any, **more: Any) -> Any:
        asked.append(str(statement))
        return execute(self, statement, *rest, **more)

    monkeypatch.setattr(psycopg.Cursor, "execute", listen)
    sync(db, "r1", 1, 2)
    sync(db, "r2", 1, 2)
    judged = [statement for statement in asked if "judged" in statement]
    assert len(judged) == 2
    assert not [statement for statement in judged if "scope <>" in statement]
    sync(db, "r3", 1, 2, scope="new")
    assert "scope <>" in [statement for statement in asked if "judged" in statement][-1]
