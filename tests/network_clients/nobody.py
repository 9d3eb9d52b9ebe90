"""A network of nobody's, for tests of what all networks share."""

from __future__ import annotations

from network_clients.errors import WaitTooLongError
from network_clients.facts import Field, Grade, KindFacts, Limit, NetworkFacts, Order
from network_clients.records import Kind
from network_clients.request import Patience

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
        self.released = 0
        self.refusal: WaitTooLongError | None = None

    def claim(self, identity: str, limit: Limit) -> None:
        self.claims.append(identity)
        if self.gates and self.refusal:
            raise self.refusal

    def release(self, identity: str, limit: Limit) -> None:
        self.released += 1

    def close_gate(self, identity: str, limit: Limit, seconds: float, reason: str) -> None:
        self.gates.append(seconds)
