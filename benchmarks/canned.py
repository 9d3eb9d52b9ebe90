"""A network that answers from memory: Admitad's lists, tokens and paging, at hardly any cost of its own.

Its rows are the sandbox's, taken once; a page is cut out of one block of them, in which bytes that no JSON
holds mark where the number of the block, the day and the hour belong. So a million rows cost no more memory
than ten thousand, and a page costs one ``bytes.translate``. It runs as a process of its own and serves what
is measured and what it is compared with alike.

Order and totals are Admitad's: by the time of the order, ``limit`` and ``offset``, days inclusive.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

from benchmarks.recorded import record

#: The first day that has purchases.
FIRST_DAY = date(2026, 3, 1)
LOGIN, SECRET = "bench-id", "bench-secret"
STATES = ("first", "changed")
_TOKEN = "bench-token"
_LONGEST_PAGE, _USUAL_PAGE = 500, 20
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}


@dataclass(frozen=True)
class World:
    """What the server holds.

    :param rows: purchases over all days; a multiple of ``days``.
    :param delay: seconds that every page takes on its way.
    """

    rows: int
    days: int = 10
    campaigns: int = 0
    coupons: int = 0
    delay: float = 0.0

    @property
    def per_day(self) -> int:
        """Purchases of one day."""
        return self.rows // self.days


class Shelf:
    """The answers of a world, in each of its states."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._per_block = min(world.per_day or 1, 10_000)
        if world.rows % (world.days * self._per_block):
            raise SystemExit("The rows of a day must be no more than 10,000, or a multiple of it.")
        recorded = record(self._per_block if world.rows else 0, world.campaigns, world.coupons)
        self._purchases = dict(zip(STATES, recorded.purchases, strict=True))
        self._catalogues = {"/advcampaigns/": recorded.campaigns, "/coupons/": recorded.coupons}
        self.state = STATES[0]

    def page(self, path: str, query: dict[str, str]) -> bytes | None:
        """Return one page of a list; ``None`` for a path that is none."""
        limit = min(int(query.get("limit", _USUAL_PAGE)), _LONGEST_PAGE)
        offset = int(query.get("offset", 0))
        if path == "/statistics/actions/":
            first, count = self._days(query)
            rows = self._cut(first + offset, max(min(limit, count - offset), 0))
        elif (block := self._catalogues.get(path)) is not None:
            count = len(block)
            rows = block.rows(offset, min(offset + limit, count))
        else:
            return None
        meta = b'],"_meta":{"count":%d,"limit":%d,"offset":%d}}' % (count, limit, offset)
        return b"".join((b'{"results":[', rows, meta))

    def totals(self) -> dict[str, object]:
        """Say how many purchases there are and what their commissions add up to, in ten-thousandths."""
        blocks = self._world.rows // self._per_block
        return {"rows": self._world.rows, "units": self._purchases[self.state].units * blocks}

    def _days(self, query: dict[str, str]) -> tuple[int, int]:
        """Return the first row of the days asked for, and how many rows they have."""
        asked = [_day_number(query[name]) for name in ("date_start", "date_end")]
        first, last = max(asked[0], 0), min(asked[1] + 1, self._world.days)
        return first * self._world.per_day, max(last - first, 0) * self._world.per_day

    def _cut(self, first: int, count: int) -> bytes:
        parts, block = [], self._purchases[self.state]
        while count > 0:
            number, inside = divmod(first, self._per_block)
            taken = min(count, self._per_block - inside)
            per_day = self._world.per_day // self._per_block
            day, turn = divmod(number, per_day)
            dated = (FIRST_DAY + timedelta(days=day)).day
            parts.append(block.rows(inside, inside + taken, number, dated, turn * 24 // per_day))
            first, count = first + taken, count - taken
        return b",".join(parts)


def _day_number(text: str) -> int:
    day, month, year = map(int, text.split("."))
    return (date(year, month, day) - FIRST_DAY).days


class Desk:
    """Answers calls, and counts what they cost."""

    def __init__(self, world: World) -> None:
        self.shelf = Shelf(world)
        self.delay = world.delay
        self._pages: list[float] = []
        self._sent = 0

    def answer(self, method: str, target: str, authorization: str) -> tuple[int, bytes, float]:
        """Answer one call: status, body, and seconds to wait before it is sent."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/_"):
            return 200, json.dumps(self._told(parts.path, query)).encode(), 0.0
        path = parts.path.removeprefix("/admitad")
        if path == "/token/":
            return (*self._token(authorization), 0.0)
        if authorization != f"Bearer {_TOKEN}":
            return 401, b'{"error":"invalid_token","error_description":"","error_code":1}', 0.0
        body = self.shelf.page(path, query) if method == "GET" else None
        if body is None:
            return 404, b'{"error":"not_found"}', 0.0
        self._pages.append(time.monotonic())
        self._sent += len(body)
        return 200, body, self.delay

    def _token(self, authorization: str) -> tuple[int, bytes]:
        if not authorization.startswith("Basic "):
            return 401, b'{"error":"invalid_client"}'
        answer = {"access_token": _TOKEN, "token_type": "bearer", "expires_in": 604800, "scope": ""}
        return 200, json.dumps(answer).encode()

    def _told(self, path: str, query: dict[str, str]) -> dict[str, object]:
        """Carry out an order of the bench: another state, or what was served since the last one."""
        if path == "/_state":
            self.shelf.state = query["name"]
        used = resource.getrusage(resource.RUSAGE_SELF)
        served = {
            "pages": self._pages,
            "bytes": self._sent,
            "cpu": used.ru_utime + used.ru_stime,
            **self.shelf.totals(),
        }
        self._pages, self._sent = [], 0
        return served


class _Connection(asyncio.Protocol):
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        # A page is written whole: nothing here ever waits for a reader.
        transport.set_write_buffer_limits(high=2**24)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, target, _ = line.split(" ", 2)
        status, body, delay = self._desk.answer(method, target, headers.get("authorization", ""))
        if delay:
            asyncio.get_running_loop().call_later(delay, self._send, status, body)
        else:
            self._send(status, body)

    def _send(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\nServer: canned\r\n\r\n"
        self._transport.writelines((head.encode(), body))


async def serve(world: World, on_ready: Callable[[str], None]) -> None:
    """Serve a world on a free loopback port until the process is ended."""
    desk = Desk(world)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(desk), "127.0.0.1", 0)
    on_ready(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await server.serve_forever()


def _announce(url: str) -> None:
    sys.stdout.write(url + "\n")
    sys.stdout.flush()
    # Whoever started it reads no more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve canned Admitad lists; prints its address.")
    for name in ("rows", "days", "campaigns", "coupons"):
        parser.add_argument(f"--{name}", type=int, default=10 if name == "days" else 0)
    parser.add_argument("--delay", type=float, default=0.0)
    asyncio.run(serve(World(**vars(parser.parse_args())), _announce))
