"""What every registered client has to keep, against its network in the sandbox, over real HTTP.

A network joins with a ``Harness`` in ``tests/network_clients/<slug>/harness.py``; nothing here names one.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal

import msgspec
import pytest

from network_clients.errors import (
    CredentialsRejectedError,
    NetworkUnavailableError,
    RateLimitedError,
    ScopeMissingError,
    WaitTooLongError,
)
from network_clients.facts import Filter, Limit, Order
from network_clients.interface import ReadRequest
from network_clients.limits import LocalLimiter, NoLimiter
from network_clients.records import Grain, Kind, Status
from tests.network_clients.bench import (
    FIRST,
    LAST,
    NOW,
    QUICK,
    Bench,
    keys,
    lists_of,
    only_if,
    pages_of,
    purchases,
    read,
)
from tests.network_clients.exposure import shown


class NetworkContract:
    """The promises. Each test gets a ``bench`` with a clean sandbox."""

    @only_if(lambda harness, kind: kind in harness.facts.kinds)
    @pytest.mark.parametrize("kind", list(Kind))
    def test_pages_reach_the_end_and_their_counts_agree(self, bench: Bench, kind: Kind) -> None:
        totals = bench.totals() | {Kind.PURCHASES.value: bench.totals()["count"]}
        lists = [list(pages) for pages in lists_of(bench.client(), kind)]
        pages = [page for found in lists for page in found]
        assert len(keys(pages)) == totals[kind.value]
        listed = totals[bench.harness.inside.get(kind, kind).value]
        assert sum(page.counted for page in pages) == listed
        assert not any(page.rejected or page.capped for page in pages)
        for found in lists:
            assert {page.total for page in found} <= {sum(page.counted for page in found), None}
            assert [page.cursor is None for page in found] == [False] * (len(found) - 1) + [True]

    def test_money_and_statuses_are_the_networks_own_to_the_cent(self, bench: Bench) -> None:
        facts = bench.harness.facts
        words: dict[str, Status | None] = {**facts.status_words, "paid": Status.PAID}
        if not facts.reports_status:
            words = {"not reported": None}
        expected: Counter[tuple[Status | None, str, str]] = Counter()
        for word, currencies in bench.totals()["statuses"].items():
            for currency, sums in currencies.items():
                expected[words[word], currency, "commission"] += Decimal(sums["payment"])
                expected[words[word], currency, "sale"] += Decimal(sums["cart"])
        found: Counter[tuple[Status | None, str, str]] = Counter()
        for purchase in purchases(read(bench.client(), Kind.PURCHASES)):
            assert (purchase.status is None) is not facts.reports_status
            assert purchase.commission is not None
            for name, money in (("commission", purchase.commission), ("sale", purchase.sale)):
                if money is not None:
                    found[purchase.status, money.currency, name] += money.amount
        assert found == expected
        assert len({status for status, *_ in found}) >= (3 if facts.reports_status else 1)

    def test_every_row_keeps_what_the_network_sent_as_json(self, bench: Bench) -> None:
        for kind in bench.harness.facts.kinds:
            for record in next(pages_of(bench.client(), kind)).records:
                sent = msgspec.json.decode(record.raw)
                assert isinstance(sent, dict)
                separator = bench.harness.key_separator
                parts = record.key.split(separator) if separator else [record.key]
                assert {part for part in parts if part} <= set(map(str, sent.values()))

    def test_days_and_times_are_in_the_networks_zone(self, bench: Bench) -> None:
        client = bench.client()
        for purchase in purchases(read(client, Kind.PURCHASES)):
            assert FIRST <= purchase.day <= LAST
            if purchase.occurred_at is not None:
                assert purchase.occurred_at.utcoffset() is not None
                assert purchase.occurred_at.astimezone(client.zone).date() == purchase.day

    @only_if(lambda harness: any(field.name == "timezone" for field in harness.facts.fields))
    def test_another_zone_moves_the_times_and_not_the_days(self, bench: Bench) -> None:
        ours = purchases(read(bench.client(), Kind.PURCHASES))
        theirs = purchases(read(bench.client(timezone="Asia/Dubai"), Kind.PURCHASES))
        assert [purchase.day for purchase in ours] == [purchase.day for purchase in theirs]
        # A sum of several orders has no moment.
        orders = ours[0].grain is Grain.ORDER
        assert (ours[0].occurred_at != theirs[0].occurred_at) is orders

    def test_a_read_goes_on_from_every_cursor_with_the_same_rows(self, bench: Bench) -> None:
        client = bench.client()
        (part, *_) = client.slices(ReadRequest(Kind.PURCHASES, FIRST, LAST))
        pages = [page.translated() for page in client.pages(Kind.PURCHASES, part)]
        assert len(pages) >= 3
        for number, page in enumerate(pages[:-1], 1):
            stored = msgspec.json.decode(msgspec.json.encode(page.cursor))
            again = bench.client().pages(Kind.PURCHASES, part, stored)
            assert [page.translated() for page in again] == pages[number:]

    @only_if(lambda harness: Filter.CHANGED in harness.facts.kinds[Kind.PURCHASES].filters)
    def test_a_changed_since_read_finds_rows_of_earlier_days(self, bench: Bench) -> None:
        client = bench.client()
        found = purchases(read(client, Kind.PURCHASES, Filter.CHANGED))
        assert any(purchase.day < FIRST for purchase in found)
        for purchase in found:
            assert purchase.changed_at is not None
            assert FIRST <= purchase.changed_at.astimezone(client.zone).date() <= LAST

    @only_if(lambda harness: harness.facts.kinds[Kind.PURCHASES].order is Order.SHIFTING)
    def test_rows_that_move_under_a_reader_show(self, bench: Bench) -> None:
        client = bench.client()
        client.pages_at_once = 1  # type: ignore[misc]
        (part, *_) = client.slices(ReadRequest(Kind.PURCHASES, FIRST, NOW.date()))
        pages = client.pages(Kind.PURCHASES, part)
        first = next(pages)
        bench.advance(3 * 86_400)
        second = next(pages)
        moved = second.total != first.total
        if second.overlap:
            moved |= second.first_item != first.last_item
        else:
            assert first.version
            moved |= second.version != first.version
        assert moved

    @pytest.mark.parametrize("form", ["rate_limited", "too_many_requests"])
    @pytest.mark.parametrize("hint", [1, 0, None])
    def test_too_many_requests_are_waited_out(self, bench: Bench, form: str, hint: int | None) -> None:
        gates: list[float] = []

        class Watching(NoLimiter):
            def close_gate(self, identity: str, limit: Limit, seconds: float, reason: str) -> None:
                gates.append(seconds)

        bench.fault(form, Kind.PURCHASES, after=1, count=1, retry_after=hint)
        pages = read(bench.client(Watching()), Kind.PURCHASES)
        assert len(keys(pages)) == bench.totals()["count"]
        stated = bench.harness.stated_wait if form == "rate_limited" else None
        assert gates == [hint or stated or QUICK.first_gate]

    def test_a_long_lockout_is_handed_over_instead_of_slept(self, bench: Bench) -> None:
        bench.fault("rate_limited", Kind.PURCHASES, count=None, retry_after=3600)
        with pytest.raises(WaitTooLongError):
            read(bench.client(LocalLimiter(sleep=lambda seconds: None)), Kind.PURCHASES)

    def test_a_network_that_refuses_for_ever_is_rate_limited(self, bench: Bench) -> None:
        bench.fault("rate_limited", Kind.PURCHASES, count=None)
        with pytest.raises(RateLimitedError):
            read(bench.client(), Kind.PURCHASES)

    @pytest.mark.parametrize("trouble", ["server_error", "drop", "truncated"])
    def test_trouble_in_the_middle_of_a_list_loses_no_row(self, bench: Bench, trouble: str) -> None:
        bench.fault(trouble, Kind.PURCHASES, after=1, count=2)
        pages = read(bench.client(), Kind.PURCHASES)
        assert len(keys(pages)) == bench.totals()["count"]

    @pytest.mark.parametrize("trouble", ["server_error", "drop", "truncated"])
    def test_lasting_trouble_is_unavailable_and_worth_another_try(self, bench: Bench, trouble: str) -> None:
        bench.fault(trouble, Kind.PURCHASES, count=None)
        with pytest.raises(NetworkUnavailableError) as caught:
            read(bench.client(), Kind.PURCHASES)
        assert caught.value.is_retryable

    def test_silence_is_unavailable(self, bench: Bench) -> None:
        bench.fault("hold", Kind.PURCHASES, count=None, seconds=60)
        with pytest.raises(NetworkUnavailableError):
            read(bench.client(patience=replace(QUICK, read_timeout=0.3, tries=1)), Kind.PURCHASES)

    @only_if(lambda harness: harness.has_tokens)
    def test_an_expired_token_is_renewed_in_the_middle_of_a_list(self, bench: Bench) -> None:
        bench.fault("expired_tokens", Kind.PURCHASES, after=1)
        pages = read(bench.client(), Kind.PURCHASES)
        assert len(keys(pages)) == bench.totals()["count"]

    def test_wrong_credentials_fail_at_once_and_say_where_to_mend_them(self, bench: Bench) -> None:
        secret = next(field.name for field in bench.harness.facts.fields if field.secret)
        client = bench.client(**{secret: "not-the-right-one"})
        with pytest.raises(CredentialsRejectedError) as caught:
            read(client, Kind.PURCHASES)
        assert not caught.value.is_retryable
        assert f"{bench.harness.facts.slug}_default" in caught.value.user_message
        assert client.requests == bench.requests() == 1
        with pytest.raises(CredentialsRejectedError):
            client.check()

    def test_the_check_says_what_can_be_read(self, bench: Bench) -> None:
        report = bench.client().check()
        assert set(report.readable) == set(bench.harness.facts.kinds)
        assert not report.missing

    def test_the_check_says_what_is_missing_and_what_to_do(self, bench: Bench) -> None:
        bench.fault("missing_scope", Kind.PURCHASES, count=None)
        report = bench.client().check()
        assert Kind.PURCHASES not in report.readable
        assert f"{bench.harness.facts.slug}_default" in report.missing[Kind.PURCHASES]
        with pytest.raises(ScopeMissingError):
            read(bench.client(), Kind.PURCHASES)

    def test_an_account_that_may_read_nothing_fails_the_check(self, bench: Bench) -> None:
        for kind in bench.harness.facts.kinds:
            bench.fault("missing_scope", kind, count=None)
        with pytest.raises(ScopeMissingError):
            bench.client().check()

    @only_if(lambda harness: harness.facts.reports_status)
    def test_an_unknown_status_word_is_kept(self, bench: Bench) -> None:
        bench.fault("unknown_status")
        unknown = [p for p in purchases(read(bench.client(), Kind.PURCHASES)) if p.status is Status.UNKNOWN]
        assert unknown
        assert {purchase.status_word for purchase in unknown} == {"on_the_moon"}

    @only_if(lambda harness, fault, about: fault not in harness.impossible)
    @pytest.mark.parametrize(
        ("fault", "about"),
        [
            ("missing_currency", "currency"),
            ("missing_id", "missing"),
            ("impossible_date", "does not exist"),
            ("text_amount", "not a number"),
            ("nul_byte", "NUL"),
        ],
    )
    def test_a_row_that_cannot_be_stored_truthfully_is_set_aside(
        self, bench: Bench, fault: str, about: str
    ) -> None:
        bench.fault(fault)
        pages = read(bench.client(), Kind.PURCHASES)
        rejected = [row for page in pages for row in page.rejected]
        assert rejected
        assert all(about in row.reason for row in rejected)
        assert len(keys(pages)) + len(rejected) == bench.totals()["count"]

    @only_if(lambda harness: harness.facts.kinds[Kind.PURCHASES].has_change_time)
    def test_a_missing_change_time_is_none(self, bench: Bench) -> None:
        bench.fault("null_change_time")
        pages = read(bench.client(), Kind.PURCHASES)
        assert not any(page.rejected for page in pages)
        assert len(keys(pages)) == bench.totals()["count"]

    def test_requests_are_counted_and_paced_under_one_identity(self, bench: Bench) -> None:
        claims: Counter[str] = Counter()

        class Watching(NoLimiter):
            def claim(self, identity: str, limit: Limit) -> None:
                claims[identity] += 1

        client = bench.client(Watching())
        read(client, Kind.PURCHASES)
        assert client.requests == bench.requests() == claims.total()
        assert len(claims) == 1
        (identity,) = claims
        assert not any(secret in identity for secret in bench.harness.secrets)

    @pytest.mark.parametrize(
        "fault", ["server_error", "rate_limited", "wrong_credentials", "missing_scope", "drop", "truncated"]
    )
    def test_no_secret_in_any_message_log_or_repr(
        self, bench: Bench, fault: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        bench.fault(fault, Kind.PURCHASES, count=None)
        client = bench.client()
        with pytest.raises(Exception, match=r"\w") as caught:
            read(client, Kind.PURCHASES)
        text = shown(caught.value) + caplog.text + repr(client) + repr(client.credentials)
        assert not [secret for secret in bench.harness.secrets if secret in text]
        assert "Bearer ***" in text or "Bearer" not in text

    def test_the_facts_are_complete_and_consistent(self, bench: Bench) -> None:
        facts = bench.harness.facts
        names = {field.name for field in facts.fields}
        assert facts.slug.isascii()
        assert facts.slug.isalnum()
        assert facts.base_url.startswith("https://")
        for limit in facts.limits:
            assert set(limit.counts_by) <= names
            assert limit.interval > 0
            assert date.fromisoformat(limit.last_verified)
        for kind in facts.kinds.values():
            assert facts.limit(kind.limit)
        assert all(word == word.lower() for word in facts.status_words)
