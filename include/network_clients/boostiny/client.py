"""Reads a Boostiny account: campaigns, the coupons inside them, and reports of purchases."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial

import msgspec

from network_clients.access import probe
from network_clients.bodies import json_as
from network_clients.boostiny.dialect import BoostinyDialect
from network_clients.boostiny.facts import FACTS
from network_clients.boostiny.mapping import (
    VOLATILE,
    ReportRows,
    coupon_key,
    coupon_rows,
    is_summary,
    to_campaign,
    to_coupon,
)
from network_clients.errors import RequestRefusedError, ScopeMissingError
from network_clients.interface import (
    AccessReport,
    Credentials,
    Limiter,
    NetworkClient,
    ReadRequest,
    Slice,
    TokenStore,
)
from network_clients.lists import NumberedPage, Params, Reader, read_by_page
from network_clients.records import CurrencySource, Grain, Kind, Page, Traffic
from network_clients.request import Patience, Request
from network_clients.rows import InnerReader, RowReader
from network_clients.transport import Transport
from network_clients.values import InvalidValueError, currency_of

_CAMPAIGNS = "/publisher/campaigns"
_REPORTS = {Traffic.COUPON: "/publisher/performance", Traffic.LINK: "/publisher/link-performance"}

#: Asked for; the server decides, and its answer says how many came.
_PAGE_SIZE = 100
_MOST_DAYS = 31
_SLOWEST_PACE = 600


class _Pagination(msgspec.Struct, rename="camel"):
    total: int | None = None
    per_page: int | None = None


class _Payload(msgspec.Struct):
    data: list[msgspec.Raw]
    pagination: _Pagination = msgspec.field(default_factory=_Pagination)
    summary: object = None


class _Envelope(msgspec.Struct):
    payload: _Payload


_READ = json_as(_Envelope)


class _Counted(msgspec.Struct):
    orders: str | int | float = 0


class BoostinyClient(NetworkClient):
    """One API key of a publisher."""

    facts = FACTS
    # Asking again soon makes a lock-out longer (seen in 1 client), and a lock-out lasts minutes. Only one
    # call may be under way, so one that hangs holds all others back.
    patience = Patience(read_timeout=60, total_timeout=80, first_gate=600, longest_gate=3600)

    def __init__(self, credentials: Credentials, limiter: Limiter, tokens: TokenStore) -> None:
        super().__init__(credentials, limiter, tokens)
        self._key = self._api_key()
        self._currency = self._commission_currency()
        self._days_per_request = self.whole_setting("window_days", 1, _MOST_DAYS)
        self._traffic = tuple(Traffic) if self.setting("link_traffic") == "yes" else (Traffic.COUPON,)
        self._catalogue: dict[Kind, Reader] = {
            Kind.CAMPAIGNS: RowReader(to_campaign, self.zone),
            Kind.COUPONS: InnerReader(
                coupon_rows, RowReader(to_coupon, self.zone, identify=coupon_key), self.zone
            ),
        }
        limits = tuple(replace(limit, per_seconds=self._pace()) for limit in FACTS.limits)
        self._transport = Transport(
            replace(FACTS, limits=limits),
            credentials,
            limiter,
            self,
            base_url=self.setting("host"),
            dialect=BoostinyDialect(credentials.account),
            patience=self.patience,
        )

    def _api_key(self) -> str:
        key = self.setting("password")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise self.unusable("password", "Copy the key alone: no spaces, and no word Bearer before it.")
        return key

    def _commission_currency(self) -> tuple[str, CurrencySource]:
        try:
            code = currency_of(self.setting("currency"), "currency")
        except InvalidValueError:
            raise self.unusable("currency", "Write a code of three letters, such as USD.") from None
        own = (self.credentials.values.get("currency") or "").strip()
        return str(code), CurrencySource.ACCOUNT if own else CurrencySource.NETWORK

    def _pace(self) -> float:
        try:
            seconds = float(self.setting("pace_seconds"))
        except ValueError:
            seconds = math.nan
        if not 0 < seconds <= _SLOWEST_PACE:
            raise self.unusable("pace_seconds", "Write a number of seconds above 0, such as 6 or 2.5.")
        return seconds

    def check(self) -> AccessReport:
        """Ask for a row of each list; coupons stand inside campaigns."""
        today = datetime.now(self.zone).date()
        part = Slice(key="check", start=today, end=today)
        report = probe(
            {
                (Kind.CAMPAIGNS, Kind.COUPONS): partial(self._ask, Kind.CAMPAIGNS, part, 1, size=1),
                (Kind.PURCHASES,): partial(self._ask, Kind.PURCHASES, part, 1, size=1),
            }
        )
        if Traffic.LINK not in self._traffic:
            return report
        links = msgspec.structs.replace(part, traffic=Traffic.LINK)
        try:
            self._ask(Kind.PURCHASES, links, 1, size=1)
        except (ScopeMissingError, RequestRefusedError) as error:
            note = (
                f"Purchases by links cannot be read. {error.user_message} Or switch Link traffic off in the "
                f"connection {self.credentials.account}: until then, each sync of its purchases fails."
            )
            return msgspec.structs.replace(report, notes=(note,))
        return report

    def longest_window(self, kind: Kind) -> int | None:
        """Return the account's own number of days for purchases."""
        return self._days_per_request if kind is Kind.PURCHASES else None

    def slices(self, request: ReadRequest) -> Sequence[Slice]:
        """Cut a unit into days (or the account's windows), and each into its kinds of traffic."""
        parts = super().slices(request)
        if request.kind is not Kind.PURCHASES:
            return parts
        return [
            msgspec.structs.replace(part, key=f"{part.key} {traffic}", traffic=traffic)
            for part in parts
            for traffic in self._traffic
        ]

    def pages(self, kind: Kind, part: Slice, cursor: Mapping[str, object] | None = None) -> Iterator[Page]:
        """Iterate over a list's pages."""
        return read_by_page(partial(self._ask, kind, part), self._reader(kind, part), cursor=cursor or {})

    def _reader(self, kind: Kind, part: Slice) -> Reader:
        if kind is not Kind.PURCHASES:
            return self._catalogue[kind]
        rows = ReportRows(_days(part), part.traffic or Traffic.COUPON, self._currency)
        return RowReader(
            rows.to_purchase,
            self.zone,
            identify=rows.key,
            grain=Grain.REPORT_ROW,
            volatile=VOLATILE,
            skips=is_summary,
        )

    def _ask(self, kind: Kind, part: Slice, page: int, *, size: int = _PAGE_SIZE) -> NumberedPage:
        path = _CAMPAIGNS
        params: Params = (("page", str(page)), ("limit", str(size)))
        if kind is Kind.PURCHASES:
            path = _REPORTS[part.traffic or Traffic.COUPON]
            first, last = _days(part)
            params = (("from", first.isoformat()), ("to", last.isoformat()), *params)
        headers = {"Authorization": self._key, "Accept": "application/json"}
        request = Request(f"{kind.value} page", path, params=params, headers=headers)
        sent = self._transport.send(request, _READ).payload
        pages = sent.pagination
        return NumberedPage(sent.data, per_page=pages.per_page, total=pages.total, version=_version(sent))


def _version(sent: _Payload) -> str | None:
    """Fingerprint the sums of the whole list that come with each page of a report."""
    sums = sent.summary
    if not isinstance(sums, dict) or not sums or _is_of_page_alone(sent, sums):
        return None
    return hashlib.blake2b(msgspec.json.encode(sums, order="sorted"), digest_size=8).hexdigest()


def _is_of_page_alone(sent: _Payload, sums: Mapping[str, object]) -> bool:
    """Tell whether the sums are those of one page of several, and so say nothing about the list."""
    if len(sent.data) >= (sent.pagination.total or 0):
        return False
    try:
        orders = [Decimal(msgspec.json.decode(row, type=_Counted).orders) for row in sent.data]
        return sum(orders) == Decimal(str(sums["orders"]))
    except (KeyError, ArithmeticError, msgspec.DecodeError):
        return False


def _days(part: Slice) -> tuple[date, date]:
    if part.start is None or part.end is None:
        raise ValueError(f"Purchases are read by days, and the slice {part.key} has none.")
    return part.start, part.end


#: What the registry hands out.
CLIENT = BoostinyClient
