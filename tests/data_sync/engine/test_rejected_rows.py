"""Rows that cannot be stored truthfully are set aside; every other row of their page is stored."""

from __future__ import annotations

import json
import secrets
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest

from data_sync.database import Database
from data_sync.engine.tables import LONGEST_KEY
from network_clients.records import CurrencySource, Money, Page, Purchase
from tests.data_sync.engine.scripted import ScriptedClient, action, actions, sent
from tests.data_sync.kit import claim, counts, make_request, open_run, purchases, read, reader_of, rows

DEEP = b'{"action_id": 5, "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"

BAD: dict[str, Any] = {
    "no id": action(None),
    "no currency": action(5, currency=None),
    "a NUL character": action(5, order_id="a\x00b"),
    "a NUL character in a field that nobody reads": action(5, tariff="a\x00b"),
    "NaN": action(5, cart="NaN"),
    "infinity": action(5, payment="Infinity"),
    "40 digits": action(5, payment="1" * 40),
    "text as amount": action(5, cart="a lot"),
    "a list as status": action(5, status=["pending"]),
    "an impossible day": action(5, action_date="2026-02-31 10:00:00"),
    "an endless id": action("k" * 3000),
    "no object": b"[1, 2]",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_row_is_kept_with_its_reason_and_harms_no_other(db: Database, bad: Any) -> None:
    listed = [*actions(1, 2), bad, *actions(3, 4)]
    row = read(db, "r1", ScriptedClient(listed, size=10))
    assert [row["key"] for row in purchases(db)] == ["1", "2", "3", "4"]
    assert counts(row) == {"read": 5, "inserted": 4, "rejected": 1}
    assert row["is_complete"]
    assert "Rows set aside: 1." in row["warnings"][0]
    (kept,) = rows(db, "SELECT * FROM data_sync.rejected_records")
    assert bytes(kept["payload"]) == sent(bad)
    assert len(kept["reason"]) > 10
    # Read again in another run: the same row, seen twice.
    assert counts(read(db, "r2", ScriptedClient(listed, size=10))) == {
        "read": 5,
        "unchanged": 4,
        "rejected": 1,
    }
    assert [r["times"] for r in rows(db, "SELECT times FROM data_sync.rejected_records")] == [2]


def test_a_row_nested_too_deeply_harms_no_other(db: Database) -> None:
    # The reader of rows never looks inside; the database does.
    row = read(
        db, "r1", Handmade([*records(1, 2), msgspec.structs.replace(record(3), raw=DEEP), *records(4)])
    )
    assert counts(row) == {"read": 4, "inserted": 3, "rejected": 1}
    (kept,) = rows(db, "SELECT * FROM data_sync.rejected_records")
    assert "stack depth" in kept["reason"]


def test_a_page_of_nothing_but_bad_rows_is_a_page(db: Database) -> None:
    row = read(db, "r1", ScriptedClient(list(BAD.values()), size=50))
    assert counts(row) == {"read": len(BAD), "rejected": len(BAD)}
    assert len(rows(db, "SELECT 1 FROM data_sync.rejected_records")) == len(BAD)


def test_a_field_of_ten_megabytes_is_stored_whole(db: Database) -> None:
    long = secrets.token_hex(5_000_000)
    read(db, "r1", ScriptedClient([action(1, order_id=long), *actions(2)]))
    found = rows(
        db, "SELECT order_ref, length(raw ->> 'order_id') AS raw FROM data_sync.purchases ORDER BY key"
    )
    assert found[0] == {"order_ref": long, "raw": 10_000_000}


def test_a_retry_does_not_double_what_was_set_aside(db: Database) -> None:
    client = ScriptedClient([action(1, currency=None), *actions(2, 3, 4, 5)])
    client.before = lambda number: (_ for _ in ()).throw(RuntimeError()) if number == 1 else None
    open_run(db, make_request("r1"))
    with pytest.raises(RuntimeError):
        reader_of(db, claim(db, "r1"), client).run()
    client.before = lambda number: None
    client.items = [action(0), *client.items]
    reader_of(db, claim(db, "r1"), client).run()
    (row,) = rows(db, "SELECT * FROM data_sync.sync_log_steps")
    assert counts(row) == {"read": 6, "inserted": 5, "rejected": 1}
    assert [r["times"] for r in rows(db, "SELECT times FROM data_sync.rejected_records")] == [1]


def record(number: int) -> Purchase:
    usd = Money(Decimal(1), "USD", CurrencySource.ROW)
    raw = json.dumps({"id": number}).encode()
    return Purchase(key=str(number), day=date(2026, 3, 2), sale=usd, commission=usd, raw=raw)


def records(*numbers: int) -> list[Purchase]:
    return [record(number) for number in numbers]


class Handmade(ScriptedClient):
    """Hands out records as a client with faults of its own might build them."""

    def pages(self, kind, part, cursor=None):  # type: ignore[no-untyped-def]
        self.requests += 1
        yield Page(records=tuple(self.items), counted=len(self.items), total=len(self.items))


def money(amount: object, currency: str = "USD") -> Money:
    return Money(Decimal(str(amount)), currency, CurrencySource.ROW)


@pytest.mark.parametrize(
    "fault",
    [
        {"key": "a\x00b"},
        {"key": "a\ud800b"},
        {"key": "\U0001f600" * LONGEST_KEY},
        {"day": None},
        {"coupon_code": "a\ud800b"},
        {"sale": money("NaN")},
        {"commission": money("-Infinity")},
        {"gross_sale": money("sNaN")},
        {"sale": money(1, "usd")},
        {"sale": money(1, "")},
        {"sale": money(1, "EUR"), "gross_sale": money(2, "USD")},
        {"orders": 10**12},
        {"raw": b'{"id": 1'},
        {"raw": b'{"id": "\\ud800"}'},
        {"raw": b'{"id": "\xff"}'},
        {"raw": b""},
        {"raw": b'{"id": 1e500000}'},
    ],
    ids=repr,
)
def test_faults_of_a_client_are_set_aside_by_the_engine(db: Database, fault: dict[str, Any]) -> None:
    bad = msgspec.structs.replace(record(2), **fault)
    row = read(db, "r1", Handmade([record(1), bad, record(3)]))
    assert counts(row) == {"read": 3, "inserted": 2, "rejected": 1}
    (kept,) = rows(db, "SELECT * FROM data_sync.rejected_records")
    assert bytes(kept["payload"]) == bad.raw


def test_net_and_gross_and_who_named_the_currency(db: Database) -> None:
    by_setting = Money(Decimal("7.5"), "AED", CurrencySource.ACCOUNT)
    mixed = msgspec.structs.replace(
        record(1), sale=money(90), gross_sale=money(100), commission=by_setting, gross_commission=None
    )
    gross_only = msgspec.structs.replace(record(2), sale=None, gross_sale=money(5), commission=None)
    bare = msgspec.structs.replace(record(3), sale=None, commission=None)
    read(db, "r1", Handmade([mixed, gross_only, bare]))
    found = rows(
        db,
        "SELECT sale_amount, gross_sale_amount, sale_currency, commission, gross_commission, "
        "commission_currency, currency_source FROM data_sync.purchases ORDER BY key",
    )
    assert [tuple(row.values()) for row in found] == [
        (90, 100, "USD", Decimal("7.5"), None, "AED", "account"),
        (None, 5, "USD", None, None, None, "row"),
        (None, None, None, None, None, None, None),
    ]


@pytest.mark.parametrize("column", ["sale_currency", "commission_currency"])
def test_the_table_itself_refuses_an_amount_without_currency(db: Database, column: str) -> None:
    read(db, "r1", Handmade(records(1)))
    with pytest.raises(psycopg.errors.CheckViolation), db.transaction() as cursor:
        cursor.execute(f"UPDATE data_sync.purchases SET {column} = NULL")


def test_amounts_keep_every_digit(db: Database) -> None:
    read(db, "r1", ScriptedClient([action(1, cart="123456789012345678.123456789", payment="-0.0000001")]))
    (row,) = rows(
        db, "SELECT sale_amount::text AS sale, commission::text AS commission FROM data_sync.purchases"
    )
    assert row == {"sale": "123456789012345678.123456789", "commission": "-0.0000001"}


def test_unknown_words_are_kept_with_a_warning_each(db: Database) -> None:
    odd = [action(n, status=f"word{n}") for n in range(200)]
    row = read(db, "r1", ScriptedClient([*odd, action(900, status="a\x01")], size=40))
    assert {found["status"] for found in purchases(db)} == {"unknown"}
    assert 40 <= len(row["warnings"]) <= 100, "the first ones are enough"
