"""Rows that are plainly well-formed, read at once: they become what they always do, at a third of the cost.

A row is plain when each field that matters has the form in which the network usually sends it. Then its times
and amounts go from text to text, and no object is made of any of them. Whatever is odd about a row makes it
not plain, and nothing else follows from that: it is read field by field, as :mod:`network_clients.row` does,
which alone decides what it means and why it may have to be set aside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from network_clients import values
from network_clients.records import PlainPurchase, SentRow

#: How ids and words come: a text, or a whole number that is one.
Word = str | int | None

_HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}")
_MINUTE = re.compile(r":[0-5][0-9]:[0-5][0-9]")
# With more leading zeros behind the point it would be written with an exponent.
_AMOUNT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]{1,6})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class NotPlainError(ValueError):
    """Raised for a value that takes a closer look."""


class PlainReader:
    """Reads the plain ones among the rows of one kind.

    :param fields: the fields that matter, a struct with the types that they usually have.
    :param to_plain: translates such a struct: the row's key, the struct, the row's bytes and the zone.
    :param zone: of the network's times.
    :param withheld: fields with personal data, which ``fields`` holds as they were sent.
    """

    def __init__(
        self,
        fields: type[msgspec.Struct],
        to_plain: Callable[[str, Any, bytes, ZoneInfo], PlainPurchase],
        zone: ZoneInfo,
        *,
        withheld: Iterable[str] = (),
    ) -> None:
        self._decode = msgspec.json.Decoder(fields, float_hook=Decimal).decode
        self._to_plain = to_plain
        self._zone = zone
        self._withheld = tuple((name, b'"%b"' % name.encode()) for name in withheld)

    def read(self, row: SentRow) -> PlainPurchase | None:
        """Read a row that was told apart; ``None`` where it is not plain."""
        raw = bytes(row.raw)
        # An escaped letter may be one of a field's name, or NUL.
        if b"\\" in raw and b"\\u00" in raw:
            return None
        try:
            found = self._decode(raw)
            for name, quoted in self._withheld:
                raw = _without(raw, quoted, getattr(found, name))
            return self._to_plain(row.key, found, raw, self._zone)
        except (ValueError, ArithmeticError, RecursionError, msgspec.DecodeError):
            return None


def word_of(value: Word) -> str | None:
    """Read text without the white space around it, or a whole number as text."""
    if value is None:
        return None
    return value.strip() or None if type(value) is str else str(value)


def amount_of(value: object) -> str | None:
    """Read an amount, a number of JSON or a text, that is written as Python would write it.

    :raises NotPlainError: for anything else.
    """
    if value is None:
        return None
    if type(value) is Decimal or type(value) is int:
        text = str(value)
        is_plain = "E" not in text
    else:
        is_plain = type(value) is str and _AMOUNT.fullmatch(text := value) is not None
    if not is_plain or len(text) > values.MAX_DIGITS:
        raise NotPlainError
    return text


def moment_of(value: str | None, zone: ZoneInfo) -> str | None:
    """Read a local time to the second, or a bare day, as UTC.

    :raises ValueError: for anything else, and for an hour in which the zone's offset is not one whole hour.
    """
    if value is None:
        return None
    if len(value) == 10:
        return _midnight(value, zone)
    return _utc_hour(value[:13], zone) + _minute(value[13:])


def day_of(value: str | None) -> str:
    """Return the day of a local time that :func:`moment_of` has read.

    :raises NotPlainError: when it is missing.
    """
    if value is None:
        raise NotPlainError
    return value[:10]


@lru_cache(maxsize=256)
def currency_of(value: str | None) -> str | None:
    """Read a currency, see :func:`network_clients.values.currency_of`."""
    return values.currency_of(value, "currency")


# A day has 24 hours and 3,600 endings of them: nearly all are found here.
@lru_cache(maxsize=4096)
def _utc_hour(text: str, zone: ZoneInfo) -> str:
    offset = values.offset_within(text, zone) if _HOUR.fullmatch(text) else None
    if offset is None or offset % timedelta(hours=1):
        raise NotPlainError
    return (datetime.fromisoformat(text) - offset).isoformat()[:13]


@lru_cache(maxsize=4096)
def _minute(text: str) -> str:
    if not _MINUTE.fullmatch(text):
        raise NotPlainError
    return f"{text}Z"


@lru_cache(maxsize=1024)
def _midnight(text: str, zone: ZoneInfo) -> str:
    if not _DAY.fullmatch(text):
        raise NotPlainError
    return str(msgspec.to_builtins(values.moment_of(text, "", zone)))


def _without(raw: bytes, quoted: bytes, sent: msgspec.Raw) -> bytes:
    """Null a field of a row in which no letter of a name is escaped.

    :param quoted: the field's name as it is written.
    :raises NotPlainError: where that takes a closer look.
    """
    parts = raw.split(quoted)
    if len(parts) == 1:
        return raw
    value = b":" + sent
    if len(parts) > 2 or not parts[1].startswith(value):
        raise NotPlainError
    return b"".join((parts[0], quoted, b":null", parts[1][len(value) :]))
