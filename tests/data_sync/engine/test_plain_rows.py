"""Rows that are read at once are stored as if each of their fields had been looked at."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_sync.database import Database
from data_sync.engine.encoding import line_of, plain_line
from data_sync.engine.tables import PURCHASES, UnstorableRowError, row_of
from network_clients.admitad.mapping import PURCHASE_FIELDS, WITHHELD, to_purchase
from network_clients.admitad.plain import PlainAction, plain_purchase
from network_clients.plain import PlainReader
from network_clients.records import Kind, PlainPurchase, Purchase, SentRow
from network_clients.rows import RowReader
from tests.data_sync.engine.scripted import ScriptedClient
from tests.data_sync.kit import counts, read, rows
from tests.network_clients.admitad.account import ACTION
from tests.network_clients.admitad.test_admitad_any_row import FULL, sent_rows

#: What COPY writes for a letter that means something to it.
_ESCAPED = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}
#: Zones whose offset is no whole hour, changes in the middle of one, or has been another one at all times.
ZONES = ["Europe/Moscow", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns"]

AMOUNTS = st.sampled_from(
    ["0", "-0", "-0.0", "12.50", "007", "1.", ".5", "1e3", "1E-7", "0.000001", "0.0000001", "9" * 31]
)
TIMES = st.datetimes().map(lambda moment: moment.isoformat(" ", "seconds")) | st.sampled_from(
    ["2026-03-05", "2026-03-05T10:00:00", "2026-03-29 02:30:00", "2026-10-25 02:30:00", "2026-03-05 24:00:00",
     "2026-03-05 10:00", "2026-03-05 10:00:60", "2026-02-30", "0001-01-01 00:00:00", "9999-12-31 23:59:59"]
)  # fmt: skip
WORDS = (
    st.text(max_size=5)
    | st.integers()
    | st.sampled_from(
        [
            "a\tb",
            "a\nb",
            "a\\b",
            '"',
            "é",
            "\x00",
            "\ud800",
            " x ",
            "EUR",
            "usd",
            "Approved",
            "declined",
            "🙂",
        ]
    )
)
USUAL = {
    **dict.fromkeys(("cart", "payment"), AMOUNTS | st.integers() | st.decimals(places=2, allow_nan=False)),
    **dict.fromkeys(("action_date", "click_date", "closing_date", "status_updated"), TIMES),
    **dict.fromkeys(("advcampaign_name", "promocode", "currency", "status", "subid", "order_id"), WORDS),
    "paid": st.sampled_from([0, 1, 2, "0", "1", True, False, None, 1.0]),
}


@st.composite
def usual_rows(draw: st.DrawFn) -> bytes:
    """Write a row of which some fields have forms that networks use, or nearly so."""
    changed = {name: draw(USUAL[name] | st.none()) for name in draw(st.sets(st.sampled_from([*USUAL])))}
    fields: dict[str, Any] = FULL | {"click_user_referer": draw(WORDS)} | changed
    text = json.dumps(fields, default=str, ensure_ascii=draw(st.booleans()), separators=(",", ":"))
    for name in ("cart", "payment"):
        if draw(st.booleans()) and isinstance(fields[name], str):
            # As a number of JSON, or as what is none.
            text = text.replace(f'"{name}":"{fields[name]}"', f'"{name}":{fields[name]}')
    return text.encode("utf-8", "backslashreplace")


def reader_in(zone: str) -> RowReader:
    """Make Admitad's reader for another zone than Admitad's."""
    plain = PlainReader(PlainAction, plain_purchase, ZoneInfo(zone), withheld=WITHHELD)
    return RowReader(
        to_purchase,
        ZoneInfo(zone),
        id_field="action_id",
        reads=PURCHASE_FIELDS,
        withheld=WITHHELD,
        plain=plain,
    )


READERS = {zone: reader_in(zone) for zone in ZONES}


def told_apart(reader: RowReader, sent: bytes) -> SentRow | None:
    """Find a row's key, as the rows of a page are told apart."""
    try:
        found = reader.tell_apart(msgspec.json.decode(b"[" + sent + b"]", type=list[msgspec.Raw])).records
    except msgspec.DecodeError:
        return None
    return found[0] if found and isinstance(found[0], SentRow) else None


