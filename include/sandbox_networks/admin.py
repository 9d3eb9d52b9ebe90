"""The ``/_admin`` path: clock, faults, counts and totals, for tests and the demo. Never limited.

- ``GET /_admin/state``: clock, per network its requests, violations and own facts, faults in force.
- ``POST /_admin/reset``: forgets counts, limit windows and faults; clock and tokens stay.
- ``POST /_admin/clock``: ``{"now": "2026-03-10T12:00:00Z"}`` sets it and lets it stand,
  ``{"advance_seconds": 3600}`` moves it, ``{"real": true}`` follows the real time again.
- ``POST /_admin/faults``: one :class:`sandbox_networks.faults.Fault` or a list; ``DELETE`` clears them.
- ``GET /_admin/totals/<slug>?from=YYYY-MM-DD&to=YYYY-MM-DD``: see :meth:`Network.totals`.

What cannot be read is answered with 400 and ``{"error": "<sentence>"}``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox_networks.faults import Fault, FaultBook
from sandbox_networks.network import BadQueryError, Network
from sandbox_networks.world import World

Handler = Callable[[Request], Awaitable[Response]]


class ClockOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to do with the clock, in this order: follow real time, set, advance."""

    real: bool = False
    now: datetime | None = None
    advance_seconds: int = 0


class Admin:
    """The handlers of the admin path."""

    def __init__(self, world: World, faults: FaultBook, networks: Mapping[str, Network]) -> None:
        """Look after these networks, all in one world."""
        self._world = world
        self._faults = faults
        self._networks = networks

    def routes(self) -> list[BaseRoute]:
        """List the admin endpoints, with paths below ``/_admin``."""
        return [
            Route("/state", self._state, methods=["GET"]),
            Route("/reset", self._reset, methods=["POST"]),
            Route("/clock", _readable(self._clock), methods=["GET", "POST"]),
            Route("/faults", _readable(self._change_faults), methods=["GET", "POST", "DELETE"]),
            Route("/totals/{slug}", _readable(self._totals), methods=["GET"]),
        ]

    async def _state(self, request: Request) -> Response:
        networks = {
            slug: network.traffic.describe() | network.describe() for slug, network in self._networks.items()
        }
        clock = self._world.clock.describe()
        return _json({"clock": clock, "networks": networks, "faults": self._faults.listed()})

    async def _reset(self, request: Request) -> Response:
        for network in self._networks.values():
            network.traffic.reset()
        self._faults.clear()
        return await self._state(request)

    async def _clock(self, request: Request) -> Response:
        clock = self._world.clock
        if request.method == "POST":
            order = msgspec.json.decode(await request.body(), type=ClockOrder)
            if order.now is not None and order.now.tzinfo is None:
                raise BadQueryError("The clock needs a time zone: write 2026-03-10T12:00:00Z, for instance.")
            if order.real:
                clock.follow_real_time()
            if order.now is not None:
                clock.stand(order.now)
            clock.advance(order.advance_seconds)
        return _json(clock.describe())

    async def _change_faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._faults.clear()
        if request.method == "POST":
            posted = msgspec.json.decode(await request.body(), type=Fault | list[Fault])
            faults = posted if isinstance(posted, list) else [posted]
            for fault in faults:
                self._find(fault.network)
            for fault in faults:
                self._faults.add(fault)
        return _json(self._faults.listed())

    async def _totals(self, request: Request) -> Response:
        return _json(self._find(request.path_params["slug"]).totals(request.query_params))

    def _find(self, slug: str) -> Network:
        if slug not in self._networks:
            raise BadQueryError(
                f"There is no sandbox network {slug!r}; there are: {', '.join(self._networks)}."
            )
        return self._networks[slug]


def _readable(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except (BadQueryError, msgspec.DecodeError) as error:
            return _json({"error": str(error)}, status=400)

    return answer


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")
