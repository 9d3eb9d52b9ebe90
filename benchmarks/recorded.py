"""Rows of the sandbox, taken once over HTTP and made into blocks from which a million rows are cut."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import accumulate, count, islice
from typing import Any

import msgspec
import requests

from sandbox_networks.server import running
from sandbox_networks.settings import SandboxSettings

#: Stand in a block for the digits of the block's number, the day and the hour.
_BLOCK, _DAY, _HOUR = b"\x01\x02\x03", b"\x04\x05", b"\x06\x07"

_SOURCE_DAY = date(2026, 3, 1)
_NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)
_CHANGED_AT = b"2026-04-25 09:00:00"
#: One row in so many changes, evenly spread.
_CHANGES = 100
_LOGIN, _PASSWORD = "sandbox-admitad-id", "sandbox-admitad-secret"


class Block:
    """JSON rows beside each other, of which any may be cut out.

    :ivar units: what the commissions of its rows add up to, in ten-thousandths.
    """

    def __init__(self, rows: Sequence[bytes]) -> None:
        self._text = b",".join(rows)
        self._starts = [0, *accumulate(len(row) + 1 for row in rows)]
        self.units = sum(round(float(found[1]) * 10_000) for row in rows if (found := _PAYMENT.search(row)))

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self._starts) - 1

    def rows(self, first: int, last: int, number: int = 0, day: int = 1, hour: int = 0) -> bytes:
        """Return rows ``first`` up to ``last`` of the block with this number, joined by commas."""
        if last <= first:
            return b""
        table = bytearray(range(256))
        for marks, value in ((_BLOCK, number), (_DAY, day), (_HOUR, hour)):
            for mark, digit in zip(marks, str(value).zfill(len(marks)).encode(), strict=True):
                table[mark] = digit
        return self._text[self._starts[first] : self._starts[last] - 1].translate(table)


@dataclass(frozen=True)
class Recorded:
    """What was taken from the sandbox.

    :param purchases: before and after one row in a hundred has changed.
    """

    purchases: tuple[Block, Block]
    campaigns: Block
    coupons: Block


def record(purchases: int, campaigns: int, coupons: int) -> Recorded:
    """Take so many rows of each kind; where the sandbox has fewer, they come again under other names."""
    settings = SandboxSettings(
        rows_per_day=2 * purchases + 50, now=_NOW, networks=("admitad",), enforce_limits=False
    )
    with running(settings) as url:
        source = _Source(f"{url}/admitad")
        days = {"date_start": f"{_SOURCE_DAY:%d.%m.%Y}", "date_end": f"{_SOURCE_DAY:%d.%m.%Y}"}
        found = islice(_with_positions(source.rows("/statistics/actions/", **days)), purchases)
        before = [_purchase(row, number, purchases) for number, row in enumerate(found)]
        after = [row if at % _CHANGES else _changed(row) for at, row in enumerate(before, start=50)]
        lists = [
            Block(list(islice(_repeated(list(source.rows(path))), wanted)) if wanted else [])
            for path, wanted in (("/advcampaigns/", campaigns), ("/coupons/", coupons))
        ]
    if len(before) < purchases:
        raise RuntimeError(f"the sandbox gave {len(before)} rows instead of {purchases}")
    return Recorded((Block(before), Block(after)), *lists)


class _Source:
    def __init__(self, base: str) -> None:
        self._base = base
        self._session = requests.Session()
        self._session.trust_env = False
        form = {"grant_type": "client_credentials", "scope": "statistics advcampaigns coupons"}
        answer = self._session.post(f"{base}/token/", auth=(_LOGIN, _PASSWORD), data=form).json()
        self._session.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def rows(self, path: str, **filters: str) -> Iterator[bytes]:
        """Read a whole list; each row in the network's own bytes."""
        for offset in count(0, 500):
            query: dict[str, Any] = {"language": "en", "limit": 500, "offset": offset, **filters}
            body = self._session.get(self._base + path, params=query).content
            rows = msgspec.json.decode(body, type=dict[str, msgspec.Raw])["results"]
            found = msgspec.json.decode(rows, type=list[msgspec.Raw])
            yield from map(bytes, found)
            if len(found) < 500:
                return


def _with_positions(rows: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out most of the rows without any product: with them, rows are smaller than what was measured."""
    for number, row in enumerate(rows):
        if number % 10 == 0 or b'"positions":[]' not in row:
            yield row


_ID = re.compile(rb'"id":(\d+)')
_PAYMENT = re.compile(rb'"payment":([0-9.]+)')
_ACTION = re.compile(rb'"action_date":"([^"]+)"')
_CLICK = re.compile(rb'"click_date":"[^"]+"')
_UPDATED = re.compile(rb'("status_updated":")[^"]+"')
_STATUS = re.compile(rb'"status":"(\w+)"')
_NAME = re.compile(rb'"name":"')


def _purchase(row: bytes, number: int, rows: int) -> bytes:
    """Write a purchase whose number, day and hour are still to come, at its turn within an hour."""
    found, happened = _ID.search(row), _ACTION.search(row)
    assert found
    assert happened
    minute, second = divmod(number * 3600 // rows, 60)
    day = b"2026-03-" + _DAY
    row = row.replace(found[1], b"61" + _BLOCK + b"%05d" % number)
    row = row.replace(happened[1], day + b" " + _HOUR + b":%02d:%02d" % (minute, second))
    row = _CLICK.sub(b'"click_date":"' + day + b' 00:00:00"', row)
    return _UPDATED.sub(rb"\g<1>2026-04-%02d 10:%02d:%02d" % (10 + number % 10, minute, second) + b'"', row)


def _changed(row: bytes) -> bytes:
    """Let a purchase be decided otherwise, with another commission."""
    status = _STATUS.search(row)
    assert status
    word = b"declined" if status[1] == b"approved" else b"approved"
    row = row.replace(status[0], b'"status":"%s"' % word)
    row = _PAYMENT.sub(b'"payment":9.75', row, count=1)
    return _UPDATED.sub(rb"\g<1>" + _CHANGED_AT + b'"', row)


def _repeated(rows: Sequence[bytes]) -> Iterator[bytes]:
    for number in count():
        row = rows[number % len(rows)]
        found = _ID.match(row, 1)
        assert found
        row = row[: found.start(1)] + b"%d" % (30_000_001 + number) + row[found.end(1) :]
        yield _NAME.sub(b'"name":"%d ' % number, row, count=1)
