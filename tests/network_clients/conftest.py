"""A network of nobody's, for tests of what all networks share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from network_clients.errors import WaitTooLongError
from network_clients.facts import Field, Grade, KindFacts, Limit, NetworkFacts, Order
from network_clients.interface import Credentials
from network_clients.records import Kind
from network_clients.request import Patience
from network_clients.transport import Transport
from tests.network_clients.wire import Wire, listening

SECRET = 'canary/Zq+7 %é"x'
FACTS = NetworkFacts(
    slug="nobody",
    title="Nobody's Network",
    base_url="https://api.nobody.example",
    fields=(
        Field(name="login", label="User"),
        Field(name="password", label="Key", secret=True),
        Field(name="tenant", label="Tenant", required=False),
    ),
    limits=(
        Limit(
            name="api",
            calls=600,
            per_seconds=60,
            counts_by=("login", "tenant"),
            grade=Grade.INFERRED,
            source="a test",
            last_verified="2026-11-23",
        ),
    ),
    kinds={Kind.PURCHASES: KindFacts(order=Order.SHIFTING)},
    zone="UTC",
    zone_grade=Grade.INFERRED,
)
#: Patient with a busy machine, hasty where an answer will never come.
QUICK = Patience(
    connect_timeout=20,
    read_timeout=20,
    total_timeout=60,
    first_pause=0.01,
    longest_pause=0.02,
    first_gate=0.01,
)


class WatchedLimiter:
    """Lets everybody pass and remembers; once ``refusing``, a closed gate raises."""

    def __init__(self) -> None:
        self.claims: list[str] = []
        self.gates: list[float] = []
        self.refusal: WaitTooLongError | None = None

    def claim(self, identity: str, limit: Limit) -> None:
        self.claims.append(identity)
        if self.gates and self.refusal:
            raise self.refusal

    def close_gate(self, identity: str, limit: Limit, seconds: float, reason: str) -> None:
        self.gates.append(seconds)


@pytest.fixture
def wire() -> Iterator[Wire]:
    with listening() as found:
        yield found


@pytest.fixture
def limiter() -> WatchedLimiter:
    return WatchedLimiter()


@pytest.fixture
def meter() -> SimpleNamespace:
    return SimpleNamespace(requests=0, waited=0.0)


@pytest.fixture
def credentials() -> Credentials:
    return Credentials("nobody_default", {"login": "user-1", "password": SECRET, "tenant": "t9"})


@pytest.fixture
def make_transport(
    wire: Wire, limiter: WatchedLimiter, meter: SimpleNamespace, credentials: Credentials
) -> Callable[..., Transport]:
    def make(**changes: Any) -> Transport:
        options = {"base_url": wire.url, "patience": QUICK} | changes
        return Transport(FACTS, credentials, limiter, meter, **options)

    return make


@pytest.fixture
def transport(make_transport: Callable[..., Transport]) -> Transport:
    return make_transport()
