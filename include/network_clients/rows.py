"""Rows of one page, each on its own: a row that cannot be read is set aside and harms no other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from network_clients import values
from network_clients.records import CurrencySource, Money, Record, RejectedRow
from network_clients.values import InvalidValueError

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
# Numbers arrive exactly as written: int or Decimal, never float.
_VALUE = msgspec.json.Decoder(float_hook=Decimal)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw] | None)
_NULL = msgspec.Raw(b"null")


class Row:
    """One JSON object of a network, read field by field; each method is strict about its field's form.

    Every method raises :class:`network_clients.values.InvalidValueError`, which names the field.

    :param raw: the bytes to keep with the record.
    :param zone: of times without an offset.
    :param prefix: where an inner object stands, for the names in errors.
    """

    __slots__ = ("_fields", "_prefix", "_zone", "raw")

    def __init__(
        self, raw: bytes, fields: Mapping[str, msgspec.Raw], zone: ZoneInfo, prefix: str = ""
    ) -> None:
        self.raw = raw
        self._fields = fields
        self._zone = zone
        self._prefix = prefix

    def value(self, name: str) -> object:
        """Return a field as plain Python; ``None`` when it is absent."""
        return _VALUE.decode(self._fields.get(name, _NULL))

    def text(self, name: str) -> str | None:
        """Read text or a whole number as text; ``None`` when there is none."""
        return values.text_of(self.value(name), self._prefix + name)

    def key(self, name: str) -> str:
        """Read an id that must be there."""
        return values.key_of(self.value(name), self._prefix + name)

    def url(self, name: str) -> str | None:
        """Read an absolute web address; ``None`` for anything that is no such address."""
        return values.url_of(self.value(name), self._prefix + name)

    def currency(self, name: str) -> str | None:
        """Read an ISO 4217 code."""
        return values.currency_of(self.value(name), self._prefix + name)

    def money(
        self, name: str, currency: str | None, source: CurrencySource = CurrencySource.ROW
    ) -> Money | None:
        """Read an amount, in the currency that the row itself names unless another ``source`` does."""
        return values.money_of(self.value(name), currency, self._prefix + name, source)

    def count(self, name: str) -> int | None:
        """Read a whole number, in whatever form it is written."""
        return values.count_of(self.value(name), self._prefix + name)

    def moment(self, name: str) -> datetime | None:
        """Read a time as UTC."""
        return values.moment_of(self.value(name), self._prefix + name, self._zone)

    def day(self, name: str) -> date:
        """Read the calendar day, in the network's zone, of a time that must be there."""
        return values.day_of(self.value(name), self._prefix + name, self._zone)

    def flag(self, name: str) -> bool | None:
        """Read yes or no from a boolean or from 0 and 1, as a number or as text."""
        return values.flag_of(self.value(name), self._prefix + name)

    def child(self, name: str) -> Row:
        """Return an inner object; an absent one has no fields."""
        sent = self._fields.get(name, _NULL)
        fields = {} if sent == _NULL else _fields_of(bytes(sent), self._prefix + name)
        return Row(self.raw, fields, self._zone, f"{self._prefix}{name}.")

    def texts(self, name: str, inner: str) -> tuple[str, ...]:
        """Read a list of texts, or of objects whose field ``inner`` is a text; empty ones are left out."""
        items = self.value(name) or []
        if not isinstance(items, list):
            raise InvalidValueError(self._prefix + name, "is not a list")
        found = [item.get(inner) if isinstance(item, dict) else item for item in items]
        return tuple(text for item in found if (text := values.text_of(item, self._prefix + name)))

    def children(self, name: str, handed_on: Mapping[str, str]) -> Iterator[msgspec.Raw]:
        """Return the objects of an inner list as rows of their own.

        :param handed_on: fields of this row that each of them gets too: the name there to the name here.
        """
        sent = bytes(self._fields.get(name, _NULL))
        try:
            items = _ITEMS.decode(sent) or []
        except msgspec.ValidationError:
            raise InvalidValueError(self._prefix + name, "is not a list") from None
        added = {new: self._fields.get(old, _NULL) for new, old in handed_on.items()}
        for item in items:
            try:
                yield msgspec.Raw(msgspec.json.encode(_FIELDS.decode(item) | added))
            except msgspec.ValidationError:
                # No object: whoever reads it sets it aside.
                yield item


