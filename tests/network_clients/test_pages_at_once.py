"""Several pages of one list on their way at once: the same pages, in the same order."""

from __future__ import annotations

import threading
from zoneinfo import ZoneInfo

import msgspec
import pytest

from network_clients.lists import Params, read_by_offset
from network_clients.records import Campaign, Page
from network_clients.row import Row
from network_clients.rows import RowReader

READER = RowReader(lambda row: to_campaign(row), ZoneInfo("UTC"))


def to_campaign(row: Row) -> Campaign:
    return Campaign(key=row.key("id"), name="n", raw=row.raw)


class Catalogue:
    """A list of a hundred rows, pages of which come when all that are wanted at once are asked for.

    :param cap: the most rows that a page holds, whatever is asked for.
    :param together: how many questions must be under way before one is answered.
    """

    def __init__(self, *, cap: int = 1000, together: int = 1, broken_at: int | None = None) -> None:
        self.cap = cap
        self.broken_at = broken_at
        self.asked: list[int] = []
        self.gate = threading.Barrier(together) if together > 1 else None

    def ask(self, place: Params) -> tuple[list[msgspec.Raw], int]:
        start, limit = (int(dict(place)[name]) for name in ("offset", "limit"))
        self.asked.append(start)
        if self.gate is not None and start:
            self.gate.wait(30)
        if start == self.broken_at:
            raise ConnectionError
        rows = [msgspec.Raw(b'{"id":%d}' % number) for number in range(100)]
        return rows[start : start + min(limit, self.cap)], 100

    def read(self, at_once: int) -> list[Page]:
        pages = read_by_offset(self.ask, READER, limit=11, cursor={}, at_once=at_once)
        return [msgspec.structs.replace(page.translated(), asked=None) for page in pages]


@pytest.mark.parametrize("cap", [1000, 7, 2])
def test_the_pages_are_the_same_however_many_travel_at_once(cap: int) -> None:
    one_by_one = Catalogue(cap=cap)
    expected = one_by_one.read(1)
    for at_once in (2, 4, 8):
        catalogue = Catalogue(cap=cap)
        assert catalogue.read(at_once) == expected
        assert sorted(catalogue.asked) == one_by_one.asked, "no page is asked for in vain"


def test_pages_travel_together() -> None:
    # Nine pages follow the first: each waits until three are under way.
    assert len(Catalogue(together=3).read(3)) == 10


def test_a_failure_comes_behind_the_pages_before_it() -> None:
    pages = read_by_offset(Catalogue(broken_at=30).ask, READER, limit=11, cursor={}, at_once=4)
    assert [next(pages).counted for _ in range(3)] == [11, 10, 10]
    with pytest.raises(ConnectionError):
        next(pages)


def test_each_page_knows_a_moment_before_it_was_asked_for() -> None:
    pages = [*read_by_offset(Catalogue().ask, READER, limit=11, cursor={}, at_once=4)]
    moments = [page.asked or 0.0 for page in pages]
    assert moments[0] < moments[1]
    assert all(moments)
