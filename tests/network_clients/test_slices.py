"""Each day of a unit is asked for once, in requests that its network takes, and earlier days come last."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from network_clients.facts import Filter
from network_clients.interface import Credentials, ReadRequest, Slice
from network_clients.limits import NoLimiter
from network_clients.records import Kind
from network_clients.registry import get_client_class
from network_clients.tokens import MemoryTokenStore

ACCOUNTS = {
    "admitad": {"login": "id", "password": "secret"},
    "boostiny": {"password": "secret", "link_traffic": "no"},
}
DAY = timedelta(days=1)


def slices(network: str, request: ReadRequest, **values: str) -> list[Slice]:
    account = Credentials(f"{network}_default", ACCOUNTS[network] | values)
    client = get_client_class(network)(account, NoLimiter(), MemoryTokenStore())
    return list(client.slices(request))


def days_of(parts: list[Slice]) -> list[date]:
    found = []
    for part in parts:
        assert part.start is not None
        assert part.end is not None
        found += [part.start + number * DAY for number in range((part.end - part.start).days + 1)]
    return found


@given(
    start=st.dates(date(2024, 1, 1), date(2028, 1, 1)),
    length=st.integers(1, 60),
    gaps=st.lists(st.integers(1, 4), max_size=60),
    longest=st.integers(1, 31),
)
def test_every_day_is_in_one_slice_and_earlier_days_come_last(
    start: date, length: int, gaps: list[int], longest: int
) -> None:
    earlier: list[date] = []
    for gap in gaps:
        earlier.insert(0, (earlier[0] if earlier else start) - gap * DAY)
    own = [start + number * DAY for number in range(length)]
    request = ReadRequest(Kind.PURCHASES, own[0], own[-1], Filter.OCCURRED, tuple(earlier))
    parts = slices("boostiny", request, window_days=str(longest))
    assert days_of(parts) == own + earlier
    assert len({part.key for part in parts}) == len(parts)
    assert max(len(days_of([part])) for part in parts) <= longest
    for one, other in pairwise(parts):
        # Days that follow each other are asked for together as far as that goes.
        follows = one.end is not None and other.start == one.end + DAY and other.start != start
        assert not follows or len(days_of([one])) == longest


def test_a_network_without_a_longest_window_is_asked_for_all_days_at_once() -> None:
    (part,) = slices("admitad", ReadRequest(Kind.PURCHASES, date(2026, 1, 1), date(2026, 3, 31)))
    assert (part.key, part.traffic) == ("occurred:2026-01-01..2026-03-31", None)


def test_a_snapshot_is_one_list() -> None:
    for network in ACCOUNTS:
        (part,) = slices(network, ReadRequest(Kind.CAMPAIGNS))
        assert (part.start, part.end) == (None, None)
