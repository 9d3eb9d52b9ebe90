"""A process that does one part of a load and nothing else: what no engine on this machine can go below.

Each is written as shortly as it can be, without checkpoints, history, checks or retries.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import psycopg
import requests
import urllib3

from benchmarks.usage import report

_PAGE = 500


class _Meta(msgspec.Struct):
    count: int


class _Envelope(msgspec.Struct):
    results: list[msgspec.Raw]
    meta: _Meta = msgspec.field(name="_meta")


_DECODER = msgspec.json.Decoder(_Envelope)


def _targets(order: dict[str, Any]) -> Iterator[str]:
    days = f"order_by=datetime&date_start={order['days'][0]}&date_end={order['days'][1]}"
    for offset in range(0, order["rows"], _PAGE):
        yield f"{order['url']}/admitad/statistics/actions/?{days}&limit={_PAGE}&offset={offset}"


def _token(order: dict[str, Any]) -> dict[str, str]:
    form = {"grant_type": "client_credentials", "scope": "statistics"}
    answer = requests.post(f"{order['url']}/admitad/token/", auth=("id", "secret"), data=form).json()
    return {"Authorization": f"Bearer {answer['access_token']}"}


def _bodies(order: dict[str, Any]) -> Iterator[bytes]:
    session = requests.Session()
    session.headers.update(_token(order))
    for target in _targets(order):
        yield session.get(target).content


def read_by_urllib3(order: dict[str, Any]) -> None:
    """Read the bodies with urllib3 alone."""
    pool, headers = urllib3.PoolManager(), _token(order)
    for target in _targets(order):
        len(pool.request("GET", target, headers=headers).data)


def read(order: dict[str, Any]) -> None:
    """Read the bodies with requests."""
    for body in _bodies(order):
        len(body)


def digest(order: dict[str, Any]) -> None:
    """Read the bodies, split them into rows and take a digest of each row."""
    for body in _bodies(order):
        for row in _DECODER.decode(body).results:
            hashlib.blake2b(row, digest_size=16).digest()


def copy(order: dict[str, Any]) -> None:
    """Read the bodies and copy the raw rows into a table that has a key and a text, and no index."""
    with psycopg.connect(order["database"]) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS floor")
        cursor.execute("CREATE TABLE floor (key text, raw text)")
        for body in _bodies(order):
            with cursor.copy("COPY floor FROM STDIN") as stream:
                for row in _DECODER.decode(body).results:
                    text = str(row, "utf-8")
                    stream.write_row((text[6:16], text))
            connection.commit()


FLOORS: dict[str, Callable[[dict[str, Any]], None]] = {
    "read the bodies (urllib3)": read_by_urllib3,
    "read the bodies (requests)": read,
    "read, split into rows, digest of each": digest,
    "read, copy the raw rows into a bare table": copy,
}

if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    report(lambda: FLOORS[asked["floor"]](asked))
