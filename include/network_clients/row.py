"""One row of a network, read field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

import msgspec

from network_clients import values
from network_clients.records import CurrencySource, Money
from network_clients.values import InvalidValueError

RowDecoder = msgspec.json.Decoder[dict[str, Any]]

# Numbers arrive exactly as written: int or Decimal, never float.
_PARSED: RowDecoder = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_SPLIT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_VALUE = msgspec.json.Decoder(float_hook=Decimal)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw] | None)
_NULL = msgspec.Raw(b"null")


class Row:
    """One JSON object of a network, read field by field; each method is strict about its field's form.

    Every method raises :class:`network_clients.values.InvalidValueError`, which names the field.

    :param raw: the bytes to keep with the record.
    :param parsed: its fields, see :func:`parse_row`.
    :param zone: of times without an offset.
    :param prefix: where an inner object stands, for the names in errors.
    """

    __slots__ = ("_prefix", "_values", "_zone", "raw")

    def __init__(
        self,
        raw: bytes,
        parsed: Mapping[str, Any],
        zone: ZoneInfo,
        prefix: str = "",
    ) -> None:
        self.raw = raw
        self._values = parsed
        self._zone = zone
        self._prefix = prefix

    def value(self, name: str) -> object:
        """Return a field as plain Python; ``None`` when it is absent."""
        return self._values.get(name)

    def text(self, name: str) -> str | None:
        """Read text or a whole number as text; ``None`` when there is none."""
        value = self._values.get(name)
        return None if value is None else values.text_of(value, self._prefix + name)

    def key(self, name: str) -> str:
        """Read an id that must be there."""
        return values.key_of(self._values.get(name), self._prefix + name)

    def url(self, name: str) -> str | None:
        """Read an absolute web address; ``None`` for anything that is no such address."""
        return values.url_of(self._values.get(name), self._prefix + name)

    def currency(self, name: str) -> str | None:
        """Read an ISO 4217 code."""
        return values.currency_of(self._values.get(name), self._prefix + name)

    def money(
        self, name: str, currency: str | None, source: CurrencySource = CurrencySource.ROW
    ) -> Money | None:
        """Read an amount, in the currency that the row itself names unless another ``source`` does."""
        return values.money_of(self._values.get(name), currency, self._prefix + name, source)

    def count(self, name: str) -> int | None:
        """Read a whole number, in whatever form it is written."""
        return values.count_of(self._values.get(name), self._prefix + name)

    def moment(self, name: str) -> datetime | None:
        """Read a time as UTC."""
        return values.moment_of(self._values.get(name), self._prefix + name, self._zone)

    def day(self, name: str) -> date:
        """Read the calendar day, in the network's zone, of a time that must be there."""
        return values.day_of(self._values.get(name), self._prefix + name, self._zone)

    def flag(self, name: str) -> bool | None:
        """Read yes or no from a boolean or from 0 and 1, as a number or as text."""
        return values.flag_of(self._values.get(name), self._prefix + name)

    def child(self, name: str) -> Row:
        """Return an inner object; an absent one has no fields."""
        sent = self._values.get(name)
        if sent is not None and not isinstance(sent, dict):
            raise InvalidValueError(self._prefix + name, "is not a JSON object")
        return Row(self.raw, sent or {}, self._zone, f"{self._prefix}{name}.")

    def texts(self, name: str, inner: str) -> tuple[str, ...]:
        """Read a list of texts, or of objects whose field ``inner`` is a text; empty ones are left out."""
        items = self._values.get(name) or []
        if not isinstance(items, list):
            raise InvalidValueError(self._prefix + name, "is not a list")
        found = [item.get(inner) if isinstance(item, dict) else item for item in items]
        return tuple(text for item in found if (text := values.text_of(item, self._prefix + name)))

    def children(self, name: str, handed_on: Mapping[str, str]) -> Iterator[msgspec.Raw]:
        """Return the objects of a list inside a whole row as rows of their own, their values as sent.

        :param handed_on: fields of this row that each of them gets too: the name there to the name here.
        """
        fields = fields_of(self.raw, self._prefix)
        try:
            items = _ITEMS.decode(fields.get(name, _NULL)) or []
        except msgspec.ValidationError:
            raise InvalidValueError(self._prefix + name, "is not a list") from None
        added = {new: fields.get(old, _NULL) for new, old in handed_on.items()}
        for item in items:
            try:
                yield msgspec.Raw(msgspec.json.encode(_SPLIT.decode(item) | added))
            except msgspec.ValidationError:
                # No object: whoever reads it sets it aside.
                yield item


class _Unreadable:
    """Stands for a value that Python cannot hold; it is a fault only where somebody reads it."""

    def __repr__(self) -> str:
        return "a value that is nested too deeply, or a number beyond all bounds"


def decoder_of(reads: Iterable[str], as_sent: Iterable[str]) -> RowDecoder:
    """Make a decoder for :func:`parse_row` that skips all fields but some.

    :param reads: fields to read as plain Python.
    :param as_sent: fields to hand out as they were sent.
    """
    fields = {**dict.fromkeys(reads, Any), **dict.fromkeys(as_sent, msgspec.Raw)}
    return msgspec.json.Decoder(TypedDict("Fields", fields, total=False), float_hook=Decimal)  # type: ignore[operator]


def parse_row(raw: bytes, decoder: RowDecoder = _PARSED) -> dict[str, Any]:
    """Read the fields of a row.

    :param decoder: of the fields that matter, see :func:`decoder_of`.
    :raises InvalidValueError: when it is no JSON object.
    """
    try:
        return decoder.decode(raw)
    except (msgspec.ValidationError, RecursionError, ArithmeticError):
        # No object, or a single value that harms no other.
        return {name: _value_of(sent) for name, sent in fields_of(raw, "").items()}


def fields_of(raw: bytes, name: str) -> dict[str, msgspec.Raw]:
    """Split a JSON object into its fields as they were sent.

    :param name: what it is called in the error.
    :raises InvalidValueError: when it is no JSON object.
    """
    try:
        return _SPLIT.decode(raw)
    except msgspec.ValidationError:
        raise InvalidValueError(name, "is not a JSON object") from None


def _value_of(sent: msgspec.Raw) -> object:
    try:
        return _VALUE.decode(sent)
    except (msgspec.DecodeError, RecursionError, ArithmeticError):
        return _Unreadable()
