"""Clients of a Boostiny account whose network answers by script."""

from __future__ import annotations

import pytest

from network_clients.boostiny.client import BoostinyClient
from network_clients.interface import Credentials
from network_clients.tokens import MemoryTokenStore
from tests.network_clients.boostiny.account import MakeClient
from tests.network_clients.nobody import QUICK, WatchedLimiter
from tests.network_clients.wire import Wire


@pytest.fixture
def make_client(wire: Wire, limiter: WatchedLimiter, monkeypatch: pytest.MonkeyPatch) -> MakeClient:
    monkeypatch.setattr(BoostinyClient, "patience", QUICK)

    def make(**values: str) -> BoostinyClient:
        known = {"host": wire.url, "password": "key-0123456789", "link_traffic": "no"} | values
        return BoostinyClient(Credentials("boostiny_default", known), limiter, MemoryTokenStore())

    return make
