"""Admitad in the contract suite."""

from __future__ import annotations

from network_clients.admitad.facts import FACTS
from network_clients.records import Kind
from tests.network_clients.bench import Harness

HARNESS = Harness(
    facts=FACTS,
    options={"live_tokens": 1000},
    values={"login": "sandbox-admitad-id", "password": "sandbox-admitad-secret"},
    paths={
        Kind.CAMPAIGNS: "/advcampaigns/",
        Kind.COUPONS: "/coupons/",
        Kind.PURCHASES: "/statistics/actions/",
    },
    has_tokens=True,
)
