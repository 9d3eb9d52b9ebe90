"""Rows of one page, each on its own: a row that cannot be read is set aside and harms no other.

A page is first told apart: each row's key is found, and nothing else of it is looked at. Whoever stores
the rows has those translated that are new or have changed (:class:`network_clients.records.SentRow`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from network_clients.plain import PlainReader
from network_clients.records import Grain, PlainPurchase, Record, RejectedRow, SentRow
from network_clients.row import Row, decoder_of, fields_of, parse_row
from network_clients.values import InvalidValueError

_NULL = msgspec.Raw(b"null")


@dataclass
class Reading:
    """What the rows of a page have become.

    ``items`` holds for every row, in order, its id, or a digest of a row that has none; ``skipped`` rows
    are in none of the lists.
    """

    records: list[Record | SentRow] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    skipped: int = 0


class RowReader:
    """Turns the rows of one kind into records.

    :param id_field: the field that tells rows apart; its value is the key of the record.
    :param identify: builds the key, where no single field is one.
    :param grain: what each row stands for.
    :param reads: the fields that ``to_record`` reads, where it looks at no other: those are not decoded then.
    :param withheld: fields of the network with personal data; they are null in everything that is kept.
    :param volatile: fields that speak of the list and not of their row; they are null too, or a row would
        change whenever another one appears.
    :param skips: tells rows that are none of this kind, such as a line of sums.
    :param plain: reads the well-formed ones among them at once.
    """

    def __init__(
        self,
        to_record: Callable[[Row], Record],
        zone: ZoneInfo,
        *,
        id_field: str = "id",
        identify: Callable[[Row], str | None] | None = None,
        grain: Grain = Grain.ORDER,
        reads: tuple[str, ...] = (),
        withheld: tuple[str, ...] = (),
        volatile: tuple[str, ...] = (),
        skips: Callable[[Row], bool] | None = None,
        plain: PlainReader | None = None,
    ) -> None:
        self.grain = grain
        self._to_record = to_record
        self._zone = zone
        self._identify = identify or (lambda row: row.text(id_field))
        self._volatile = volatile
        self._nulled = {name: msgspec.json.encode(name) for name in (*withheld, *volatile)}
        self._parts = {"decoder": decoder_of(reads, self._nulled)} if reads else {}
        self._skips = skips
        self._plain = plain
        # Where nothing but one field decides, the others are not even split.
        self._head = _head(id_field) if identify is None and skips is None and not volatile else None

    def tell_apart(self, rows: Iterable[msgspec.Raw]) -> Reading:
        """Find the keys of all rows of a page."""
        reading = Reading()
        records, items, head = reading.records, reading.items, self._head
        for sent in rows:
            key = head(sent) if head is not None else None
            if key is None:
                self._look_into(sent, reading)
            else:
                records.append(SentRow(key, sent, self))
                items.append(key)
        return reading

    def translate(self, row: SentRow) -> Record | RejectedRow:
        """Read a row that was told apart."""
        raw = bytes(row.raw)
        try:
            raw, parsed = self._parse(raw)
            _refuse_nul(raw)
            record = self._to_record(parsed)
        except InvalidValueError as error:
            return rejected(error, row.key, raw)
        return record if record.key == row.key else msgspec.structs.replace(record, key=row.key)

    def plainly(self, row: SentRow) -> PlainPurchase | None:
        """Read a row that was told apart at once; ``None`` where it takes a closer look."""
        return None if self._plain is None else self._plain.read(row)

    def _look_into(self, sent: msgspec.Raw, reading: Reading) -> None:
        raw, key = bytes(sent), None
        try:
            raw, row = self._parse(raw)
            if self._skips is not None and self._skips(row):
                reading.skipped += 1
                return
            key = self._identify(row)
            if key is None:
                # Its translation knows why there is no key.
                _refuse_nul(raw)
                reading.records.append(self._to_record(row))
            else:
                reading.records.append(SentRow(key, raw if self._volatile else sent, self))
        except InvalidValueError as error:
            reading.rejected.append(rejected(error, key, raw))
        reading.items.append(key or _digest(raw))

    def _parse(self, raw: bytes) -> tuple[bytes, Row]:
        """Return the bytes of a row that may be kept, and what is in them."""
        values = parse_row(raw, **self._parts)
        if not self._nulled.keys().isdisjoint(values):
            raw = self._kept(raw, values)
            values.update(dict.fromkeys(self._nulled))
        return raw, Row(raw, values, self._zone)

    def _kept(self, raw: bytes, values: dict[str, Any]) -> bytes:
        """Null what is not kept; all other values stay byte for byte, so amounts keep their digits."""
        kept: bytes | None = None if b"\\" in raw and b"\\u" in raw else raw
        for name, quoted in self._nulled.items():
            if kept is not None and name in values:
                kept = _nulled(kept, quoted, values[name])
        return self._encoded(raw) if kept is None else kept

    def _encoded(self, raw: bytes) -> bytes:
        fields = fields_of(raw, "")
        return msgspec.json.encode(fields | dict.fromkeys((n for n in self._nulled if n in fields), _NULL))


class InnerReader:
    """Tells apart the rows that stand inside the rows of a list: coupons inside campaigns.

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

    def tell_apart(self, rows: Iterable[msgspec.Raw]) -> Reading:
        """Find the keys of the inner rows of all rows of a page."""
        reading = Reading()
        for sent in rows:
            raw, key = bytes(sent), None
            try:
                row = Row(raw, parse_row(raw), self._zone)
                key = row.text(self._id_field)
                found = self._inner.tell_apart(self._unfold(row))
                reading.records += found.records
                reading.rejected += found.rejected
            except InvalidValueError as error:
                reading.rejected.append(rejected(error, None, raw))
            reading.items.append(key or _digest(raw))
        return reading


