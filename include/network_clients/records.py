"""What every network's rows are translated into: typed records that keep the network's own payload.

All times are aware ``datetime`` objects. Money is ``Decimal`` with an ISO 4217 code; a record without a
known currency cannot be built (law 14) and becomes a :class:`RejectedRow`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import msgspec


class Kind(StrEnum):
    """What can be synced."""

    CAMPAIGNS = "campaigns"
    """The programmes that a publisher can or does promote: a catalogue snapshot."""
    COUPONS = "coupons"
    """Codes and deals: a catalogue snapshot, or dated on networks that say so."""
    PURCHASES = "purchases"
    """Orders (or report rows) that earn commission: read by date window."""


class Status(StrEnum):
    """The state of a purchase's commission, in our words."""

    PENDING = "pending"
    """Reported, not judged yet."""
    APPROVED = "approved"
    """Accepted by the advertiser, not paid out yet."""
    DECLINED = "declined"
    """Refused, returned, cancelled or deleted."""
    PAID = "paid"
    """Paid out to the publisher."""
    UNKNOWN = "unknown"
    """The network used a word that its facts do not list; the word is kept beside it."""


class Grain(StrEnum):
    """What one row of purchases stands for."""

    ORDER = "order"
    """One order, one action, one order line: has an id of its own."""
    REPORT_ROW = "report_row"
    """An aggregate of several orders (campaign, code and day, for instance)."""


class Traffic(StrEnum):
    """How the order reached the advertiser."""

    COUPON = "coupon"
    """Credited by a coupon code."""
    LINK = "link"
    """Credited by a tracking link."""


class CurrencySource(StrEnum):
    """Who says which currency an amount is in."""

    ROW = "row"
    """The network's row itself."""
    ACCOUNT = "account"
    """A setting of the account."""
    NETWORK = "network"
    """The network's declared, graded fact."""


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount with its currency and who named that currency."""

    amount: Decimal
    currency: str
    source: CurrencySource


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """One programme of a network, as one account sees it."""

    key: str
    """The network's id of the campaign, unique within the account."""
    name: str
    status: str | None = None
    """The network's own word for the campaign's state."""
    connection: str | None = None
    """The network's own word for the publisher's relation to it (joined, pending ...)."""
    site_url: str | None = None
    tracking_url: str | None = None
    logo_url: str | None = None
    currency: str | None = None
    countries: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    description: str | None = None
    changed_at: datetime | None = None
    raw: bytes
    """The row as the network sent it: JSON (an XML row is turned into JSON by its client)."""


class Coupon(msgspec.Struct, frozen=True, kw_only=True):
    """One coupon code or deal."""

    key: str
    """The network's id, or a natural key that its client builds (campaign and code, for instance)."""
    campaign_key: str | None = None
    campaign_name: str | None = None
    code: str | None = None
    """The code to type; ``None`` for a deal without a code. Its letter case is kept."""
    name: str | None = None
    description: str | None = None
    status: str | None = None
    discount: str | None = None
    """Free text as the network gives it: "15%", "10 USD"."""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    url: str | None = None
    countries: tuple[str, ...] = ()
    is_exclusive: bool | None = None
    changed_at: datetime | None = None
    raw: bytes


