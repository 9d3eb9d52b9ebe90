"""How each kind of record is laid out in its table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any

from network_clients.records import CurrencySource, Kind, Money, Purchase, Record, Traffic

#: A catalogue snapshot has no day: its reads are filed under this one.
NO_DAY = date(1, 1, 1)

#: A key longer than this (in bytes) does not fit into an index of Postgres.
LONGEST_KEY = 1000

_CURRENCY = re.compile(r"[A-Z]{3}")

# What a person would want to weigh when two amounts of a row have different sources.
_WEAKEST_FIRST = (CurrencySource.NETWORK, CurrencySource.ACCOUNT, CurrencySource.ROW)


class UnstorableRowError(ValueError):
    """Raised for a record that cannot be stored as it is; says in a sentence why."""


@dataclass(frozen=True, eq=False)
class KindTable:
    """A table and its columns with their Postgres types, ``key`` first and ``raw`` last."""

    kind: Kind
    name: str
    columns: Mapping[str, str]

    @property
    def day(self) -> str:
        """The SQL expression of a row's day; a constant where the kind has none."""
        return "t.day" if "day" in self.columns else f"DATE '{NO_DAY.isoformat()}'"

    @property
    def filters(self) -> str:
        """The SQL list of the whole reads that hold a row: see :func:`filter_of`."""
        whole = f"'{filter_of(None)}'"
        return f"({whole}, {whole} || ' ' || t.traffic)" if "traffic" in self.columns else f"({whole})"


def filter_of(traffic: Traffic | None) -> str:
    """Name a whole read of days by occurrence: of all rows, or of one kind of traffic alone."""
    return f"occurred {traffic.value}" if traffic else "occurred"


CAMPAIGNS = KindTable(
    Kind.CAMPAIGNS,
    "data_sync.campaigns",
    {
        "key": "text",
        "name": "text",
        "status": "text",
        "connection": "text",
        "site_url": "text",
        "tracking_url": "text",
        "logo_url": "text",
        "currency": "text",
        "countries": "text[]",
        "categories": "text[]",
        "description": "text",
        "changed_at": "timestamptz",
        "raw": "jsonb",
    },
)
COUPONS = KindTable(
    Kind.COUPONS,
    "data_sync.coupons",
    {
        "key": "text",
        "campaign_key": "text",
        "campaign_name": "text",
        "code": "text",
        "name": "text",
        "description": "text",
        "status": "text",
        "discount": "text",
        "starts_at": "timestamptz",
        "ends_at": "timestamptz",
        "url": "text",
        "countries": "text[]",
        "is_exclusive": "boolean",
        "changed_at": "timestamptz",
        "raw": "jsonb",
    },
)
PURCHASES = KindTable(
    Kind.PURCHASES,
    "data_sync.purchases",
    {
        "key": "text",
        "grain": "text",
        "traffic": "text",
        "day": "date",
        "occurred_at": "timestamptz",
        "clicked_at": "timestamptz",
        "closed_at": "timestamptz",
        "changed_at": "timestamptz",
        "campaign_key": "text",
        "campaign_name": "text",
        "coupon_code": "text",
        "order_ref": "text",
        "status": "text",
        "status_word": "text",
        "orders": "integer",
        "gross_orders": "integer",
        "is_correction": "boolean",
        "corrects_key": "text",
        "country": "text",
        "sub_ids": "text[]",
        "sale_amount": "numeric",
        "sale_currency": "text",
        "commission": "numeric",
        "commission_currency": "text",
        "gross_sale_amount": "numeric",
        "gross_commission": "numeric",
        "currency_source": "text",
        "raw": "jsonb",
    },
)
#: Columns of a purchase whose changes are kept (law 13): its status, and how much it stands for.
IN_HISTORY = ("status", "status_word", "orders", "gross_orders", "sale_amount", "sale_currency", "commission",
              "commission_currency", "gross_sale_amount", "gross_commission")  # fmt: skip
TABLES = {table.kind: table for table in (CAMPAIGNS, COUPONS, PURCHASES)}


def row_of(table: KindTable, record: Record) -> list[Any]:
    """Lay a record out in its table's columns.

    :raises UnstorableRowError: for an endless key, or an amount that is no number.
    """
    # A character takes at most four bytes.
    if 4 * len(record.key) > LONGEST_KEY and len(record.key.encode("utf-8", "replace")) > LONGEST_KEY:
        raise UnstorableRowError(f"The id is longer than {LONGEST_KEY} bytes, so it cannot be looked up.")
    row = [*_PLAIN[table.kind](record)]
    if isinstance(record, Purchase):
        row += _money_of(record)
    row.append(record.raw)
    return row


_MONEY = ("sale_amount", "sale_currency", "commission", "commission_currency", "gross_sale_amount",
          "gross_commission", "currency_source")  # fmt: skip


def _plain(table: KindTable) -> Callable[[Record], tuple[Any, ...]]:
    """Make what reads all columns of a record that are its own fields, in their order."""
    getter: Callable[[Record], tuple[Any, ...]] = attrgetter(
        *(name for name in table.columns if name not in _MONEY and name != "raw")
    )
    return getter


_PLAIN = {kind: _plain(table) for kind, table in TABLES.items()}


def _money_of(record: Purchase) -> tuple[Any, ...]:
    """Return the amounts of a purchase and their currencies, in the order of ``_MONEY``."""
    sale, sale_currency = _net(record.sale, record.gross_sale)
    commission, commission_currency = _net(record.commission, record.gross_commission)
    gross = (_amount(record.gross_sale), _amount(record.gross_commission))
    return sale, sale_currency, commission, commission_currency, *gross, _weakest_source(record)


def _net(net: Money | None, gross: Money | None) -> tuple[Decimal | None, str | None]:
    """Return the net amount, and the one currency of net and gross."""
    if net is not None and gross is not None and net.currency != gross.currency:
        both = sorted({net.currency, gross.currency})
        raise UnstorableRowError(f"Net and gross are in different currencies: {both}.")
    named = net or gross
    return _amount(net), None if named is None else named.currency


def _amount(money: Money | None) -> Decimal | None:
    if money is None:
        return None
    if not money.amount.is_finite():
        raise UnstorableRowError(f"An amount is no number: {money.amount}.")
    if not _is_code(money.currency):
        raise UnstorableRowError(f"A currency is no code of three letters: {money.currency!r}.")
    return money.amount


@lru_cache(maxsize=256)
def _is_code(currency: str) -> bool:
    return _CURRENCY.fullmatch(currency) is not None


def _weakest_source(record: Purchase) -> CurrencySource | None:
    amounts = (record.sale, record.commission, record.gross_sale, record.gross_commission)
    used = [money.source for money in amounts if money is not None]
    return min(used, key=_WEAKEST_FIRST.index, default=None)
