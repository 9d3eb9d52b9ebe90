"""The one small interface that every network's client implements.

The engine asks :meth:`NetworkClient.slices` how a unit of work is cut into requests that the network
accepts, then :meth:`NetworkClient.pages` for the pages of each slice. A client keeps no state between
slices that a fresh process could not rebuild from the slice and the cursor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar, Protocol
from zoneinfo import ZoneInfo

import msgspec

from network_clients.errors import NotConfiguredError
from network_clients.facts import Field, Filter, Limit, NetworkFacts
from network_clients.records import Kind, Page, Traffic

_DAY = timedelta(days=1)

#: How many calls of one client are under way at most: with answers that take 0.8 s, ten a second.
MOST_AT_ONCE = 8

#: More months than this are no trailing window but a backfill.
_MOST_MONTHS = 24


@dataclass(frozen=True)
class Credentials:
    """What a client is handed about its account: the values of its connection's fields.

    ``account`` is the account's key (the Airflow connection id). ``repr`` shows no values.
    """

    account: str
    values: Mapping[str, str]

    def __repr__(self) -> str:
        """Name the account and which fields are there, and none of their values."""
        return f"Credentials({self.account!r}, fields={sorted(self.values)})"


class Limiter(Protocol):
    """Paces calls so that a network's allowance holds over all processes and machines."""

    def claim(self, identity: str, limit: Limit) -> None:
        """Wait for a turn, or raise.

        :param identity: what the network counts by, in clear text; implementations hash it.
        :raises WaitTooLongError: when the turn comes later than a task should sleep.
        """

    def release(self, identity: str, limit: Limit) -> None:
        """Say that the call is over, for limits on calls at once (``max_in_flight``)."""

    def close_gate(self, identity: str, limit: Limit, seconds: float, reason: str) -> None:
        """Hold back every caller of this identity, because the network itself said "too many"."""

    def done(self) -> None:
        """Say that no more calls follow for now."""

    def stop(self) -> None:
        """Say that no more calls are wanted at all: who waits for a turn in another thread gets none."""


class TokenStore(Protocol):
    """Keeps short-lived access tokens where all tasks of an account find them, encrypted."""

    def load(self, identity: str, secret: str) -> tuple[str, datetime] | None:
        """Return a token that is still valid with its expiry, or ``None``."""

    def save(self, identity: str, secret: str, token: str, expires_at: datetime) -> None:
        """Keep a token until it expires."""

    def forget(self, identity: str, token: str) -> None:
        """Drop a token that the network refused, unless a newer one is already there."""

    def reserve(self, identity: str) -> bool:
        """Claim the purchase of a token, so that nobody else buys one; ``False`` when another has it.

        A claim ends by itself after a short while, for a buyer may be killed.
        """

    def release(self, identity: str) -> None:
        """Say that the purchase is over, whether or not it brought a token."""


@dataclass(frozen=True)
class ReadRequest:
    """A unit of work: one kind, and for dated kinds the days to read.

    :param start: first calendar day in the **network's** zone, inclusive; ``None`` for a snapshot.
    :param end: last calendar day in the network's zone, inclusive; ``None`` for a snapshot.
    :param earlier: days before ``start``, ascending, that are read again after it because their rows may
        have changed (see :attr:`NetworkClient.reread_months`).
    :param occurred: of a read by change, the first and the last calendar day on which the rows happened that
        it is about; a network that cannot tell them apart answers with others too.
    """

    kind: Kind
    start: date | None = None
    end: date | None = None
    by: Filter = Filter.OCCURRED
    earlier: tuple[date, ...] = ()
    occurred: tuple[date, date] | None = None


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One paged list of a network: what its own habits cut a unit of work into.

    ``key`` is unique and stable within the unit: it names the slice in checkpoints. ``params`` holds
    whatever the client needs to ask for it again (JSON values only). A slice that reads the days from
    ``start`` to ``end`` by occurrence, and only one kind of ``traffic`` where a network splits them,
    proves which of the stored rows are gone; one that reads by another date does not.
    """

    key: str
    start: date | None = None
    end: date | None = None
    by: Filter = Filter.OCCURRED
    traffic: Traffic | None = None
    params: Mapping[str, object] = {}


class AccessReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a credential can read, as found by asking the network."""

    readable: tuple[Kind, ...]
    missing: Mapping[Kind, str] = {}
    """Kinds that cannot be read, each with what to do about it."""
    notes: tuple[str, ...] = ()