def line_by_fields(row: SentRow) -> bytes | None:
    """Return a row's line when each of its fields is looked at; none where it is set aside."""
    record = row.translated()
    try:
        return line_of(row_of(PURCHASES, record)) if isinstance(record, Purchase) else None
    except UnstorableRowError:
        return None


def line_at_once(row: SentRow) -> bytes | None:
    plain = row.plain()
    return None if plain is None else plain_line(plain)


def as_stored(line: bytes) -> tuple[list[bytes], object]:
    """Return a line's columns, and the row as Postgres would keep it: the last of one name counts."""
    *columns, raw = line.split(b"\t")
    sent = re.sub(rb"\\(.)", lambda found: _ESCAPED.get(found[1], found[1]), raw)
    return columns, json.loads(sent, parse_float=Decimal)


@given(usual_rows() | sent_rows(), st.sampled_from(ZONES))
@example(json.dumps(FULL, separators=(",", ":")).encode(), "Europe/Moscow")
@example(
    rb'{"action_id":1,"action_date":"2026-03-05","status":"open","click_user_ip":{"click_user_ip":1}}',
    "Europe/Moscow",
)
@example(
    b'{"action_id":1,"action_date":"2026-03-05","status":"open","positions":[{"click_user_ip":1}]}',
    "Europe/Moscow",
)
@example(
    rb'{"action_id":1,"action_date":"2026-03-05","status":"open","comment":"\u0100","comment":null}',
    "Europe/Moscow",
)
def test_a_row_is_stored_the_same_when_it_is_read_at_once(sent: bytes, zone: str) -> None:
    row = told_apart(READERS[zone], sent)
    if row is not None and (line := line_at_once(row)) is not None:
        usual = line_by_fields(row)
        assert usual is not None
        assert as_stored(line) == as_stored(usual)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"cart": 12, "payment": "3.50", "promocode": "TEN", "order_id": 77, "subid1": None},
        {"closing_date": None, "click_date": None, "paid": True, "click_user_ip": None, "status": "declined"},
        {"advcampaign_name": "Магазин", "comment": 'says "hello"\nand \\goes', "click_user_referer": "a\tb"},
    ],
)  # fmt: skip
def test_usual_rows_are_read_at_once(changed: dict[str, object]) -> None:
    sent = json.dumps(FULL | changed, separators=(",", ":")).encode()
    row = told_apart(READERS["Europe/Moscow"], sent)
    assert row is not None
    line = line_at_once(row)
    assert line is not None
    assert line == line_by_fields(row)


def test_every_column_of_a_purchase_has_its_place() -> None:
    assert PlainPurchase.__struct_fields__ == tuple(PURCHASES.columns)


def test_a_page_may_hold_rows_of_both_sorts(db: Database) -> None:
    at_once = json.dumps(ACTION | {"action_id": 1, "payment": 2.50}, separators=(",", ":")).encode()
    by_fields = json.dumps(ACTION | {"action_id": 2, "payment": " 2.5 ", "comment": "caf\u00e9"}).encode()
    refused = json.dumps(ACTION | {"action_id": 3, "payment": "NaN"}).encode()
    client = ScriptedClient([by_fields, refused, at_once])
    client.readers[Kind.PURCHASES] = READERS["Europe/Moscow"]
    told = [told_apart(READERS["Europe/Moscow"], sent) for sent in client.items]
    assert [bool(row and row.plain()) for row in told] == [False, False, True]
    assert counts(read(db, "r1", client)) == {"read": 3, "inserted": 2, "rejected": 1}
    first, second = rows(
        db,
        "SELECT to_jsonb(p) - '{key,digest,raw}'::text[] AS columns FROM data_sync.purchases p ORDER BY key",
    )
    assert first == second
