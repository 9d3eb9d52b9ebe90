"""What every call to a sandbox network passes: counting, limits, faults, then the network's own routes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox_networks.faults import Fault, FaultBook, FaultKind
from sandbox_networks.network import Network
from sandbox_networks.world import SandboxClock

_WAITING = (FaultKind.HOLD, FaultKind.SLOW, FaultKind.IN_TURN)
#: What tells the pages of a list apart in what a call asks for.
_PLACES = frozenset({"offset", "page"})
_BREAKING = (FaultKind.DROP, FaultKind.TRUNCATED)
_LOOK_AGAIN = 0.02


class Gate:
    """The ASGI application in front of one network.

    :param enforce: whether a call over a limit is refused, or only counted.
    """

    def __init__(
        self, network: Network, app: ASGIApp, faults: FaultBook, clock: SandboxClock, *, enforce: bool
    ) -> None:
        """Stand in front of the network's own routes, ``app``."""
        self._clock = clock
        self._network = network
        self._app = app
        self._faults = faults
        self._enforce = enforce
        self._turns: defaultdict[object, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._answers: dict[FaultKind, Callable[[Fault], Response]] = {
            FaultKind.RATE_LIMITED: lambda fault: network.rate_limited(),
            FaultKind.TOO_MANY_REQUESTS: lambda fault: PlainTextResponse("Too Many Requests", 429),
            FaultKind.SERVER_ERROR: _server_error,
            FaultKind.WRONG_CREDENTIALS: lambda fault: network.wrong_credentials(),
            FaultKind.MISSING_SCOPE: lambda fault: network.missing_scope(),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        body = await request.body()
        traffic = self._network.traffic
        traffic.count(path)
        caller = self._network.caller(path, request.headers, body)
        with traffic.in_progress(caller):
            if traffic.admit(caller, path) and self._enforce:
                await self._refusal(caller)(scope, receive, send)
            else:
                await self._serve(scope, receive, send, path, body)

    def _refusal(self, caller: str | None) -> Response:
        answer = self._network.rate_limited()
        seconds = self._network.traffic.retry_after(caller)
        if seconds is not None:
            answer.headers["Retry-After"] = str(seconds)
        return answer

    async def _serve(self, scope: Scope, receive: Receive, send: Send, path: str, body: bytes) -> None:
        fault = self._faults.take(self._network.slug, path)
        if fault and fault.kind in _WAITING:
            async with self._turn(fault, scope):
                if not await _wait(receive, fault.seconds):
                    return
        if fault and (answer := self._answer(fault)):
            await answer(scope, receive, send)
            return
        if fault and fault.kind is FaultKind.EXPIRED_TOKENS:
            self._network.expire_tokens()
        await self._app(scope, _replay(body), self._sender(send, fault) if fault else send)
        if fault and fault.kind is FaultKind.MOVE:
            self._clock.advance(int(fault.seconds))

    @asynccontextmanager
    async def _turn(self, fault: Fault, scope: Scope) -> AsyncIterator[None]:
        """Let the other pages of the same list go first, where a fault wants that."""
        if fault.kind is not FaultKind.IN_TURN:
            yield
            return
        request = Request(scope)
        asked = (pair for pair in request.query_params.multi_items() if pair[0] not in _PLACES)
        async with self._turns[request.headers.get("authorization"), scope["path"], *asked]:
            yield

    def _sender(self, send: Send, fault: Fault) -> Send:
        if fault.kind is FaultKind.LATE:
            return _Courier(send, self._faults, fault.seconds)
        return _Cutter(send, fault.kind) if fault.kind in _BREAKING else send

    def _answer(self, fault: Fault) -> Response | None:
        make = self._answers.get(fault.kind)
        if make is None:
            return None
        answer = make(fault)
        if fault.retry_after is not None:
            answer.headers["Retry-After"] = str(fault.retry_after)
        return answer


class _Cutter:
    """Passes on the first half of a body: with the full length announced (drop), or as if it were all."""

    def __init__(self, send: Send, kind: FaultKind) -> None:
        self._send = send
        self._drop = kind is FaultKind.DROP
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        assert self._start is not None
        half = message["body"][: len(message["body"]) // 2]
        if not self._drop:
            length = (b"content-length", str(len(half)).encode())
            kept = [pair for pair in self._start["headers"] if pair[0] != b"content-length"]
            self._start["headers"] = [*kept, length]
        await self._send(self._start)
        # An answer that never ends makes the server close the connection.
        await self._send({"type": "http.response.body", "body": half, "more_body": self._drop})


class _Courier:
    """Holds an answer back, as it was made, until the faults are cleared."""

    def __init__(self, send: Send, faults: FaultBook, seconds: float) -> None:
        self._send = send
        self._faults = faults
        self._cleared = faults.cleared
        self._looks = int(seconds / _LOOK_AGAIN)

    async def __call__(self, message: Message) -> None:
        while self._faults.cleared == self._cleared and self._looks > 0:
            self._looks -= 1
            await asyncio.sleep(_LOOK_AGAIN)
        await self._send(message)


def _server_error(fault: Fault) -> Response:
    page = f"<html><head><title>{fault.status}</title></head><body>nginx</body></html>"
    return Response(page, status_code=fault.status, media_type="text/html")


async def _wait(receive: Receive, seconds: float) -> bool:
    """Wait, and say whether the caller is still there."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return True
    return False


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
