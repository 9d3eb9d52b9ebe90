"""Pages that travel while others are stored: their order, their bound, and what trouble leaves behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from data_sync.database import Database
from data_sync.engine.feed import Feed
from data_sync.runs.opening import open_run
from network_clients.records import Page
from tests.data_sync.engine.scripted import ScriptedClient, action, actions
from tests.data_sync.engine.tries import Broken, at_page
from tests.data_sync.kit import claim, counts, eventually, make_request, purchases, read, reader_of, step_row


class AheadClient(ScriptedClient):
    pages_ahead = 2


def page(number: int, *, last: bool = False) -> Page:
    return Page(records=(), counted=number, cursor=None if last else {"page": number + 1})


class Pages:
    """A list of five pages that knows how many were asked for."""

    def __init__(self, *, broken_at: int | None = None) -> None:
        self.asked = 0
        self.broken_at = broken_at
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __iter__(self) -> Iterator[Page]:
        for number in range(5):
            self.asked += 1
            self.may_go_on.wait(30)
            if number == self.broken_at:
                raise Broken
            yield page(number, last=number == 4)


@pytest.mark.parametrize("ahead", [0, 1, 2])
def test_pages_come_in_order_and_no_more_are_asked_for_than_may_lie_ready(ahead: int) -> None:
    pages, found = Pages(), []
    with Feed(iter(pages), ahead) as feed:
        while (taken := feed.take()) is not None:
            found.append(taken[0].counted)
            # Those that lie ready, and the one that waits for its place among them.
            assert pages.asked <= len(found) + ahead + (ahead > 0)
            if taken[0].cursor is None:
                break
    assert found == [0, 1, 2, 3, 4]


def test_what_came_before_the_trouble_is_handed_out_first() -> None:
    with Feed(iter(Pages(broken_at=2)), 2) as feed:
        taken = [feed.take(), feed.take()]
        assert [one[0].counted for one in taken if one] == [0, 1]
        with pytest.raises(Broken):
            feed.take()


def test_who_leaves_waits_for_the_answer_that_is_under_way_and_nothing_is_asked_after_it() -> None:
    pages = Pages()
    with Feed(iter(pages), 1) as feed:
        feed.take()
        pages.may_go_on.clear()
        eventually(lambda: pages.asked >= 2)
        threading.Timer(0.3, pages.may_go_on.set).start()
        asked = pages.asked
    left = pages.asked
    assert left <= asked + 1
    time.sleep(0.1)
    assert pages.asked == left


def test_a_list_is_stored_as_if_each_page_had_been_waited_for(db: Database) -> None:
    row = read(db, "r1", AheadClient(actions(*range(10, 40)), size=4))
    assert counts(row) == {"read": 30, "inserted": 30}
    assert row["is_complete"]
    assert counts(read(db, "r2", AheadClient(actions(*range(10, 40)), size=4))) == {
        "read": 30,
        "unchanged": 30,
    }


def test_a_list_that_moves_while_pages_are_ahead_is_read_whole(db: Database) -> None:
    listed = actions(*range(10, 40))
    client = AheadClient(listed, size=4, before=at_page(4, lambda: listed.insert(1, action(1))))
    row = read(db, "r1", client)
    assert row["is_complete"]
    assert {found["key"] for found in purchases(db)} == {str(item["action_id"]) for item in listed}
    assert counts(row) == {"read": 31, "inserted": 31}


def test_pages_before_a_failure_are_stored_and_the_read_goes_on_behind_them(db: Database) -> None:
    def fail(number: int) -> None:
        if number == 3:
            raise Broken

    client = AheadClient(actions(*range(10, 30)), size=5, before=fail)
    open_run(db, make_request("r1"))
    with pytest.raises(Broken):
        reader_of(db, claim(db, "r1"), client).run()
    assert len(purchases(db)) == 13
    client.before = lambda number: None
    client.asked.clear()
    step = claim(db, "r1")
    reader_of(db, step, client).run()
    assert client.asked[0] == 9, "the last stored page is asked for again"
    assert counts(step_row(db, step.id)) == {"read": 20, "inserted": 20}
