"""Whatever a network's list looks like, every item is read once and the end is found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_clients.paging import (
    CursorPaging,
    NextLinkPaging,
    OffsetPaging,
    PageNumberPaging,
    PagingError,
    SinglePage,
)


def ask(items: list[int], paging: OffsetPaging, cap: int) -> list[int]:
    params = dict(paging.params())
    start = int(params["offset"])
    return items[start : start + min(int(params["limit"]), cap)]


@given(count=st.integers(0, 300), limit=st.integers(2, 50), cap=st.integers(2, 50), tells=st.booleans())
def test_offsets_read_every_item_once_and_in_order(count: int, limit: int, cap: int, tells: bool) -> None:
    items = list(range(count))
    if not tells:
        cap = limit  # without a total, a short page is the only sign of the end
    paging, seen, fresh, last = OffsetPaging(limit), [], 0, None
    while not paging.done:
        overlap = paging.overlap
        page = ask(items, paging, cap)
        if overlap and page:
            assert page[0] == last
        seen += page[overlap:]
        fresh += paging.take(len(page), count if tells else None)
        last = seen[-1] if seen else None
    assert seen == items
    assert fresh == count
    assert paging.cursor is None


@given(count=st.integers(0, 200), limit=st.integers(2, 50), stop=st.integers(1, 20))
def test_offsets_go_on_from_a_cursor_in_another_process(count: int, limit: int, stop: int) -> None:
    items = list(range(count))
    paging, seen, pages = OffsetPaging(limit), [], 0
    while not paging.done:
        overlap = paging.overlap
        page = ask(items, paging, limit)
        seen += page[overlap:]
        paging.take(len(page), count)
        pages += 1
        if pages == stop and paging.cursor is not None:
            paging = OffsetPaging(limit, position=int(str(paging.cursor["position"])))
    assert seen == items


def test_an_offset_list_that_shrinks_while_it_is_read_comes_to_an_end() -> None:
    paging = OffsetPaging(100)
    paging.take(100, 250)
    assert paging.take(0, 250) == 0
    assert paging.done


def test_page_numbers_trust_the_page_size_of_the_answer() -> None:
    paging = PageNumberPaging()
    paging.take(50, per_page=50, total=120)
    assert (paging.done, paging.page, paging.cursor) == (False, 2, {"page": 2})
    paging.take(50, per_page=50, total=120)
    paging.take(20, per_page=50, total=120)
    assert paging.done
    assert paging.cursor is None


def test_page_numbers_read_the_last_page_when_the_total_is_a_multiple() -> None:
    paging = PageNumberPaging()
    paging.take(50, per_page=50, total=100)
    assert not paging.done
    paging.take(50, per_page=50, total=100)
    assert paging.done


def test_page_numbers_end_at_the_last_page_that_the_network_names() -> None:
    paging = PageNumberPaging()
    paging.take(7, last_page=2)
    assert not paging.done
    paging.take(7, last_page=2)
    assert paging.done


def test_page_numbers_without_an_envelope_end_with_a_short_or_empty_page() -> None:
    short = PageNumberPaging()
    short.take(99, per_page=100)
    assert short.done
    full = PageNumberPaging()
    full.take(100, per_page=100)
    assert not full.done
    full.take(0, per_page=100)
    assert full.done


def test_an_empty_page_ends_page_numbers_whatever_the_total_says() -> None:
    paging = PageNumberPaging()
    paging.take(0, per_page=50, total=500)
    assert paging.done


def test_a_completeness_flag_decides_alone() -> None:
    paging = CursorPaging()
    paging.take(10_000, "3000000001", complete=False)
    assert (paging.done, paging.cursor) == (False, {"token": "3000000001"})
    paging.take(12, "3000000013", complete=True)
    assert paging.done
    assert paging.cursor is None


@pytest.mark.parametrize(("received", "token"), [(5, None), (5, ""), (5, "t1"), (0, "t2")])
def test_without_a_flag_a_token_list_ends_without_a_new_token_or_rows(
    received: int, token: str | None
) -> None:
    paging = CursorPaging(token="t1")
    paging.take(received, token)
    assert paging.done


@pytest.mark.parametrize("token", [None, "", "t1"])
def test_a_list_that_claims_to_go_on_nowhere_is_an_error(token: str | None) -> None:
    with pytest.raises(PagingError):
        CursorPaging(token="t1").take(5, token, complete=False)


@pytest.mark.parametrize(
    ("sent", "link"),
    [
        ("/Mediapartners/S/Actions?Page=2&PageSize=100", "/Mediapartners/S/Actions?Page=2&PageSize=100"),
        ("https://api.example/Mediapartners/S/Actions?Page=2", "/Mediapartners/S/Actions?Page=2"),
        ("https://api.example:443/Mediapartners/S/Actions?Page=2", "/Mediapartners/S/Actions?Page=2"),
        ("?Page=2", "/Mediapartners/S/Actions?Page=2"),
    ],
)
def test_next_links_are_followed_on_the_same_host(sent: str, link: str) -> None:
    paging = NextLinkPaging("https://api.example", "/Mediapartners/S/Actions")
    paging.take(sent)
    assert paging.cursor == {"link": link}
    paging.take("")
    assert paging.done
    assert paging.cursor is None


@pytest.mark.parametrize(
    "sent",
    [
        "https://elsewhere.example/Mediapartners/S/Actions?Page=2",
        "//elsewhere.example/x",
        "http://api.example/x",
        "https://api.example:8443/x",
        "https://api.example.evil.example/x",
        "https://api.example:port/x",
        "/Mediapartners/S/Actions",
    ],
)
def test_next_links_to_other_hosts_or_in_circles_are_refused(sent: str) -> None:
    with pytest.raises(PagingError):
        NextLinkPaging("https://api.example", "/Mediapartners/S/Actions").take(sent)


def test_a_list_in_one_answer_is_done_after_it() -> None:
    page = SinglePage()
    assert not page.done
    page.take()
    assert (page.done, page.cursor) == (True, None)
