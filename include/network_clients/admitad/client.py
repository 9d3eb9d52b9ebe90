"""Reads an Admitad account: campaigns, coupons and single actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import partial

import msgspec

from network_clients.access import probe
from network_clients.admitad.dialect import AdmitadDialect
from network_clients.admitad.facts import FACTS
from network_clients.admitad.mapping import PURCHASE_FIELDS, WITHHELD, to_campaign, to_coupon, to_purchase
from network_clients.admitad.plain import PlainAction, plain_purchase
from network_clients.bodies import json_as
from network_clients.errors import NotConfiguredError
from network_clients.facts import Filter
from network_clients.interface import AccessReport, Credentials, Limiter, NetworkClient, Slice, TokenStore
from network_clients.lists import Params, read_by_offset
from network_clients.plain import PlainReader
from network_clients.records import Kind, Page
from network_clients.request import Patience, Request
from network_clients.rows import RowReader
from network_clients.tokens import Token, TokenSession, buy_token
from network_clients.transport import Transport

# ``status_updated_end`` must not lie in the future of Admitad's clock (seen in 1 client).
_CLOCK_MARGIN = timedelta(minutes=5)
_DAY, _TIME = "%d.%m.%Y", "%d.%m.%Y %H:%M:%S"


class _Meta(msgspec.Struct):
    count: int


class _Envelope(msgspec.Struct):
    results: list[msgspec.Raw]
    meta: _Meta = msgspec.field(name="_meta")


class AdmitadClient(NetworkClient):
    """One application of a publisher, limited to one ad space where the account names it."""

    facts = FACTS
    patience = Patience()

    def __init__(self, credentials: Credentials, limiter: Limiter, tokens: TokenStore) -> None:
        super().__init__(credentials, limiter, tokens)
        self._website = self._ad_space()
        suffix = "_for_website" if self._website else ""
        scopes = {Kind.CAMPAIGNS: f"advcampaigns{suffix}", Kind.COUPONS: f"coupons{suffix}"}
        scopes[Kind.PURCHASES] = "statistics"
        self._scope = " ".join(scopes.values())
        needed = {_operation(kind): scope for kind, scope in scopes.items()} | {"token": self._scope}
        self._transport = Transport(
            FACTS,
            credentials,
            limiter,
            self,
            base_url=self.setting("host"),
            dialect=AdmitadDialect(needed, credentials.account),
            patience=self.patience,
        )
        self._session = TokenSession(
            self._transport,
            tokens,
            identity=f"{self._transport.base_url} {self.setting('login')} {self._scope}",
            secret=self.setting("password"),
            fetch=self._buy_token,
        )
        ours = f"website/{self._website}/" if self._website else ""
        self._paths = {
            Kind.CAMPAIGNS: f"/advcampaigns/{ours}",
            Kind.COUPONS: f"/coupons/{ours}",
            Kind.PURCHASES: "/statistics/actions/",
        }
        self._readers = {
            Kind.CAMPAIGNS: RowReader(to_campaign, self.zone),
            Kind.COUPONS: RowReader(to_coupon, self.zone),
            Kind.PURCHASES: RowReader(
                to_purchase,
                self.zone,
                id_field="action_id",
                reads=PURCHASE_FIELDS,
                withheld=WITHHELD,
                plain=PlainReader(PlainAction, plain_purchase, self.zone, withheld=WITHHELD),
            ),
        }

    def _ad_space(self) -> str:
        website = self.setting("website_id")
        if website and not (website.isascii() and website.isdigit()):
            raise NotConfiguredError(
                f"The ad space id in the connection {self.credentials.account} must be a number, as Admitad "
                "shows it.",
                network=FACTS.slug,
                operation="settings",
            )
        return website

    def check(self) -> AccessReport:
        """Ask for one row of each kind, and once more with a new token if a scope is missing.

        A token keeps the scopes that it was bought with, but how many may be live is capped.
        """
        today = datetime.now(self.zone).date()
        dated = Slice(key="check", start=today, end=today)
        one_row = (("limit", "1"), ("offset", "0"))
        return probe(
            {(kind,): partial(self._ask, kind, self._filters(kind, dated), one_row) for kind in self._paths},
            renew=self._session.renew,
        )

    def pages(self, kind: Kind, part: Slice, cursor: Mapping[str, object] | None = None) -> Iterator[Page]:
        """Iterate over a list's pages; a read by change keeps its upper bound in the cursor."""
        place = dict(cursor or {})
        if part.by is Filter.CHANGED:
            place.setdefault("until", self._latest_change(part).isoformat())
            if str(place["until"]) < _days(part)[0].isoformat():
                return iter((Page(records=(), counted=0, total=0),))
        ask = partial(self._ask, kind, self._filters(kind, part, place.get("until")))
        return read_by_offset(
            ask,
            self._readers[kind],
            limit=FACTS.kinds[kind].page_size or 1,
            cursor=place,
            at_once=self.most_at_once(kind),
        )

    def _latest_change(self, part: Slice) -> datetime:
        now = datetime.now(self.zone).replace(tzinfo=None, microsecond=0)
        return min(datetime.combine(_days(part)[1], time(23, 59, 59)), now - _CLOCK_MARGIN)

    def _filters(self, kind: Kind, part: Slice, until: object = None) -> Params:
        if kind is Kind.CAMPAIGNS:
            return (("language", "en"),)
        if kind is Kind.COUPONS:
            return ("language", "en"), ("order_by", "date_start"), ("order_by", "name")
        first, last = _days(part)
        ours = (*((("website", self._website),) if self._website else ()), ("order_by", "datetime"))
        if until is None:
            return (*ours, *_happened(first, last))
        if isinstance(days := part.params.get("occurred"), list):
            ours = (*ours, *_happened(*map(date.fromisoformat, days)))
        end = datetime.fromisoformat(str(until)).strftime(_TIME)
        start = datetime.combine(first, time.min).strftime(_TIME)
        return (*ours, ("status_updated_start", start), ("status_updated_end", end))

    def _ask(self, kind: Kind, filters: Params, place: Params) -> tuple[list[msgspec.Raw], int]:
        request = Request(_operation(kind), self._paths[kind], params=(*filters, *place))
        answer = self._session.send(request, json_as(_Envelope))
        return answer.results, answer.meta.count

    def _buy_token(self) -> Token:
        user = self.setting("login")
        form = (("grant_type", "client_credentials"), ("client_id", user), ("scope", self._scope))
        return buy_token(self._transport, "/token/", user=user, secret=self.setting("password"), form=form)


def _operation(kind: Kind) -> str:
    return f"{kind.value} page"


def _happened(first: date, last: date) -> Params:
    return ("date_start", first.strftime(_DAY)), ("date_end", last.strftime(_DAY))


def _days(part: Slice) -> tuple[date, date]:
    if part.start is None or part.end is None:
        raise ValueError(f"Purchases are read by days, and the slice {part.key} has none.")
    return part.start, part.end


#: What the registry hands out.
CLIENT = AdmitadClient
