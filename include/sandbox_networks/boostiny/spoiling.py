"""Bad report rows on demand: what real networks send on bad days, made from good rows.

Rows of this network have neither a status nor a currency, so the faults about those change nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from sandbox_networks.boostiny.rows import Row
from sandbox_networks.faults import BARE_NAN, DEEP_VALUE, HUGE_TEXT, LATIN_TEXT, LONG_AMOUNT, FaultKind

BadRow = dict[str, object]

BadRows = tuple[tuple[FaultKind, int], ...]
"""Faults of rows in force, each with its "one row in so many"."""

_SPOILERS: dict[FaultKind, Callable[[BadRow], BadRow]] = {
    FaultKind.MISSING_ID: lambda row: {
        key: row[key] for key in row if key not in ("campaign_id", "campaign_name")
    },
    FaultKind.IMPOSSIBLE_DATE: lambda row: row | {"date": f"{str(row.get('date') or '2026')[:4]}-02-31"},
    FaultKind.TEXT_AMOUNT: lambda row: row | {"revenue": "n/a", "net_revenue": "NaN"},
    FaultKind.NUL_BYTE: lambda row: row | {"campaign_name": f"A\0{row['campaign_name']}"},
    FaultKind.NULL_CHANGE_TIME: lambda row: row | {"last_updated_at": None},
    FaultKind.LONG_AMOUNT: lambda row: row | {"net_revenue": LONG_AMOUNT},
    FaultKind.BARE_NAN: lambda row: row | {"net_revenue": BARE_NAN},
    FaultKind.HUGE_FIELD: lambda row: row | {"campaign_name": HUGE_TEXT},
    FaultKind.DEEP_NESTING: lambda row: row | {"extra": DEEP_VALUE},
    FaultKind.WRONG_ENCODING: lambda row: row | {"campaign_name": LATIN_TEXT},
}

UNSTORABLE = frozenset(_SPOILERS) - {
    FaultKind.NULL_CHANGE_TIME,
    FaultKind.HUGE_FIELD,
    FaultKind.DEEP_NESTING,
    FaultKind.WRONG_ENCODING,
}
"""Faults of rows that nobody can store truthfully: totals count them apart."""


def fault_of(place: int, faults: BadRows) -> FaultKind | None:
    """Say how the row at a place of its day is spoiled, if it is: the first fault that fits counts."""
    return next(
        (
            kind
            for number, (kind, every) in enumerate(faults)
            if kind in _SPOILERS and place % every == number % every
        ),
        None,
    )


def spoil(row: Row, kind: FaultKind) -> BadRow:
    """Turn a good row into a bad one."""
    return _SPOILERS[kind](dict(row))
