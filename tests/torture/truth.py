"""What the sandbox networks hold at a moment of their clock, written down without the product's readers.

The sandbox's worlds follow from a seed and a clock alone, so a second copy of them in this process can be
asked about any moment, also about one that has passed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from starlette.datastructures import QueryParams

from sandbox_networks.admitad.actions import ActionBook
from sandbox_networks.admitad.catalogue import Catalogue
from sandbox_networks.admitad.options import AdmitadOptions
from sandbox_networks.admitad.queries import ActionFilter, ActionQuery
from sandbox_networks.admitad.shelves import Shelves
from sandbox_networks.boostiny.campaigns import Catalogue as BoostinyCatalogue
from sandbox_networks.boostiny.listings import campaign_row
from sandbox_networks.boostiny.options import BoostinyOptions
from sandbox_networks.boostiny.queries import ReportQuery
from sandbox_networks.boostiny.reports import ReportBook, ReportKind
from sandbox_networks.boostiny.rows import report_row
from sandbox_networks.settings import SandboxSettings, read_options
from sandbox_networks.world import World
from sandbox_networks.zones import Zone

ADMITAD, BOOSTINY = "admitad_default", "boostiny_default"

#: How many days of the network an account reads before and behind the days of a schedule in UTC: the margin
#: of its uncertain zone, and for Admitad the day of Moscow that a day of UTC ends in.
EDGES = {ADMITAD: (1, 2), BOOSTINY: (1, 1)}

#: What the history tells of a row: status, its word, orders net and gross, sale and its currency, commission
#: and its currency, gross sale and gross commission.
Money = tuple[
    str | None, str | None, int | None, int | None, Decimal | None, str | None, Decimal | None, str | None,
    Decimal | None, Decimal | None,
]  # fmt: skip

_STATUSES = {"pending": "pending", "approved": "approved", "approved_but_stalled": "approved",
             "declined": "declined"}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row as the tables must hold it.

    :param money: of a purchase what its history tells, else ``None``.
    :param values: other columns that are compared: of a purchase its day and campaign, of others name and
        code.
    :param raw: what the network sends, decoded, amounts exact.
    """

    money: Money | None
    values: tuple[object, ...]
    raw: object


Rows = Mapping[str, Row]


def decoded(text: str | bytes) -> Any:
    """Decode JSON with exact numbers."""
    return json.loads(text, parse_float=Decimal)


def days_read(account: str, first: date, last: date) -> tuple[date, date]:
    """Return which days of a network are read for days of a schedule in UTC."""
    before, behind = EDGES[account]
    return first - timedelta(days=before), last + timedelta(days=behind)


class Truth:
    """The world of one seed, at whatever moment it is asked about."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._world = World(settings)
        admitad = read_options(AdmitadOptions, "admitad", settings)
        shops = Catalogue(self._world, admitad)
        self._moscow = Zone(admitad.zone)
        self._actions = ActionBook(self._world, admitad, shops, self._moscow, 0)
        self._shelves = Shelves(shops)
        boostiny = read_options(BoostinyOptions, "boostiny", settings)
        self._offers = BoostinyCatalogue(self._world, boostiny)
        self._utc = Zone(boostiny.zone)
        self._reports = {
            kind: ReportBook(self._world, boostiny, self._offers, self._utc, 0, kind) for kind in ReportKind
        }
        self._known: dict[tuple[object, ...], Rows] = {}

    def rows(self, account: str, kind: str, moment: datetime, days: tuple[date, date]) -> Rows:
        """Return the rows of a kind by key.

        :param days: of purchases, days of the network, both inclusive.
        """
        place = (account, kind, moment, days if kind == "purchases" else None)
        if place not in self._known:
            self._world.clock.stand(moment)
            make = getattr(self, f"_{account.split('_')[0]}_{kind}")
            self._known[place] = make(*days) if kind == "purchases" else make()
        return self._known[place]

    def forget(self) -> None:
        """Drop what was asked for so far."""
        self._known.clear()

    def _admitad_purchases(self, first: date, last: date) -> Rows:
        query = ActionQuery(first.toordinal(), last.toordinal(), ActionFilter(), "datetime")
        printed, count = self._actions.page(query, 1_000_000, 0, ())
        rows = map(_action, decoded(b"[" + printed + b"]"))
        found = dict(rows)
        assert len(found) == count
        return found

    def _admitad_campaigns(self) -> Rows:
        today = self._moscow.day(self._world.clock.now())
        rows = self._shelves.campaign_rows(QueryParams("language=en"), today, None)
        return {str(row["id"]): Row(None, (row["name"],), _plain(row)) for row in rows}

    def _admitad_coupons(self) -> Rows:
        today = self._moscow.day(self._world.clock.now())
        rows = self._shelves.coupon_rows(QueryParams("language=en"), today, None)
        return {str(row["id"]): Row(None, (row["name"], row.get("promocode")), _plain(row)) for row in rows}

    def _boostiny_purchases(self, first: date, last: date) -> Rows:
        found: dict[str, Row] = {}
        for ordinal in range(first.toordinal(), last.toordinal() + 1):
            for kind, book in self._reports.items():
                rows = book.report(ReportQuery(ordinal, ordinal), by_day=True).rows
                for row in rows:
                    printed = report_row(row, len(rows), self._utc, with_last_updated=True)
                    key, made = _line(dict(printed), kind)
                    assert key not in found
                    found[key] = made
        return found

    def _boostiny_offers(self) -> list[dict[str, Any]]:
        today = self._utc.day(self._world.clock.now())
        return [
            _plain(campaign_row(campaign, list(self._offers.coupons_on(campaign, today)), today))
            for campaign in self._offers.campaigns_on(today)
        ]

    def _boostiny_campaigns(self) -> Rows:
        return {str(row["id"]): Row(None, (row["name"],), row) for row in self._boostiny_offers()}

    def _boostiny_coupons(self) -> Rows:
        found = {}
        for offer in self._boostiny_offers():
            of_campaign = {"campaign_id": offer["id"], "campaign_name": offer["name"]}
            for coupon in offer["coupons"]:
                raw = coupon | of_campaign
                found[f"{offer['id']}|{coupon['coupon']}"] = Row(None, (None, coupon["coupon"]), raw)
        return found


def _plain(row: Mapping[str, Any]) -> Any:
    return decoded(msgspec.json.encode(row))


def _action(sent: dict[str, Any]) -> tuple[str, Row]:
    word, currency = sent["status"], sent["currency"]
    status = _STATUSES[word]
    if status == "approved" and sent["paid"]:
        status = "paid"
    sale = None if sent["cart"] is None else Decimal(str(sent["cart"]))
    payment = Decimal(str(sent["payment"]))
    money = (
        status, word, 1, None, sale, None if sale is None else currency, payment, currency, None, None
    )  # fmt: skip
    day = date.fromisoformat(sent["action_date"][:10])
    raw = sent | {"click_user_ip": None, "click_user_referer": None}
    return str(sent["action_id"]), Row(money, (day, str(sent["advcampaign_id"])), raw)


def _line(sent: dict[str, Any], kind: ReportKind) -> tuple[str, Row]:
    key = f"{sent['campaign_id']}|{sent.get('code_id', '')}|{sent['date']}|||"
    orders = int(sent["net_orders"]), int(sent["orders"])
    net = Decimal(sent["net_sales_amount_usd"]), "USD", Decimal(sent["net_revenue"]), "USD"
    money = (None, None, *orders, *net, Decimal(sent["sales_amount_usd"]), Decimal(sent["revenue"]))
    values = (date.fromisoformat(sent["date"]), sent["campaign_id"])
    key = f"link:{key}" if kind is ReportKind.LINK else key
    return key, Row(money, values, sent | {"full_count": None})