class NetworkClient(ABC):
    """Reads one account of one network. Subclasses declare ``facts`` and implement three methods."""

    facts: ClassVar[NetworkFacts]
    #: How many pages of a list may lie ready before they are stored.
    pages_ahead: ClassVar[int] = 2
    #: How many pages of a list are asked for at the same time at most, where its paging allows it.
    pages_at_once: ClassVar[int] = MOST_AT_ONCE

    def __init__(self, credentials: Credentials, limiter: Limiter, tokens: TokenStore) -> None:
        self.credentials = credentials
        self.limiter = limiter
        self.tokens = tokens
        #: HTTP requests sent so far, token requests included.
        self.requests = 0
        #: Seconds spent waiting for the limiter so far.
        self.waited = 0.0
        #: How many whole months before the current one are read again each day; ``None`` for no day at all.
        #: For networks whose rows change without any filter that tells which ones have.
        self.reread_months = self._reread_months()

    def setting(self, name: str) -> str:
        """Return the value of a field, its declared default when the account leaves it empty.

        :raises NotConfiguredError: when a required field is empty, or holds none of its choices.
        """
        declared = self._field(name)
        value = (self.credentials.values.get(name) or "").strip()
        if value and declared.choices and value not in declared.choices:
            raise self.unusable(name, f"Choose one of: {', '.join(declared.choices)}.")
        if value:
            return value
        if declared.default is not None:
            return declared.default
        if declared.required:
            raise NotConfiguredError(
                f"The connection {self.credentials.account} has no {declared.label}. "
                f"Open Admin, Connections, {self.credentials.account} and fill it in.",
                network=self.facts.slug,
                operation="settings",
            )
        return ""

    def whole_setting(self, name: str, least: int, most: int) -> int:
        """Return the value of a field that is a whole number.

        :raises NotConfiguredError: when it is none, or not from ``least`` to ``most``.
        """
        value = self.setting(name)
        if value.isascii() and value.isdigit() and least <= int(value) <= most:
            return int(value)
        raise self.unusable(name, f"Write a whole number from {least} to {most}.")

    def unusable(self, name: str, advice: str) -> NotConfiguredError:
        """Build the error of a field whose value cannot be used; a secret's value is not in it.

        :param advice: what to write instead, in a sentence.
        """
        declared = self._field(name)
        shown = "" if declared.secret else f" {(self.credentials.values.get(name) or '').strip()[:40]!r}"
        return NotConfiguredError(
            f"The value{shown} of {declared.label} in the connection {self.credentials.account} cannot be "
            f"used. {advice}",
            network=self.facts.slug,
            operation="settings",
        )

    def _field(self, name: str) -> Field:
        return next(item for item in self.facts.fields if item.name == name)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of this account's naive times and calendar days."""
        name = self.setting("timezone") if any(f.name == "timezone" for f in self.facts.fields) else ""
        try:
            return ZoneInfo(name or self.facts.zone)
        except (KeyError, ValueError, OSError) as error:
            raise NotConfiguredError(
                f"The connection {self.credentials.account} names the time zone {name!r}, which does not "
                f"exist. Write an IANA name such as {self.facts.zone}.",
                network=self.facts.slug,
                operation="settings",
            ) from error

    def _reread_months(self) -> int | None:
        name = self.facts.reread_field
        if name is None or self.setting(name).lower() == "off":
            return None
        try:
            return self.whole_setting(name, 0, _MOST_MONTHS)
        except NotConfiguredError:
            raise self.unusable(name, f"Write a number from 0 to {_MOST_MONTHS}, or off.") from None

    def most_at_once(self, kind: Kind) -> int:
        """Return how many pages of one list may be asked for at the same time, where its paging allows it."""
        bound = self.facts.limit(self.facts.kinds[kind].limit).max_in_flight
        return self.pages_at_once if bound is None else min(bound, self.pages_at_once)

    def longest_window(self, kind: Kind) -> int | None:
        """Return how many days one request may cover; ``None`` for any number."""
        return self.facts.kinds[kind].max_days

    @abstractmethod
    def check(self) -> AccessReport:
        """Ask the network what this account's credentials can read.

        :raises NetworkError: with the verdict in its class when nothing can be read at all.
        """

    def slices(self, request: ReadRequest) -> Sequence[Slice]:
        """Cut a unit of work into the paged lists that the network offers.

        The base cuts a dated request by :meth:`longest_window`, oldest days first and its earlier days after
        all others, so that new rows are there soon; a snapshot is one slice.
        """
        if request.start is None or request.end is None:
            return [Slice(key=request.kind.value)]
        longest = self.longest_window(request.kind)
        spans = [*_spans(_days(request.start, request.end), longest), *_spans(request.earlier, longest)]
        params = {"occurred": [day.isoformat() for day in request.occurred]} if request.occurred else {}
        return [
            Slice(key=f"{request.by}:{first}..{last}", start=first, end=last, by=request.by, params=params)
            for first, last in spans
        ]

    @abstractmethod
    def pages(self, kind: Kind, part: Slice, cursor: Mapping[str, object] | None = None) -> Iterator[Page]:
        """Iterate over the pages of a slice, from its start or from a page's ``cursor``.

        :raises NetworkError: see :mod:`network_clients.errors`.
        :raises WaitTooLongError: when the limiter refuses to sleep that long.
        """


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _spans(days: Iterable[date], longest: int | None) -> list[tuple[date, date]]:
    """Join days that follow each other, as many as one request may cover."""
    spans: list[tuple[date, date]] = []
    for day in days:
        if spans and day == spans[-1][1] + _DAY and (day - spans[-1][0]).days != longest:
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans
