"""The one connection of a task: what breaks it may pass by itself, and the next try has another one."""

from __future__ import annotations

import time

import psycopg
import pytest

from data_sync.database import Database
from data_sync.errors import DatabaseError


def backend(db: Database) -> int:
    """Which server process answers."""
    with db.transaction() as cursor:
        row = cursor.execute("SELECT pg_backend_pid() AS pid").fetchone()
    assert row is not None
    return int(row["pid"])


def run(db: Database, *statements: str, pause: float = 0.0) -> None:
    """Run statements in one transaction."""
    with db.transaction() as cursor:
        for statement in statements:
            cursor.execute(statement)
            time.sleep(pause)


def test_a_transaction_that_the_server_gives_up_costs_a_try_and_no_more(db: Database) -> None:
    first = backend(db)
    with pytest.raises(DatabaseError, match="was lost"):
        run(db, "SET LOCAL idle_in_transaction_session_timeout = '10ms'", "SELECT 1", pause=0.2)
    assert backend(db) != first


def test_a_server_that_has_become_a_standby_is_left(db: Database) -> None:
    first = backend(db)
    with pytest.raises(DatabaseError, match="read-only"):
        run(db, "SET TRANSACTION READ ONLY", "DELETE FROM data_sync.access_tokens")
    assert backend(db) != first


def test_an_answer_that_fits_no_question_is_trouble_of_the_connection(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = backend(db)
    with monkeypatch.context() as patch:
        # What psycopg says when a pooler sends the news of a lost server before the answer to BEGIN.
        error = psycopg.InternalError("received 2 results from command 'BEGIN'")
        patch.setattr(psycopg.Connection, "transaction", lambda self: (_ for _ in ()).throw(error))
        with pytest.raises(DatabaseError, match="received 2 results"):
            run(db)
    assert backend(db) != first


def test_a_mistake_of_ours_stays_one(db: Database) -> None:
    with db.transaction() as cursor, pytest.raises(psycopg.errors.UndefinedTable):
        cursor.execute("SELECT 1 FROM data_sync.nothing")
    first = backend(db)
    with pytest.raises(psycopg.errors.ActiveSqlTransaction):
        run(db, "SELECT 1", "VACUUM")
    assert backend(db) == first