class Purchase(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One order, or one report row where the network only reports aggregates."""

    key: str
    """The network's unique id, or the natural key that its client builds; stable between reads."""
    grain: Grain = Grain.ORDER
    traffic: Traffic | None = None
    day: date
    """The calendar day, in the network's zone, under which a read by occurrence finds this row."""
    occurred_at: datetime | None = None
    """When the order happened; ``None`` for a report row, which only has a day."""
    clicked_at: datetime | None = None
    closed_at: datetime | None = None
    """When the network says the row stops changing (locked, validated, end of hold)."""
    changed_at: datetime | None = None
    """The network's own time of the last change, where it has one; it orders versions (law 12)."""
    campaign_key: str | None = None
    campaign_name: str | None = None
    coupon_code: str | None = None
    order_ref: str | None = None
    """The advertiser's order number; not unique."""
    status: Status | None = None
    """``None`` where the network reports no status at all."""
    status_word: str | None = None
    """The network's own word."""
    orders: int | None = 1
    """How many orders the row stands for, net of cancellations; ``None`` where not reported."""
    gross_orders: int | None = None
    sale: Money | None = None
    """What the customer paid, net of cancellations where the network reports both."""
    commission: Money | None = None
    """What the publisher earns, net of cancellations where the network reports both."""
    gross_sale: Money | None = None
    gross_commission: Money | None = None
    is_correction: bool = False
    """A row that adds a (mostly negative) delta to another one, as CJ and Rakuten do."""
    corrects_key: str | None = None
    country: str | None = None
    sub_ids: tuple[str, ...] = ()
    """The publisher's own tracking values, in the network's order, empty ones kept as ''."""
    raw: bytes


Record = Campaign | Coupon | Purchase


class RejectedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that cannot be stored truthfully, kept with its reason instead of being dropped."""

    reason: str
    """Plain words: what is wrong and, where there is one, the setting that mends it."""
    field: str | None = None
    key: str | None = None
    raw: bytes


class PlainPurchase(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A purchase that was read at once, see :mod:`network_clients.plain`: times and amounts are texts.

    Times are ISO 8601 in UTC. Its fields are the columns of purchases, in their order.
    """

    key: str
    grain: str = Grain.ORDER.value
    traffic: str | None = None
    day: str
    occurred_at: str | None = None
    clicked_at: str | None = None
    closed_at: str | None = None
    changed_at: str | None = None
    campaign_key: str | None = None
    campaign_name: str | None = None
    coupon_code: str | None = None
    order_ref: str | None = None
    status: str | None = None
    status_word: str | None = None
    orders: int | None = 1
    gross_orders: int | None = None
    is_correction: bool = False
    corrects_key: str | None = None
    country: str | None = None
    sub_ids: tuple[str, ...] = ()
    sale_amount: str | None = None
    sale_currency: str | None = None
    commission: str | None = None
    commission_currency: str | None = None
    gross_sale_amount: str | None = None
    gross_commission: str | None = None
    currency_source: str | None = None
    raw: bytes


class Translator(Protocol):
    """Turns sent rows into records; :class:`network_clients.rows.RowReader` is one."""

    @property
    def grain(self) -> Grain:
        """What each row stands for."""

    def translate(self, row: SentRow) -> Record | RejectedRow:
        """Read a row; one that cannot be stored truthfully comes back with the reason."""

    def plainly(self, row: SentRow) -> PlainPurchase | None:
        """Read a row at once; ``None`` where only :meth:`translate` tells what it is."""


class SentRow(msgspec.Struct, frozen=True, gc=False):
    """A row that is told apart from others, and not read any further yet.

    Most rows of a sync are those of the sync before, to the last byte. What a row becomes must follow from
    its key, its bytes, the account's settings and the code alone: one whose bytes are stored already is
    not translated again.
    """

    key: str
    raw: bytes | msgspec.Raw
    """What the network sent, personal data included: only what a translation keeps may be stored."""
    translator: Translator

    def translated(self) -> Record | RejectedRow:
        """Read the row."""
        return self.translator.translate(self)

    def plain(self) -> PlainPurchase | None:
        """Read the row at once, if it is plainly well-formed."""
        return self.translator.plainly(self)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of a network: its rows, translated or only told apart.

    ``items``, ``counted``, ``total`` and ``version`` speak of the list that the network pages, which need
    not be the list of records: a page of 50 campaigns may carry 400 coupons.
    """

    records: tuple[Record | SentRow, ...]
    rejected: tuple[RejectedRow, ...] = ()
    cursor: Mapping[str, object] | None = None
    """Where the page after this one starts (JSON values only); ``None`` on the last page."""
    items: tuple[str, ...] = ()
    """What tells the items of the paged list on this page apart, in its order, the overlap included."""
    counted: int
    """How many items of the paged list this page holds, the overlap left out."""
    skipped: int = 0
    """How many items were left out besides, because they are no rows of this kind (a line of sums); the
    network's total may hold them or not."""
    total: int | None = None
    """How many items the network says the list has; ``None`` where it does not say."""
    version: str | None = None
    """A fingerprint of the whole list, where the network sends one with each page: another one than on
    the page before means that the list has moved, the same one that it has not."""
    overlap: bool = False
    """Whether the first item was asked for again on purpose: it must equal the last one of the page
    before, or the list has moved. The engine leaves it out of the counts."""
    capped: bool = False
    """Whether the network cut the list off at a cap, so that it cannot be complete."""
    warnings: tuple[str, ...] = ()
    asked: float | None = None
    """A moment before the page was asked for, on :func:`time.monotonic`'s clock, where that was earlier than
    it was wanted: it lay ready, or travelled together with others."""

    def translated(self) -> Page:
        """Return what the network sent, with all rows read; one that it repeats is not set aside twice."""
        read = [row.translated() if isinstance(row, SentRow) else row for row in self.records]
        if self.overlap and read and isinstance(read[0], RejectedRow) and read[0].key == self.first_item:
            del read[0]
        return msgspec.structs.replace(
            self,
            records=tuple(row for row in read if not isinstance(row, RejectedRow)),
            rejected=(*self.rejected, *(row for row in read if isinstance(row, RejectedRow))),
            asked=None,
        )

    @property
    def first_item(self) -> str | None:
        """The first item of the paged list on this page; ``None`` on an empty one."""
        return self.items[0] if self.items else None

    @property
    def last_item(self) -> str | None:
        """The last item of the paged list on this page; ``None`` on an empty one."""
        return self.items[-1] if self.items else None
