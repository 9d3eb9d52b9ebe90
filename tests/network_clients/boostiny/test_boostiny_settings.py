"""The fields of a Boostiny account: what each of them does, and what a wrong value is answered with."""

from __future__ import annotations

import pytest

from network_clients.boostiny.facts import FACTS
from network_clients.errors import NotConfiguredError
from network_clients.facts import Limit
from tests.network_clients.boostiny.account import PURCHASES, MakeClient, listing, read
from tests.network_clients.nobody import WatchedLimiter
from tests.network_clients.wire import Wire


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("password", " ", "has no API key"),
        ("password", "Bearer abc-123", "no word Bearer"),
        ("password", "kéy", "Copy the key alone"),
        ("password", "key\nkey", "Copy the key alone"),
        ("currency", "dollars", "'dollars' of Currency of the commission.*such as USD"),
        ("timezone", "Mars/Base", "Mars/Base"),
        ("link_traffic", "maybe", "'maybe' of Link traffic.*Choose one of: yes, no"),
        ("window_days", "0", "whole number from 1 to 31"),
        ("window_days", "1.5", "whole number from 1 to 31"),
        ("window_days", "90", "whole number from 1 to 31"),
        ("reread_months", "two", "'two' of Months to read again.*number from 0 to 24, or off"),
        ("reread_months", "-1", "number from 0 to 24, or off"),
        ("reread_months", "25", "number from 0 to 24, or off"),
        ("pace_seconds", "0", "number of seconds above 0"),
        ("pace_seconds", "-6", "number of seconds above 0"),
        ("pace_seconds", "nan", "number of seconds above 0"),
        ("pace_seconds", "inf", "number of seconds above 0"),
        ("pace_seconds", "2,5", "'2,5' of Seconds between two requests"),
        ("host", "http://api.boostiny.com", "API address"),
    ],
)
def test_a_value_that_cannot_be_used_is_answered_with_what_to_write(
    make_client: MakeClient, field: str, value: str, text: str
) -> None:
    with pytest.raises(NotConfiguredError, match=text) as caught:
        make_client(**{field: value})
    assert "boostiny_default" in caught.value.user_message
    if field == "password" and value.strip():
        assert value not in caught.value.user_message


@pytest.mark.parametrize(
    ("value", "months"), [("", 2), ("0", 0), ("1", 1), ("24", 24), ("off", None), ("OFF", None)]
)
def test_how_far_back_is_read_again(make_client: MakeClient, value: str, months: int | None) -> None:
    assert make_client(reread_months=value).reread_months == months


@pytest.mark.parametrize(("value", "seconds"), [("", 6), ("10", 10), ("2.5", 2.5), (" 7 ", 7)])
def test_the_pace_is_the_accounts(
    wire: Wire, make_client: MakeClient, limiter: WatchedLimiter, value: str, seconds: float
) -> None:
    paced: list[Limit] = []
    claim = limiter.claim
    limiter.claim = lambda identity, limit: (paced.append(limit), claim(identity, limit))[1]  # type: ignore[method-assign]
    wire.script(listing())
    read(make_client(pace_seconds=value), PURCHASES)
    (limit,) = paced
    assert (limit.interval, limit.max_in_flight) == (seconds, 1)


def test_all_lists_count_against_one_limit_of_the_key(
    wire: Wire, make_client: MakeClient, limiter: WatchedLimiter
) -> None:
    wire.script(listing())
    make_client(link_traffic="yes").check()
    make_client(password="another-key").check()
    first, other = dict.fromkeys(limiter.claims)
    assert limiter.claims == [first] * 3 + [other] * 2
    assert "key" not in first + other, "of a secret, an identity holds a digest"
    assert (FACTS.max_parallel, len(FACTS.limits)) == (1, 1)
