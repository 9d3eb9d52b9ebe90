"""What a reader of the sandbox's Admitad should have, summed up from the world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from sandbox_networks.admitad.actions import Action, BadRows
from sandbox_networks.admitad.rows import amount_text
from sandbox_networks.admitad.spoiling import UNSTORABLE, fault_of
from sandbox_networks.faults import FaultKind
from sandbox_networks.network import BadQueryError


@dataclass(frozen=True)
class TotalsQuery:
    """What to sum up: days as ordinals, both inclusive; ``None`` where nothing was said."""

    first: int
    last: int
    website: int | None
    client_id: str | None


def read_totals_query(query: Mapping[str, str]) -> TotalsQuery:
    """Read ``from``, ``to``, ``website`` and ``client_id``.

    :raises BadQueryError: when one is missing or cannot be read.
    """
    try:
        first, last = (date.fromisoformat(query[name]).toordinal() for name in ("from", "to"))
        website = int(query["website"]) if "website" in query else None
    except (KeyError, ValueError) as error:
        raise BadQueryError(
            "Totals need from=YYYY-MM-DD and to=YYYY-MM-DD; website, if given, is a number."
        ) from error
    return TotalsQuery(first, last, website, query.get("client_id"))


@dataclass
class _Sum:
    rows: int = 0
    payment: int = 0
    cart: int = 0

    def as_text(self) -> dict[str, object]:
        return {"rows": self.rows, "payment": amount_text(self.payment), "cart": amount_text(self.cart)}


@dataclass
class ActionSums:
    """Rows and amounts per status word and currency; rows that nobody can store are counted apart."""

    bad: BadRows
    count: int = 0
    _sums: dict[str, dict[str, _Sum]] = field(default_factory=dict)
    _unstorable: Counter[str] = field(default_factory=Counter)

    def add(self, action: Action) -> None:
        """Add one visible action."""
        self.count += 1
        fault = fault_of(action.place, self.bad)
        if fault in UNSTORABLE:
            self._unstorable[str(fault)] += 1
            return
        word = action.stands.word
        if fault is FaultKind.UNKNOWN_STATUS:
            word = "on_the_moon"
        elif action.stands.is_paid and word.startswith("approved"):
            word = "paid"
        total = self._sums.setdefault(word, {}).setdefault(action.currency, _Sum())
        total.rows += 1
        total.payment += action.stands.payment
        total.cart += action.stands.cart or 0

    def describe(self) -> dict[str, object]:
        """Give the sums, amounts as decimal strings."""
        return {
            "count": self.count,
            "statuses": {
                word: {currency: total.as_text() for currency, total in sorted(currencies.items())}
                for word, currencies in sorted(self._sums.items())
            },
            "unstorable": dict(self._unstorable),
        }
