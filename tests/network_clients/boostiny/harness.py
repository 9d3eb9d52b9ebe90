"""Boostiny in the contract suite."""

from __future__ import annotations

from network_clients.boostiny.facts import FACTS
from network_clients.records import Kind
from tests.network_clients.bench import Harness

HARNESS = Harness(
    facts=FACTS,
    options={"per_page": 25},
    values={"password": "sandbox-boostiny-secret"},
    paths={
        Kind.CAMPAIGNS: "/publisher/campaigns",
        Kind.COUPONS: "/publisher/campaigns",
        Kind.PURCHASES: "/publisher/performance",
    },
    has_tokens=False,
    inside={Kind.COUPONS: Kind.CAMPAIGNS},
    key_separator="|",
    stated_wait=600,
    impossible=frozenset({"missing_currency"}),
)
