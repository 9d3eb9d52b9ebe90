"""Bodies of answers: read to their end within bounds of size and time, then decoded."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
import requests

from network_clients.outcomes import Answer
from network_clients.taming import tame

T = TypeVar("T")
#: Bytes that are read at once. More would cost more: the memory for them is asked for anew each time.
_CHUNK = 64 * 1024
_BOM = b"\xef\xbb\xbf"
# Half of a surrogate pair without the other half, as cut-off emoji leave it behind; escaped
# backslashes are consumed first so that "\\ud83d" stays the text that it is.
_LONE_SURROGATE = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


class BodyTooLargeError(Exception):
    """Raised for a body that is larger than anything a network should send in one answer."""


def read_body(response: requests.Response, max_bytes: int, deadline: float) -> bytes:
    """Read a streamed body, decompressed.

    :param deadline: on :func:`time.monotonic`'s clock. The socket's time-out alone would let a server
        that sends a byte now and then hold a task for ever.
    :raises BodyTooLargeError: beyond ``max_bytes``.
    :raises requests.Timeout: beyond ``deadline``.
    :raises urllib3.exceptions.HTTPError: when the connection breaks before the body is complete.
    """
    chunks: list[bytes] = []
    size = 0
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise BodyTooLargeError(f"the body is larger than {max_bytes} bytes")
        if time.monotonic() > deadline:
            raise requests.Timeout(f"only {size} bytes of the body came in time")
    return b"".join(chunks)


def json_as(kind: type[T]) -> Callable[[Answer], T]:
    """Return a decoder of JSON answers into a type.

    Bytes that are no UTF-8 and halves of surrogate pairs become U+FFFD: one broken character in one row
    must not make a page unreadable, and no database could hold it. Nor must a number that JSON does not have,
    or a value that is nested too deep: see :mod:`network_clients.taming`.
    """
    decoder = msgspec.json.Decoder(kind)

    def decode(answer: Answer) -> T:
        body = _mended(answer.body)
        try:
            return decoder.decode(body)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, RecursionError):
            return decoder.decode(tame(body))

    return decode


def _mended(body: bytes) -> bytes:
    body = body.removeprefix(_BOM)
    if not body.isascii():
        try:
            body.decode("utf-8")
        except UnicodeDecodeError:
            body = body.decode("utf-8", "replace").encode()
    # Most bodies hold no escape at all, which is found ten times faster than that they hold none of these.
    if b"\\" not in body or (b"\\ud" not in body and b"\\uD" not in body):
        return body
    return _LONE_SURROGATE.sub(lambda found: found.group(1) or rb"\ufffd", body)
