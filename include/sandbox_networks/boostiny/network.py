"""The endpoints of the sandbox's Boostiny.

Source: several clients of the real one; :mod:`sandbox_networks.boostiny.options` says what is assumed where
they are silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox_networks.boostiny import answers
from sandbox_networks.boostiny.campaigns import Catalogue, Coupon
from sandbox_networks.boostiny.listings import campaign_row, coupon_row
from sandbox_networks.boostiny.options import BoostinyOptions
from sandbox_networks.boostiny.queries import read_page, read_report_query
from sandbox_networks.boostiny.reports import ReportBook, ReportKind
from sandbox_networks.boostiny.rows import metrics, report_row, summary_row
from sandbox_networks.boostiny.spoiling import BadRow, fault_of, spoil
from sandbox_networks.boostiny.totals import ReportSums
from sandbox_networks.faults import FaultBook
from sandbox_networks.network import BadQueryError, Network
from sandbox_networks.settings import SandboxSettings, read_options
from sandbox_networks.traffic import CallLimit, LockOut, Traffic
from sandbox_networks.world import World
from sandbox_networks.zones import Zone

Endpoint = Callable[[Request], Awaitable[Response]]

_TURNS = 8
"""How often the event loop looks for other calls before an answer leaves: enough to accept and read one."""


class Call(NamedTuple):
    """A call with a good key: its position, and what is asked."""

    position: int
    query: QueryParams


class Boostiny(Network):
    """The sandbox's Boostiny."""

    slug = "boostiny"

    def __init__(self, world: World, faults: FaultBook, settings: SandboxSettings) -> None:
        """See :class:`Network`; options are :class:`BoostinyOptions`."""
        options = read_options(BoostinyOptions, self.slug, settings)
        self._world = world
        self._faults = faults
        self._options = options
        self._zone = Zone(options.zone)
        self._catalogue = Catalogue(world, options)
        self._keys = {key: position for position, key in enumerate(options.keys)}
        self._books = {
            (position, kind): ReportBook(world, options, self._catalogue, self._zone, position, kind)
            for position in self._keys.values()
            for kind in ReportKind
        }
        self.traffic = Traffic(
            (CallLimit("calls_per_key", options.calls, options.per_seconds),),
            lock_out=LockOut(60 * options.lockout_minutes, options.lockout_header),
            in_turn=True,
        )

    def routes(self) -> Sequence[BaseRoute]:
        """List the endpoints; whatever else is asked for is not found."""
        guarded: dict[str, Callable[[Call], Response]] = {
            "/publisher/campaigns": self._campaigns,
            "/publisher/coupons": self._coupons,
            "/publisher/performance": lambda call: self._report(call, ReportKind.COUPON),
            "/publisher/link-performance": lambda call: self._report(call, ReportKind.LINK),
        }
        routes = [Route(path, self._guard(answer), methods=["GET"]) for path, answer in guarded.items()]
        return [*routes, Route("/{path:path}", _nowhere)]

    def caller(self, path: str, headers: Headers, body: bytes) -> str | None:
        """Limits count by key."""
        position = self._position(headers)
        return None if position is None else f"key {position}"

    def rate_limited(self) -> Response:
        """429 that tells the minutes of a lock-out."""
        return answers.rate_limited(self._options.lockout_minutes)

    def wrong_credentials(self) -> Response:
        """401 with a message."""
        return answers.wrong_key()

    def missing_scope(self) -> Response:
        """403 with a message."""
        return answers.missing_scope()

    def expire_tokens(self) -> None:
        """Leave everything as it is: a key does not expire."""

    def describe(self) -> dict[str, object]:
        """Give the number of keys."""
        return {"keys": len(self._keys)}

    def totals(self, query: Mapping[str, str]) -> dict[str, object]:
        """Sum up the rows of both reports by day, and count campaigns and their coupons.

        All amounts are dollars: commission (``payment``) and sale value (``cart``). ``key`` picks the API
        key, the first one by default.
        """
        try:
            asked = read_report_query({name: query.get(name, "") for name in ("from", "to")})
        except answers.BadRequestError as error:
            raise BadQueryError(f"Totals need from=YYYY-MM-DD and to=YYYY-MM-DD: {error}") from error
        position = self._keys.get(query.get("key", self._options.keys[0]))
        if position is None:
            raise BadQueryError("There is no such API key.")
        sums = ReportSums(self._faults.spoiling(self.slug))
        for kind in ReportKind:
            sums.add(kind, self._books[position, kind].report(asked, by_day=True).rows)
        embedded = {(coupon.campaign.id, coupon.code) for coupon in self._coupons_now()}
        campaigns = self._catalogue.campaigns_on(self._today())
        return sums.describe() | {"campaigns": len(campaigns), "coupons": len(embedded)}

    def _today(self) -> int:
        return self._zone.day(self._world.clock.now())

    def _position(self, headers: Headers) -> int | None:
        return self._keys.get(headers.get("authorization", ""))

    def _coupons_now(self) -> Sequence[Coupon]:
        today = self._today()
        return [
            coupon
            for campaign in self._catalogue.campaigns_on(today)
            for coupon in self._catalogue.coupons_on(campaign, today)
        ]

    def _guard(self, answer: Callable[[Call], Response]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            position = self._position(request.headers)
            if position is None:
                return answers.wrong_key()
            try:
                answered = answer(Call(position, request.query_params))
            except answers.BadRequestError as error:
                answered = answers.bad_request(str(error))
            # Only so a call that came meanwhile is noticed before this one is over.
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            return answered

        return endpoint

    def _list(self, call: Call, rows: Sequence[dict[str, object]]) -> Response:
        size, page = self._options.per_page, read_page(call.query)
        return answers.listing(rows[(page - 1) * size : page * size], len(rows), size, page)

    def _campaigns(self, call: Call) -> Response:
        today = self._today()
        return self._list(
            call,
            [
                campaign_row(campaign, list(self._catalogue.coupons_on(campaign, today)), today)
                for campaign in self._catalogue.campaigns_on(today)
            ],
        )

    def _coupons(self, call: Call) -> Response:
        return self._list(call, [coupon_row(coupon) for coupon in self._coupons_now()])

    def _report(self, call: Call, kind: ReportKind) -> Response:
        query = read_report_query(call.query)
        options, size, page = self._options, self._options.per_page, read_page(call.query)
        report = self._books[call.position, kind].report(query, by_day=options.with_dates)
        total, bad = len(report.rows), self._faults.spoiling(self.slug)
        printed: list[BadRow] = []
        for row in report.rows[(page - 1) * size : page * size]:
            good = report_row(row, total, self._zone, with_last_updated=options.with_last_updated)
            fault = fault_of(row.place, bad)
            printed.append(spoil(good, fault) if fault else dict(good))
        is_last = page == max(1, -(-total // size))
        if options.summary_rows and is_last:
            printed.append(dict(summary_row(report.sums, total, query.first, query.last)))
        summary = metrics(report.sums) | {"full_count": str(total)} if options.with_summary else None
        return answers.listing(printed, total, size, page, summary)


async def _nowhere(request: Request) -> Response:
    return answers.not_found()
