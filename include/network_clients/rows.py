"""Rows of one page, each on its own: a row that cannot be read is set aside and harms no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

from network_clients.records import Record, RejectedRow
from network_clients.values import InvalidValueError

RowT = TypeVar("RowT", bound=msgspec.Struct)


class RowReader(Generic[RowT]):
    """Turns raw JSON rows into records.

    :param row_type: the struct of the network's row. Fields typed ``Any`` receive numbers exactly as
        written (``int`` or ``Decimal``, never ``float``).
    :param to_record: makes the record; it gets the struct and the bytes to keep as ``raw``.
    :param key_of_row: the row's id for people, also of a row that is set aside.
    """

    def __init__(
        self,
        row_type: type[RowT],
        to_record: Callable[[RowT, bytes], Record],
        key_of_row: Callable[[RowT], str | None],
    ) -> None:
        self._decoder = msgspec.json.Decoder(row_type, float_hook=Decimal)
        self._to_record = to_record
        self._key_of_row = key_of_row

    def read(self, rows: Iterable[bytes]) -> tuple[list[Record], list[RejectedRow], list[str | None]]:
        """Read all rows of a page.

        :return: records, rows set aside, and the id of every row in the order of the page.
        """
        records: list[Record] = []
        rejected: list[RejectedRow] = []
        keys: list[str | None] = []
        for raw in rows:
            key = None
            try:
                row = self._decode(raw)
                key = self._key_of_row(row)
                records.append(self._to_record(_storable(row, raw), raw))
            except InvalidValueError as error:
                rejected.append(
                    RejectedRow(reason=_sentence(error), field=error.field or None, key=key, raw=raw)
                )
            keys.append(key)
        return records, rejected, keys

    def _decode(self, raw: bytes) -> RowT:
        try:
            return self._decoder.decode(raw)
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at `$")
            raise InvalidValueError(where.rstrip("`").lstrip("."), f"cannot be read: {what}") from None


def _storable(row: RowT, raw: bytes) -> RowT:
    # Postgres' jsonb refuses the escape anywhere in the row, also in a field that nobody maps.
    if b"\\u0000" in raw:
        raise InvalidValueError("", "holds a NUL character, which no database text can hold")
    return row


def _sentence(problem: InvalidValueError) -> str:
    return f"{problem.field or 'The row'} {problem.reason}."