@dataclass
class Reading:
    """What the rows of a page have become.

    ``items`` holds for every row, in order, its id, or a digest of a row that has none; ``skipped`` rows
    are in none of the lists.
    """

    records: list[Record] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    skipped: int = 0

    def reject(self, error: InvalidValueError, key: str | None, raw: bytes) -> None:
        """Set a row aside."""
        reason = f"{error.field or 'The row'} {error.reason}."
        self.rejected.append(RejectedRow(reason=reason, field=error.field or None, key=key, raw=raw))


class RowReader:
    """Turns the rows of one kind into records.

    :param id_field: the field that tells rows apart.
    :param identify: builds what tells rows apart, where no single field does.
    :param withheld: fields of the network with personal data; they are null in everything that is kept.
    :param volatile: fields that speak of the list and not of their row; they are null too, or a row would
        change whenever another one appears.
    :param skips: tells rows that are none of this kind, such as a line of sums.
    """

    def __init__(
        self,
        to_record: Callable[[Row], Record],
        zone: ZoneInfo,
        *,
        id_field: str = "id",
        identify: Callable[[Row], str | None] | None = None,
        withheld: tuple[str, ...] = (),
        volatile: tuple[str, ...] = (),
        skips: Callable[[Row], bool] = lambda row: False,
    ) -> None:
        self._to_record = to_record
        self._zone = zone
        self._identify = identify or (lambda row: row.text(id_field))
        self._nulled = (*withheld, *volatile)
        self._skips = skips

    def read(self, rows: Iterable[msgspec.Raw]) -> Reading:
        """Read all rows of a page."""
        reading = Reading()
        for sent in rows:
            raw, key = bytes(sent), None
            try:
                row = self._row(raw)
                raw = row.raw
                if self._skips(row):
                    reading.skipped += 1
                    continue
                key = self._identify(row)
                # Postgres' jsonb refuses the escape anywhere in the row, also in a field that nobody reads.
                if b"\\u0000" in raw:
                    raise InvalidValueError("", "holds a NUL character, which no database text can hold")
                reading.records.append(self._to_record(row))
            except InvalidValueError as error:
                reading.reject(error, key, raw)
            reading.items.append(key or _digest(raw))
        return reading

    def _row(self, raw: bytes) -> Row:
        fields = _fields_of(raw, "")
        present = [name for name in self._nulled if fields.get(name, _NULL) != _NULL]
        if present:
            # All other values are written back byte for byte, so amounts keep their digits.
            fields.update(dict.fromkeys(present, _NULL))
            raw = msgspec.json.encode(fields)
        return Row(raw, fields, self._zone)


class InnerReader:
    """Turns the rows that stand inside the rows of a list into records: coupons inside campaigns.

    The items are the outer rows, since those are what the network pages. An outer row whose inside cannot
    be read is set aside without a key: nobody knows which rows it held.

    :param unfold: finds the inner rows of an outer one.
    :param id_field: the field that tells outer rows apart.
    """

    def __init__(
        self,
        unfold: Callable[[Row], Iterable[msgspec.Raw]],
        inner: RowReader,
        zone: ZoneInfo,
        *,
        id_field: str = "id",
    ) -> None:
        self._unfold = unfold
        self._inner = inner
        self._zone = zone
        self._id_field = id_field

    def read(self, rows: Iterable[msgspec.Raw]) -> Reading:
        """Read the inner rows of all rows of a page."""
        reading = Reading()
        for sent in rows:
            raw, key = bytes(sent), None
            try:
                row = Row(raw, _fields_of(raw, ""), self._zone)
                key = row.text(self._id_field)
                found = self._inner.read(self._unfold(row))
                reading.records += found.records
                reading.rejected += found.rejected
            except InvalidValueError as error:
                reading.reject(error, None, raw)
            reading.items.append(key or _digest(raw))
        return reading


def _digest(raw: bytes) -> str:
    return f"#{hashlib.blake2b(raw, digest_size=8).hexdigest()}"


def _fields_of(raw: bytes, name: str) -> dict[str, msgspec.Raw]:
    try:
        return _FIELDS.decode(raw)
    except msgspec.ValidationError:
        raise InvalidValueError(name, "is not a JSON object") from None
