"""Bad rows on demand: what real networks send on bad days, made from good rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from sandbox_networks.faults import BARE_NAN, DEEP_VALUE, HUGE_TEXT, LATIN_TEXT, LONG_AMOUNT, FaultKind

Row = dict[str, Any]

_SPOILERS: dict[FaultKind, Callable[[Row], Row]] = {
    FaultKind.UNKNOWN_STATUS: lambda row: row | {"status": "on_the_moon"},
    FaultKind.MISSING_CURRENCY: lambda row: row | {"currency": None},
    FaultKind.MISSING_ID: lambda row: {key: row[key] for key in row if key not in ("id", "action_id")},
    FaultKind.IMPOSSIBLE_DATE: lambda row: row | {"action_date": f"{row['action_date'][:4]}-02-31 10:00:00"},
    FaultKind.TEXT_AMOUNT: lambda row: row | {"payment": "NaN", "cart": "n/a"},
    FaultKind.NUL_BYTE: lambda row: row | {"order_id": "A-\0-1"},
    FaultKind.NULL_CHANGE_TIME: lambda row: row | {"status_updated": None},
    FaultKind.LONG_AMOUNT: lambda row: row | {"payment": LONG_AMOUNT},
    FaultKind.BARE_NAN: lambda row: row | {"cart": BARE_NAN},
    FaultKind.HUGE_FIELD: lambda row: row | {"order_id": HUGE_TEXT},
    FaultKind.DEEP_NESTING: lambda row: row | {"extra": DEEP_VALUE},
    FaultKind.WRONG_ENCODING: lambda row: row | {"order_id": LATIN_TEXT},
}

UNSTORABLE = frozenset(
    (
        FaultKind.MISSING_CURRENCY,
        FaultKind.MISSING_ID,
        FaultKind.IMPOSSIBLE_DATE,
        FaultKind.TEXT_AMOUNT,
        FaultKind.NUL_BYTE,
        FaultKind.LONG_AMOUNT,
        FaultKind.BARE_NAN,
    )
)
"""Faults of rows that nobody can store truthfully: totals count them apart."""


def fault_of(index: int, faults: tuple[tuple[FaultKind, int], ...]) -> FaultKind | None:
    """Say how the action at an index of its day is spoiled, if it is: the first fault that fits counts."""
    return next((kind for place, (kind, every) in enumerate(faults) if index % every == place % every), None)


def spoil(row: bytes, kind: FaultKind) -> bytes:
    """Turn the JSON of a good action into that of a bad one."""
    return msgspec.json.encode(_SPOILERS[kind](msgspec.json.decode(row)))