def rejected(error: InvalidValueError, key: str | None, raw: bytes) -> RejectedRow:
    """Say why a row is set aside."""
    reason = f"{error.field or 'The row'} {error.reason}."
    return RejectedRow(reason=reason, field=error.field or None, key=key, raw=raw)


def _head(id_field: str) -> Callable[[msgspec.Raw], str | None]:
    """Make what finds the id of a row at once, and ``None`` wherever a closer look is needed."""
    kind = msgspec.defstruct("Head", [("id", str | int | None, None)], rename={"id": id_field})
    decode: Callable[[msgspec.Raw], Any] = msgspec.json.Decoder(kind).decode

    def find(sent: msgspec.Raw) -> str | None:
        try:
            found: str | int | None = decode(sent).id
        except (msgspec.DecodeError, RecursionError):
            return None
        if type(found) is str:
            return found.strip() or None if "\x00" not in found else None
        return None if found is None else str(found)

    return find


def _nulled(raw: bytes, quoted: bytes, sent: object) -> bytes | None:
    """Null a field of a row without reading the row; ``None`` where that takes a closer look.

    :param raw: a row in which no letter is escaped.
    :param quoted: the field's name as it is written.
    :param sent: the field's value, as bytes or read.
    """
    # A name that is there once is that of the field, and not of one of an inner object.
    if raw.count(quoted) != 1:
        return None
    if sent is None or sent == _NULL:
        return raw
    if not isinstance(sent, msgspec.Raw):
        return None
    before, found, after = raw.partition(b"%b:%b" % (quoted, sent))
    return b"%b%b:null%b" % (before, quoted, after) if found else None


def _refuse_nul(raw: bytes) -> None:
    # Postgres' jsonb refuses the escape anywhere in the row, also in a field that nobody reads.
    if b"\\" in raw and b"\\u0000" in raw:
        raise InvalidValueError("", "holds a NUL character, which no database text can hold")


def _digest(raw: bytes) -> str:
    return f"#{hashlib.blake2b(raw, digest_size=8).hexdigest()}"
