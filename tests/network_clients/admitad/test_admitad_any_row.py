"""However odd a row is: what is skipped in decoding it changes nothing about what it becomes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from network_clients.admitad.mapping import PURCHASE_FIELDS, WITHHELD, to_purchase
from network_clients.records import Purchase, RejectedRow, SentRow
from network_clients.rows import RowReader
from tests.network_clients.admitad.account import ACTION

MOSCOW = ZoneInfo("Europe/Moscow")
QUICK = RowReader(to_purchase, MOSCOW, id_field="action_id", reads=PURCHASE_FIELDS, withheld=WITHHELD)
WHOLE = RowReader(to_purchase, MOSCOW, id_field="action_id", withheld=WITHHELD)

#: A row in which every field says something.
FULL = ACTION | {
    "closing_date": "2026-03-09",
    "click_user_ip": "203.0.113.9",
    "click_user_referer": "https://x",
}
FULL |= {name: f"s{at}" for at, name in enumerate(("subid", "subid1", "subid2", "subid3", "subid4"))}

TEXTS = st.text(max_size=6) | st.sampled_from(
    ["", " ", "0", "12.50", "1e3", "NaN", "usd", "2026-03-05", "2026-03-05 10:00:00", "approved", *WITHHELD]
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.sampled_from(WITHHELD), inner, max_size=3)
    ),
    max_leaves=6,
)
#: Values that are odd, and fields that nobody knows.
CHANGES = st.dictionaries(st.sampled_from([*FULL]) | TEXTS, VALUES, max_size=6)


@st.composite
def sent_rows(draw: st.DrawFn) -> bytes:
    """Write a row in one of the ways in which JSON may be written."""
    fields: list[tuple[str, Any]] = [*(FULL | draw(CHANGES)).items()]
    fields += draw(st.lists(st.tuples(st.sampled_from([*FULL]), VALUES), max_size=2))
    escaped = draw(st.booleans())
    colon, comma = draw(st.sampled_from([(":", ","), (": ", ", "), (" :\t", "\n,")]))
    written = [
        f"{json.dumps(name, ensure_ascii=escaped)}{colon}{json.dumps(value, ensure_ascii=escaped)}"
        for name, value in fields
    ]
    row = "{" + comma.join(written) + "}"
    if draw(st.booleans()):
        row = row.replace('"click_user_ip"', r'"click\u005fuser_ip"', 1)
    return row.encode("utf-8", "backslashreplace")


def read_by(reader: RowReader, sent: bytes) -> Purchase | RejectedRow:
    return reader.translate(SentRow("1", sent, reader))  # type: ignore[return-value]


def without_raw(found: Purchase | RejectedRow) -> Purchase | RejectedRow:
    return msgspec.structs.replace(found, raw=b"")


def as_stored(raw: bytes) -> object:
    """Return a row as Postgres would keep it: the last of fields with one name counts."""
    return json.loads(raw, parse_float=Decimal)


@given(sent_rows())
@example(json.dumps(FULL).encode())
@example(rb'{"action_id":1,"click\u005fuser_ip":"203.0.113.7","positions":[{"click_user_ip":"203.0.113.7"}]}')
@example(rb'{"action_id":1,"click_user_ip":"203.0.113.7","comment":"\"click_user_ip\":\"203.0.113.7\""}')
def test_a_row_becomes_the_same_whether_all_its_fields_are_decoded_or_those_that_matter(sent: bytes) -> None:
    quick, whole = read_by(QUICK, sent), read_by(WHOLE, sent)
    assert without_raw(quick) == without_raw(whole)
    assert as_stored(quick.raw) == as_stored(whole.raw)


@given(sent_rows(), st.sampled_from(WITHHELD), st.sampled_from([None, "203.0.113.9"]))
def test_personal_data_is_kept_of_no_row(sent: bytes, name: str, last: str | None) -> None:
    row = sent[:-1] + f',"{name}":"203.0.113.7","{name}":{json.dumps(last)}'.encode() + b"}"
    for reader in (QUICK, WHOLE):
        kept = read_by(reader, row).raw
        assert as_stored(kept) == as_stored(row) | dict.fromkeys(WITHHELD & as_stored(row).keys())  # type: ignore[operator,attr-defined]
        assert b"203.0.113." not in kept
