"""Rows stand for themselves: a bad one is set aside with its reason, and the page goes on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from network_clients.lists import NumberedPage, Params, Reader, read_by_offset, read_by_page
from network_clients.records import Campaign, Coupon, Page, Purchase
from network_clients.row import Row
from network_clients.rows import InnerReader, RowReader

UTC_ZONE = ZoneInfo("UTC")


def to_purchase(row: Row) -> Purchase:
    return Purchase(
        key=row.key("id"),
        day=row.day("date"),
        sale=row.money("sale", row.currency("currency")),
        order_ref=row.child("order").text("ref"),
        sub_ids=row.texts("subs", "name"),
        raw=row.raw,
    )


def read(reader: Reader, rows: Iterable[msgspec.Raw]) -> Page:
    """Tell rows apart, translate them, and return them as a page."""
    found = reader.tell_apart(list(rows))
    page = Page(
        records=tuple(found.records),
        rejected=tuple(found.rejected),
        items=tuple(found.items),
        skipped=found.skipped,
        counted=len(found.items),
    )
    return page.translated()


READER = RowReader(to_purchase, UTC_ZONE, withheld=("ip", "agent"))


def raw(text: str | bytes) -> msgspec.Raw:
    return msgspec.Raw(text if isinstance(text, bytes) else text.encode())


def test_amounts_are_read_as_written_and_the_row_is_kept_byte_for_byte() -> None:
    sent = b'{ "id": 7, "date": "2026-03-01", "sale": 0.10000000000000000001, "currency":"USD", "ip": null }'
    (record,) = read(READER, [raw(sent)]).records
    assert isinstance(record, Purchase)
    assert record.sale is not None
    assert record.sale.amount == Decimal("0.10000000000000000001")
    assert record.raw == sent


def test_inner_objects_and_lists_are_read_in_their_usual_forms() -> None:
    sent = '{"id": 7, "date": "2026-03-01", "order": {"ref": 12}, "subs": ["a", {"name": "b"}, null, {}]}'
    (record,) = read(READER, [raw(sent)]).records
    assert isinstance(record, Purchase)
    assert (record.order_ref, record.sub_ids) == ("12", ("a", "b"))


def test_personal_data_is_withheld_from_good_and_bad_rows() -> None:
    good = (
        '{"id": 1, "date": "2026-03-01", "ip": "203.0.113.9", "agent": {"x": "y"}, "sale": 1.10,'
        ' "currency": "EUR"}'
    )
    escaped = r'{"id": 2, "date": "bad", "i\u0070": "203.0.113.9"}'
    reading = read(READER, [raw(good), raw(escaped)])
    (record,), (rejected,) = reading.records, reading.rejected
    assert msgspec.json.decode(record.raw) == msgspec.json.decode(good) | {"ip": None, "agent": None}
    assert b'"sale":1.10' in record.raw
    assert b"203.0.113.9" not in rejected.raw
    assert rejected.key == "2"


@pytest.mark.parametrize(
    ("sent", "field", "reason"),
    [
        ('{"date": "2026-03-01"}', "id", "id is missing"),
        ('{"id": 1}', "date", "date is missing"),
        ('{"id": 1, "date": "2026-02-30"}', "date", "does not exist"),
        ('{"id": 1, "date": "2026-03-01", "sale": 5}', "currency", "currency is missing"),
        ('{"id": 1, "date": "2026-03-01", "sale": "NaN", "currency": "USD"}', "sale", "is not a number"),
        ('{"id": 1, "date": "2026-03-01", "sale": 1e400, "currency": "USD"}', "sale", "digits"),
        ('{"id": 1, "date": "2026-03-01", "order": {"ref": [1]}}', "order.ref", "is not text"),
        ('{"id": 1, "date": "2026-03-01", "order": [1]}', "order", "is not a JSON object"),
        ('{"id": 1, "date": "2026-03-01", "subs": "a"}', "subs", "is not a list"),
        (r'{"id": 1, "date": "2026-03-01", "other": "a\u0000b"}', None, "NUL"),
        ("[1, 2]", None, "The row is not a JSON object"),
        ("null", None, "The row is not a JSON object"),
    ],
)
def test_an_unreadable_row_is_set_aside_with_its_reason(sent: str, field: str | None, reason: str) -> None:
    fine = raw('{"id": 9, "date": "2026-03-01"}')
    reading = read(READER, [raw(sent), fine])
    assert [record.key for record in reading.records] == ["9"]
    (rejected,) = reading.rejected
    assert rejected.field == field
    assert reason in rejected.reason
    assert rejected.raw == sent.encode()


def test_every_row_has_an_item_in_the_order_of_the_page() -> None:
    reading = read(
        READER, [raw('{"id": 3, "date": "2026-03-01"}'), raw("null"), raw("[]"), raw('{"id": "x"}')]
    )
    first, nameless, other, last = reading.items
    assert (first, last) == ("3", "x")
    assert nameless != other


def test_fields_that_speak_of_the_list_are_not_kept_with_a_row() -> None:
    reader = RowReader(to_purchase, UTC_ZONE, withheld=("ip",), volatile=("rows",))
    sent = '{"id": 1, "date": "2026-03-01", "rows": %d, "ip": "203.0.113.9"}'
    (one,), (other,) = (read(reader, [raw(sent % count)]).records for count in (1, 2))
    assert one == other
    assert msgspec.json.decode(one.raw) == {"id": 1, "date": "2026-03-01", "rows": None, "ip": None}


def test_rows_that_are_none_of_this_kind_are_left_out_without_a_word() -> None:
    reader = RowReader(to_purchase, UTC_ZONE, skips=lambda row: row.text("total") is not None)
    fine, sums = '{"id": 1, "date": "2026-03-01"}', '{"total": 7}'
    reading = read(reader, [raw(fine), raw(sums), raw('{"date": "2026-03-01"}'), raw('{"total": [7]}')])
    assert ([record.key for record in reading.records], reading.skipped) == (["1"], 1)
    assert [row.field for row in reading.rejected] == ["id", "total"]
    assert len(reading.items) == 3


def test_a_key_of_several_fields_tells_rows_apart_and_names_those_set_aside() -> None:
    def identify(row: Row) -> str:
        return f"{row.key('id')}|{row.text('code') or ''}"

    reader = RowReader(to_purchase, UTC_ZONE, identify=identify)
    sent = ['{"id": 1, "date": "2026-03-01"}', '{"id": 1, "code": "A", "date": "x"}', '{"code": "A"}']
    reading = read(reader, map(raw, sent))
    assert {row.key for row in reading.rejected} == {"1|A", None}
    assert reading.items[:2] == ("1|", "1|A")
    assert [record.key for record in reading.records] == ["1|"], "the reader decides, not the translation"


def to_campaign(row: Row) -> Campaign:
    return Campaign(key=row.key("id"), name=row.key("name"), raw=row.raw)


class Catalogue:
    """A list that can be asked by offset, and that may change between two questions."""

    def __init__(self, rows: Sequence[str]) -> None:
        self.rows = list(rows)
        self.asked: list[Params] = []

    def ask(self, place: Params) -> tuple[list[msgspec.Raw], int]:
        self.asked.append(place)
        params = dict(place)
        start = int(params["offset"])
        return [raw(row) for row in self.rows[start : start + int(params["limit"])]], len(self.rows)

    def read(self, cursor: dict[str, object] | None = None) -> list[Page]:
        reader = RowReader(to_campaign, UTC_ZONE)
        pages = read_by_offset(self.ask, reader, limit=4, cursor=cursor or {})
        return [page.translated() for page in pages]


def row(number: int) -> str:
    return f'{{"id": {number}, "name": "n"}}'


def test_pages_overlap_by_one_row_that_is_not_counted_again() -> None:
    catalogue = Catalogue([row(number) for number in range(9)])
    pages = catalogue.read()
    assert [page.counted for page in pages] == [4, 3, 2]
    assert [(page.overlap, page.first_item, page.last_item) for page in pages] == [
        (False, "0", "3"),
        (True, "3", "6"),
        (True, "6", "8"),
    ]
    assert {page.total for page in pages} == {9}
    assert catalogue.asked[1] == (("limit", "4"), ("offset", "3"))


def test_a_bad_row_in_the_overlap_is_set_aside_once() -> None:
    catalogue = Catalogue([row(0), row(1), row(2), '{"id": 3}', row(4)])
    pages = catalogue.read()
    assert [len(page.rejected) for page in pages] == [1, 0]
    assert pages[1].first_item == pages[0].last_item == "3"


def test_a_read_goes_on_from_any_cursor_and_keeps_what_else_it_holds() -> None:
    catalogue = Catalogue([row(number) for number in range(12)])
    pages = catalogue.read({"until": "u"})
    assert pages[0].cursor == {"until": "u", "position": 4}
    for number, page in enumerate(pages[:-1], 1):
        assert catalogue.read(dict(page.cursor or {})) == pages[number:]
    assert pages[-1].cursor is None


def test_a_list_that_moves_shows_in_the_overlap() -> None:
    catalogue = Catalogue([row(number) for number in range(9)])
    reader = RowReader(to_campaign, UTC_ZONE)
    pages = read_by_offset(catalogue.ask, reader, limit=4, cursor={})
    first = next(pages)
    del catalogue.rows[0]
    second = next(pages)
    assert second.overlap
    assert second.first_item != first.last_item


def test_an_empty_list_is_one_empty_page() -> None:
    (page,) = Catalogue([]).read()
    assert (page.records, page.counted, page.total, page.cursor, page.first_item) == ((), 0, 0, None, None)


OUTER = (
    '{"id": 1, "name": "one", "inner": [{"code": "A"}, {"code": "B", "name": "mine"}, 7]}',
    '{"id": 2, "name": "two", "inner": null}',
    '{"id": 3, "name": "three", "inner": {"code": "A"}}',
    "[]",
)


def to_coupon(row: Row) -> Coupon:
    return Coupon(key=f"{row.key('outer_id')}|{row.key('code')}", name=row.text("name"), raw=row.raw)


def test_rows_inside_the_rows_of_a_list_are_read_each_on_its_own() -> None:
    inner = RowReader(to_coupon, UTC_ZONE, identify=lambda row: f"{row.key('outer_id')}|{row.key('code')}")
    handed_on = {"outer_id": "id", "name": "name"}
    reader = InnerReader(lambda row: row.children("inner", handed_on), inner, UTC_ZONE)
    reading = read(reader, map(raw, OUTER))
    assert [record.key for record in reading.records] == ["1|A", "1|B"]
    assert msgspec.json.decode(reading.records[0].raw) == {"code": "A", "outer_id": 1, "name": "one"}
    assert [(row.reason, row.key) for row in reading.rejected] == [
        ("The row is not a JSON object.", None),
        ("inner is not a list.", None),
        ("The row is not a JSON object.", None),
    ]
    assert reading.items[:3] == ("1", "2", "3"), "what the network pages are the outer rows"
    assert len(reading.items) == 4


def test_page_numbers_go_on_from_any_cursor_and_hand_on_what_the_network_says() -> None:
    rows = [raw(row(number)) for number in range(7)]

    def ask(page: int) -> NumberedPage:
        return NumberedPage(rows[3 * (page - 1) : 3 * page], per_page=3, total=7, version="v1")

    reader = RowReader(to_campaign, UTC_ZONE)
    pages = [page.translated() for page in read_by_page(ask, reader, cursor={})]
    assert [page.counted for page in pages] == [3, 3, 1]
    assert [(page.total, page.version, page.overlap) for page in pages] == [(7, "v1", False)] * 3
    assert [page.items for page in pages] == [("0", "1", "2"), ("3", "4", "5"), ("6",)]
    for number, page in enumerate(pages[:-1], 1):
        again = read_by_page(ask, reader, cursor=page.cursor or {})
        assert [page.translated() for page in again] == pages[number:]
