"""Strict reading of single values: what a network sent becomes a typed value, or a reason why not.

Nothing is guessed here: an amount that is not a plain number, an impossible date or a text that
Postgres cannot hold raises :class:`InvalidValueError`, and the row is set aside with that reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from network_clients.records import CurrencySource, Money, Status

#: Digits of an amount, written out without exponent, that are still believed.
MAX_DIGITS = 30

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)


class InvalidValueError(ValueError):
    """Raised for a value that cannot be stored truthfully.

    :param field: the network's name of the field.
    :param reason: what is wrong, as the end of a sentence that starts with the field.
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field} {reason}")


def decimal_of(value: object, field: str) -> Decimal | None:
    """Read an amount or count from a JSON number or a string; ``None`` and blank text are ``None``.

    :param value: ``int``, ``Decimal`` or ``str``; a ``float`` is refused, because it has lost digits.
    :raises InvalidValueError: for text, NaN, infinity and more than 30 digits.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise InvalidValueError(field, f"is not a number: {_shown(value)}")
    text = str(value).strip()
    if type(value) is Decimal and len(text) <= MAX_DIGITS and "E" not in text and value.is_finite():
        return value
    if len(text) > 4 * MAX_DIGITS or not _NUMBER.fullmatch(text):
        raise InvalidValueError(field, f"is not a number: {_shown(value)}")
    number = value if isinstance(value, Decimal) else Decimal(text)
    if len(text) > MAX_DIGITS or "E" in text or "e" in text:
        exponent = int(number.as_tuple().exponent)
        whole = max(number.adjusted() + 1, 0) if number else 0
        if whole + max(-exponent, 0) > MAX_DIGITS:
            raise InvalidValueError(field, f"has more than {MAX_DIGITS} digits: {_shown(value)}")
    return number


def count_of(value: object, field: str) -> int | None:
    """Read a whole number from a JSON number or a string (``4``, ``"4"``, ``"4.0"``).

    :raises InvalidValueError: for a fraction, and as :func:`decimal_of` does.
    """
    number = decimal_of(value, field)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise InvalidValueError(field, f"is not a whole number: {_shown(value)}")
    return int(number)


def currency_of(value: object, field: str) -> str | None:
    """Read an ISO 4217 code in any letter case; ``None`` and blank text are ``None``.

    :raises InvalidValueError: for anything but three Latin letters.
    """
    text = text_of(value, field)
    if text is None:
        return None
    code = text.upper()
    if not _CURRENCY.fullmatch(code):
        raise InvalidValueError(field, f"is not a currency code of three letters: {_shown(value)}")
    return code


def money_of(
    amount: object, currency: str | None, field: str, source: CurrencySource = CurrencySource.ROW
) -> Money | None:
    """Join an amount with its currency, which its own row names unless ``source`` says who else does.

    No amount gives ``None``.

    :raises InvalidValueError: when there is an amount but no currency: none is ever invented.
    """
    number = decimal_of(amount, field)
    if number is None:
        return None
    if currency is None:
        raise InvalidValueError("currency", "is missing, so the row's amounts have no meaning")
    return Money(number, currency, source)


def day_of(value: object, field: str, zone: ZoneInfo) -> date:
    """Read the calendar day of a time in ``zone``: of a time without offset, the day as it is written.

    :raises InvalidValueError: when it is missing, and as :func:`moment_of` does.
    """
    text = text_of(value, field)
    if text is None:
        raise InvalidValueError(field, "is missing, so the row belongs to no day")
    try:
        return _read_moment(text, zone)[1]
    except ValueError as error:
        raise InvalidValueError(field, f"{error}: {_shown(value)}") from None


def moment_of(value: object, field: str, zone: ZoneInfo) -> datetime | None:
    """Read a time as UTC; ``None`` and blank text are ``None``, a bare day is its midnight.

    A time without an offset is local time in ``zone``. One that the clock shows twice in autumn is the
    first of the two; one that it skips in spring is taken with the offset that was valid before.

    :raises InvalidValueError: for anything but ISO 8601 forms of times that exist.
    """
    text = text_of(value, field)
    if text is None:
        return None
    try:
        return _read_moment(text, zone)[0]
    except ValueError as error:
        raise InvalidValueError(field, f"{error}: {_shown(value)}") from None


# A row names the same moment several times: as its day, its time, the time of its click.
@lru_cache(maxsize=1024)
def _read_moment(text: str, zone: ZoneInfo) -> tuple[datetime, date]:
    """Return a time as UTC, and its calendar day in a zone."""
    if not (_MOMENT.fullmatch(text) or _DAY.fullmatch(text)):
        raise ValueError("is not a time")
    try:
        written = datetime.fromisoformat(text)
        if written.tzinfo is None:
            offset = offset_within(text[:13], zone)
            if offset is None:
                return written.replace(tzinfo=zone).astimezone(UTC), written.date()
            return written.replace(tzinfo=UTC) - offset, written.date()
        return written.astimezone(UTC), written.astimezone(zone).date()
    except (ValueError, OverflowError):
        raise ValueError("is a time that does not exist") from None


@lru_cache(maxsize=256)
def offset_within(hour: str, zone: ZoneInfo) -> timedelta | None:
    """Return a zone's offset in an hour, or at midnight of a day; ``None`` where it changes in between.

    :raises ValueError: when there is no such hour.
    """
    start = datetime.fromisoformat(hour).replace(tzinfo=zone)
    offset = start.utcoffset()
    return offset if (start + timedelta(minutes=59, seconds=59)).utcoffset() == offset else None


def text_of(value: object, field: str) -> str | None:
    """Read text without the white space around it; ``None`` and blank text are ``None``.

    Whole numbers are text too: networks send ids and order numbers in both forms.

    :raises InvalidValueError: for other types, and for a NUL character, which Postgres cannot hold.
    """
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidValueError(field, "holds a NUL character, which no database text can hold")
        return value.strip() or None
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidValueError(field, f"is not text: {_shown(value)}")


def key_of(value: object, field: str) -> str:
    """Read an id.

    :raises InvalidValueError: when it is missing, and as :func:`text_of` does.
    """
    text = text_of(value, field)
    if text is None:
        raise InvalidValueError(field, "is missing, so the row cannot be told from others")
    return text


def status_of(words: Mapping[str, Status], word: str | None) -> Status:
    """Return our status for a network's word; one that its facts do not list is ``unknown``."""
    return words.get((word or "").lower(), Status.UNKNOWN)


def flag_of(value: object, field: str) -> bool | None:
    """Read yes or no from a boolean or from 0 and 1, as a number or as text; ``None`` is ``None``.

    :raises InvalidValueError: for anything else.
    """
    if isinstance(value, bool):
        return value
    text = text_of(value, field)
    if text is None:
        return None
    if text not in ("0", "1"):
        raise InvalidValueError(field, f"is neither 0 nor 1: {_shown(value)}")
    return text == "1"


def url_of(value: object, field: str) -> str | None:
    """Read an absolute web address; ``//host/path`` becomes https.

    What is no ``http`` or ``https`` address is ``None``: a link is not worth losing a row for, a screen
    must never show ``javascript:`` as one, and the raw row keeps what was sent.

    :raises InvalidValueError: when it is not text at all.
    """
    text = text_of(value, field)
    if text is None:
        return None
    address = f"https:{text}" if text.startswith("//") else text
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme.lower() in ("http", "https") and parts.hostname else None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
