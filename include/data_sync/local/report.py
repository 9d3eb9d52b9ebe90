"""The tables that the demo prints."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich import box
from rich.table import Table

from data_sync.local.sync import KindProgress, SyncReport
from data_sync.local.totals import NOT_REPORTED, Sums, Totals

_STATUSES = ("pending", "approved", "declined", "paid")


def progress(kinds: Sequence[KindProgress]) -> Table:
    """Show how far a running sync is."""
    table = Table("network", "reads", box=None, padding=(0, 2))
    for heading in ("pages", "rows", "parts done"):
        table.add_column(heading, justify="right")
    for kind in kinds:
        done = f"{kind.units_ended} of {kind.units}"
        table.add_row(kind.network, kind.kind, f"{kind.pages:,}", f"{kind.read:,}", done)
    return table


def came_in(report: SyncReport) -> Table:
    """Show what a sync has read and what became of it."""
    title = f"Synced {report.first} to {report.last} in {report.seconds:.1f} s: rows"
    table = _table(title, "network", "kind")
    for heading in ("read", "new", "changed", "same", "rejected", "requests", "seconds"):
        table.add_column(heading, justify="right")
    for kind in report.kinds:
        counts = (kind.read, kind.inserted, kind.updated, kind.unchanged, kind.rejected, kind.requests)
        table.add_row(kind.network, kind.kind, *(f"{count:,}" for count in counts), f"{kind.seconds:.1f}")
    return table


def money(network: str, totals: Totals) -> Table:
    """Show the purchases of one network: per currency the sales, and the commission by status."""
    found = {status for status, _ in totals.purchases}
    statuses = (NOT_REPORTED,) if found == {NOT_REPORTED} else _STATUSES
    title = f"Purchases of {network}: sales, and commission by status"
    table = _table(title, "currency")
    for heading in ("sales", *statuses):
        table.add_column(heading, justify="right")
    for currency in sorted({currency for _, currency in totals.purchases}):
        places = [totals.purchases.get((status, currency), Sums()) for status in statuses]
        sales = sum((sums.sale for sums in places), Decimal(0))
        table.add_row(currency, f"{sales:,.2f}", *(f"{sums.commission:,.2f}" for sums in places))
    table.add_section()
    table.add_row("rows", "", *(f"{_rows(totals, status):,}" for status in statuses))
    return table


def _table(title: str, *headings: str) -> Table:
    return Table(
        *headings,
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )


def _rows(totals: Totals, status: str) -> int:
    return sum(sums.rows for (found, _), sums in totals.purchases.items() if found == status)
