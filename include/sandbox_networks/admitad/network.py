"""The endpoints of the sandbox's Admitad.

Source: the publisher documentation (developers.admitad.com): paths, scopes, paging, error codes; where it is
silent, :mod:`sandbox_networks.admitad.options` says what is assumed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox_networks.admitad import answers
from sandbox_networks.admitad.actions import ActionBook
from sandbox_networks.admitad.catalogue import Catalogue
from sandbox_networks.admitad.options import AdmitadOptions, App
from sandbox_networks.admitad.queries import Page, read_action_query, read_page
from sandbox_networks.admitad.shelves import Shelves
from sandbox_networks.admitad.tokens import TokenDesk, basic_of, form_of
from sandbox_networks.admitad.totals import ActionSums, read_totals_query
from sandbox_networks.faults import FaultBook
from sandbox_networks.network import BadQueryError, Network
from sandbox_networks.settings import SandboxSettings, read_options
from sandbox_networks.traffic import CallLimit, Traffic
from sandbox_networks.world import World
from sandbox_networks.zones import Zone

Endpoint = Callable[[Request], Awaitable[Response]]

_REMOVED = (
    "/advcampaigns/{campaign:int}/attach/{website:int}/",
    "/advcampaigns/{campaign:int}/detach/{website:int}/",
    "/website/create/",
    "/website/update/{website:int}/",
)


@dataclass(frozen=True)
class Call:
    """A call that passed the token check: whose it is, and what it asks."""

    app: App
    request: Request

    def number(self, name: str) -> int:
        """Read a number from the path."""
        return int(self.request.path_params[name])


class Admitad(Network):
    """The sandbox's Admitad."""

    slug = "admitad"

    def __init__(self, world: World, faults: FaultBook, settings: SandboxSettings) -> None:
        """See :class:`Network`; options are :class:`AdmitadOptions`."""
        options = read_options(AdmitadOptions, self.slug, settings)
        self._world = world
        self._faults = faults
        self._options = options
        self._zone = Zone(options.zone)
        self._tokens = TokenDesk(options, world.clock)
        self._catalogue = Catalogue(world, options)
        self._books = {
            app.client_id: ActionBook(world, options, self._catalogue, self._zone, position)
            for position, app in enumerate(options.apps)
        }
        self.traffic = Traffic(
            (CallLimit("calls_per_minute", options.calls, options.per_seconds),), ("page_size",)
        )
        self._shelves = Shelves(self._catalogue)

    def routes(self) -> Sequence[BaseRoute]:
        """List the endpoints."""
        own, everything = "advcampaigns_for_website", "advcampaigns"
        guarded: dict[str, tuple[str, Callable[[Call], Response]]] = {
            "/websites/v2/": ("websites", self._websites),
            "/websites/v2/{website:int}/": ("websites", self._website),
            "/advcampaigns/": (everything, self._campaigns),
            "/advcampaigns/{campaign:int}/": (everything, self._campaign),
            "/advcampaigns/website/{website:int}/": (own, self._campaigns),
            "/advcampaigns/{campaign:int}/website/{website:int}/": (own, self._campaign),
            "/coupons/": ("coupons", self._coupons),
            "/coupons/{coupon:int}/": ("coupons", self._coupon),
            "/coupons/website/{website:int}/": ("coupons_for_website", self._coupons),
            "/coupons/{coupon:int}/website/{website:int}/": ("coupons_for_website", self._coupon),
            "/statistics/actions/": ("statistics", self._actions),
        }
        routes = [
            Route(path, self._guard(scope, answer), methods=["GET"])
            for path, (scope, answer) in guarded.items()
        ]
        removed = [Route(path, _gone, methods=["GET", "POST"]) for path in _REMOVED]
        return [Route("/token/", self._token, methods=["POST"]), *routes, *removed]

    def caller(self, path: str, headers: Headers, body: bytes) -> str | None:
        """Limits count by application: the token's, or the one that asks for a token."""
        if path.startswith("/token"):
            named = basic_of(headers)
            return named[0] if named else form_of(body).get("client_id")
        token = self._tokens.find(headers)
        return token.app.client_id if token else None

    def rate_limited(self) -> Response:
        """503 with error_code 4."""
        return answers.rate_limited()

    def wrong_credentials(self) -> Response:
        """401 invalid_client."""
        return answers.wrong_client()

    def missing_scope(self) -> Response:
        """403 insufficient_scope."""
        return answers.missing_scope()

    def expire_tokens(self) -> None:
        """Let all access tokens expire."""
        self._tokens.expire_all()

    def describe(self) -> dict[str, object]:
        """Give the numbers of tokens."""
        return {"tokens": {"live": self._tokens.live(), "issued": self._tokens.issued}}

    def totals(self, query: Mapping[str, str]) -> dict[str, object]:
        """Sum up actions per status word (paid ones apart) and currency, and count campaigns and coupons.

        ``client_id`` picks the application, the first one by default. With ``website``, campaigns and coupons
        are those of that ad space, else the whole catalogue.
        """
        asked = read_totals_query(query)
        book = self._books.get(asked.client_id or self._options.apps[0].client_id)
        if book is None:
            raise BadQueryError(f"There is no application {asked.client_id!r}.")
        sums = ActionSums(self._faults.spoiling(self.slug))
        for action in book.visible(asked.first, asked.last):
            if asked.website in (None, action.website):
                sums.add(action)
        today = self._today()
        return sums.describe() | {
            "campaigns": len(self._shelves.campaigns(today, asked.website)),
            "coupons": len(self._shelves.coupons(today, asked.website)),
        }

    def _today(self) -> int:
        return self._zone.day(self._world.clock.now())

    def _guard(self, scope: str, answer: Callable[[Call], Response]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            token = self._tokens.find(request.headers)
            if token is None or not self._tokens.is_live(token):
                return answers.refused_token(expired=token is not None)
            if scope not in token.scopes:
                return answers.missing_scope(scope)
            if request.path_params.get("website", token.app.websites[0]) not in token.app.websites:
                return answers.not_found()
            try:
                return answer(Call(token.app, request))
            except answers.BadRequestError as error:
                return answers.bad_request(str(error))

        return endpoint

    async def _token(self, request: Request) -> Response:
        return self._tokens.answer(request.headers, await request.body())

    def _page(self, call: Call) -> Page:
        page = read_page(call.request.query_params)
        if page.was_too_large:
            self.traffic.violate("page_size")
        return page

    def _list(self, call: Call, rows: Sequence[dict[str, object]]) -> Response:
        page = self._page(call)
        wanted = rows[page.offset : page.offset + page.limit]
        return answers.listing(
            b",".join(map(answers.ENCODER.encode, wanted)), len(rows), page.limit, page.offset
        )

    def _websites(self, call: Call) -> Response:
        rows = [_website_row(website) for website in call.app.websites]
        return answers.json_answer(rows) if self._options.websites_as_list else self._list(call, rows)

    def _website(self, call: Call) -> Response:
        return answers.json_answer(_website_row(call.number("website")))

    def _campaigns(self, call: Call) -> Response:
        website = call.request.path_params.get("website")
        return self._list(
            call, self._shelves.campaign_rows(call.request.query_params, self._today(), website)
        )

    def _campaign(self, call: Call) -> Response:
        website = call.request.path_params.get("website")
        query, number = call.request.query_params, call.number("campaign")
        row = self._shelves.campaign_row(query, self._today(), website, number)
        return answers.json_answer(row) if row else answers.not_found()

    def _coupons(self, call: Call) -> Response:
        website = call.request.path_params.get("website")
        return self._list(call, self._shelves.coupon_rows(call.request.query_params, self._today(), website))

    def _coupon(self, call: Call) -> Response:
        website = call.request.path_params.get("website")
        query, number = call.request.query_params, call.number("coupon")
        row = self._shelves.coupon_row(query, self._today(), website, number)
        return answers.json_answer(row) if row else answers.not_found()

    def _actions(self, call: Call) -> Response:
        page = self._page(call)
        query = read_action_query(call.request.query_params, self._zone, self._world.clock.now())
        bad = self._faults.spoiling(self.slug)
        rows, count = self._books[call.app.client_id].page(query, page.limit, page.offset, bad)
        return answers.listing(rows, count, page.limit, page.offset)


async def _gone(request: Request) -> Response:
    return answers.gone()


def _website_row(website: int) -> dict[str, object]:
    return {
        "id": website,
        "name": f"Site {website}",
        "status": "active",
        "kind": "website",
        "site_url": f"https://site{website}.example/",
        "regions": [{"region": "AE", "id": 1}],
        "categories": [{"id": 62, "name": "Fashion", "language": "en", "parent": None}],
    }
