"""One network in a running sandbox, and clients of it: what the contract suite works with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import requests

from network_clients import registry
from network_clients.facts import Filter, NetworkFacts
from network_clients.interface import Credentials, Limiter, NetworkClient, ReadRequest
from network_clients.limits import NoLimiter
from network_clients.records import Kind, Page, Purchase
from network_clients.request import Patience
from network_clients.tokens import MemoryTokenStore
from sandbox_networks.server import running
from sandbox_networks.settings import SandboxSettings

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 4)
QUICK = Patience(read_timeout=30, first_pause=0.01, longest_pause=0.02, first_gate=0.02)


@dataclass(frozen=True)
class Harness:
    """What the suite must know of a network.

    :param options: of the network in the sandbox.
    :param values: credentials that the sandbox accepts, without the address.
    :param paths: where each kind is asked for.
    :param inside: kinds that stand inside the items of another kind's list: to that kind.
    :param key_separator: between the parts of a key, where the network gives its rows no id of their own.
    :param stated_wait: the seconds that the network's own words for "too many" name, without any header.
    :param impossible: faults of rows that the network's rows cannot have, since they lack the field.
    """

    facts: NetworkFacts
    options: Mapping[str, Any]
    values: Mapping[str, str]
    paths: Mapping[Kind, str]
    has_tokens: bool
    inside: Mapping[Kind, Kind] = field(default_factory=dict)
    key_separator: str | None = None
    stated_wait: float | None = None
    impossible: frozenset[str] = frozenset()

    @property
    def secrets(self) -> list[str]:
        return [self.values[field.name] for field in self.facts.fields if field.secret]


Test = TypeVar("Test", bound=Callable[..., object])


def only_if(condition: Callable[..., bool]) -> Callable[[Test], Test]:
    """Leave a promise of the suite out for networks that lack what it is about.

    :param condition: is told the network's harness, and by name what the test is parametrized with.
    """

    def mark(test: Test) -> Test:
        vars(test)["only_if"] = condition
        return test

    return mark


class Bench:
    """One network in a running sandbox, and clients of it."""

    def __init__(self, url: str, harness: Harness) -> None:
        self._url = url
        self.harness = harness
        self.tokens = MemoryTokenStore()

    def client(
        self,
        limiter: Limiter | None = None,
        patience: Patience = QUICK,
        **values: str,
    ) -> NetworkClient:
        slug = self.harness.facts.slug
        known = dict(self.harness.values) | {"host": f"{self._url}/{slug}"} | values
        found = registry.get_client_class(slug)
        hasty = type(found.__name__, (found,), {"patience": patience})
        return hasty(Credentials(f"{slug}_default", known), limiter or NoLimiter(), self.tokens)

    def fault(self, kind: str, path: Kind | str = "/", **more: Any) -> None:
        where = self.harness.paths[path] if isinstance(path, Kind) else path
        order = {"network": self.harness.facts.slug, "kind": kind, "path": where} | more
        requests.post(f"{self._url}/_admin/faults", json=order, timeout=30).raise_for_status()

    def reset(self) -> None:
        requests.post(f"{self._url}/_admin/clock", json={"now": NOW.isoformat()}, timeout=30)
        requests.post(f"{self._url}/_admin/reset", timeout=30).raise_for_status()

    def advance(self, seconds: int) -> None:
        order = {"advance_seconds": seconds}
        requests.post(f"{self._url}/_admin/clock", json=order, timeout=30).raise_for_status()

    def requests(self) -> int:
        state = requests.get(f"{self._url}/_admin/state", timeout=30).json()
        return int(state["networks"][self.harness.facts.slug]["requests_total"])

    def totals(self) -> dict[str, Any]:
        days = f"from={FIRST}&to={LAST}"
        answer = requests.get(f"{self._url}/_admin/totals/{self.harness.facts.slug}?{days}", timeout=30)
        found: dict[str, Any] = answer.json()
        return found


@contextlib.contextmanager
def benches(harness: Harness) -> Iterator[Bench]:
    slug = harness.facts.slug
    settings = SandboxSettings(
        now=NOW,
        rows_per_day=400,
        networks=(slug,),
        enforce_limits=False,
        options={slug: dict(harness.options)},
    )
    with running(settings) as url:
        yield Bench(url, harness)


def read(client: NetworkClient, kind: Kind, by: Filter = Filter.OCCURRED) -> list[Page]:
    return list(pages_of(client, kind, by))


def pages_of(client: NetworkClient, kind: Kind, by: Filter = Filter.OCCURRED) -> Iterator[Page]:
    for pages in lists_of(client, kind, by):
        for page in pages:
            yield page.translated()


def lists_of(client: NetworkClient, kind: Kind, by: Filter = Filter.OCCURRED) -> Iterator[Iterator[Page]]:
    """The pages of each list into which the network cuts the suite's days."""
    dated = bool(client.facts.kinds[kind].filters)
    request = ReadRequest(kind, FIRST, LAST, by) if dated else ReadRequest(kind)
    for part in client.slices(request):
        yield client.pages(kind, part)


def keys(pages: list[Page]) -> list[str]:
    """All records in order; one that is read again as an overlap stands once."""
    return list(dict.fromkeys(record.key for page in pages for record in page.records))


def purchases(pages: list[Page]) -> list[Purchase]:
    found = {r.key: r for page in pages for r in page.records if isinstance(r, Purchase)}
    return list(found.values())
