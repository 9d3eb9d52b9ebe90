"""Reads that are broken off and taken up again, and lists that change just before one of their pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from data_sync.database import Database
from data_sync.runs.opening import open_run
from tests.data_sync.engine.scripted import ScriptedClient
from tests.data_sync.kit import claim, make_request, reader_of, step_row


class Broken(Exception):
    """The process is gone in the middle of a read."""


def break_off(db: Database, client: ScriptedClient, at: int) -> int:
    """Open a run, read its unit up to a page (0, 1, ...) that never comes; return the step's id."""

    def fail(number: int) -> None:
        if number == at:
            raise Broken

    client.before = fail
    open_run(db, make_request("r1"))
    step = claim(db, "r1")
    with pytest.raises(Broken):
        reader_of(db, step, client).run()
    client.before = lambda number: None
    client.asked.clear()
    return step.id


def go_on(db: Database, client: ScriptedClient) -> dict:
    """Run the same unit again, as a retry of its task does."""
    step = claim(db, "r1")
    reader_of(db, step, client).run()
    return step_row(db, step.id)


def at_page(wanted: int, change: Callable[[], object]) -> Callable[[int], None]:
    """Change the list just before one page is made, once."""

    def hook(number: int) -> None:
        if number == wanted:
            change()

    return hook


def page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each page stored before the next one is asked for."""
    monkeypatch.setattr("data_sync.engine.batch.MOST_ROWS", 1)
