"""What a reader of the sandbox's Boostiny should have, summed up from the world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sandbox_networks.boostiny.days import ReportRow
from sandbox_networks.boostiny.reports import ReportKind
from sandbox_networks.boostiny.rows import fine_text
from sandbox_networks.boostiny.sales import NOTHING, Figures
from sandbox_networks.boostiny.spoiling import UNSTORABLE, BadRows, fault_of


@dataclass
class _Sum:
    rows: int = 0
    figures: Figures = NOTHING

    def as_text(self) -> dict[str, object]:
        return {
            "rows": self.rows,
            "payment": fine_text(self.figures.net_revenue),
            "cart": fine_text(self.figures.net_amount_usd),
        }


@dataclass
class ReportSums:
    """Rows and dollars of both reports; rows that nobody can store are counted apart."""

    bad: BadRows
    _sums: dict[ReportKind, _Sum] = field(default_factory=lambda: {kind: _Sum() for kind in ReportKind})
    _unstorable: Counter[str] = field(default_factory=Counter)

    def add(self, kind: ReportKind, rows: Iterable[ReportRow]) -> None:
        """Add the rows of a report."""
        total = self._sums[kind]
        for row in rows:
            fault = fault_of(row.place, self.bad)
            if fault in UNSTORABLE:
                self._unstorable[str(fault)] += 1
            else:
                total.rows += 1
                total.figures = total.figures.plus(row.figures)

    def describe(self) -> dict[str, object]:
        """Give the sums, amounts as decimal strings: net ones, but for those under ``gross``."""
        both = _Sum()
        for total in self._sums.values():
            both = _Sum(both.rows + total.rows, both.figures.plus(total.figures))
        return {
            "count": both.rows + self._unstorable.total(),
            "statuses": {"not reported": {"USD": both.as_text()}},
            "orders": both.figures.net_orders,
            "gross": {
                "orders": both.figures.orders,
                "payment": fine_text(both.figures.revenue),
                "cart": fine_text(both.figures.amount_usd),
            },
            "by_traffic": {str(kind): total.as_text() for kind, total in self._sums.items()},
            "unstorable": dict(self._unstorable),
        }
