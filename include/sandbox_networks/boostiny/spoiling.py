"""Bad report rows on demand: what real networks send on bad days, made from good rows.

Rows of this network have neither a status nor a currency, so the faults about those change nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from sandbox_networks.boostiny.rows import Row
from sandbox_networks.faults import FaultKind

BadRows = tuple[tuple[FaultKind, int], ...]
"""Faults of rows in force, each with its "one row in so many"."""

_SPOILERS: dict[FaultKind, Callable[[Row], Row]] = {
    FaultKind.MISSING_ID: lambda row: {
        key: row[key] for key in row if key not in ("campaign_id", "campaign_name")
    },
    FaultKind.IMPOSSIBLE_DATE: lambda row: row | {"date": f"{(row.get('date') or '2026')[:4]}-02-31"},
    FaultKind.TEXT_AMOUNT: lambda row: row | {"revenue": "n/a", "net_revenue": "NaN"},
    FaultKind.NUL_BYTE: lambda row: row | {"campaign_name": f"A\0{row['campaign_name']}"},
    FaultKind.NULL_CHANGE_TIME: lambda row: row | {"last_updated_at": None},
}

UNSTORABLE = frozenset(_SPOILERS) - {FaultKind.NULL_CHANGE_TIME}
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


def spoil(row: Row, kind: FaultKind) -> Row:
    """Turn a good row into a bad one."""
    return _SPOILERS[kind](row)
