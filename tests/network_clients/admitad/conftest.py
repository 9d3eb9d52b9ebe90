"""Clients of an Admitad account whose network answers by script."""

from __future__ import annotations

import pytest

from network_clients.admitad.client import AdmitadClient
from network_clients.interface import Credentials
from network_clients.limits import NoLimiter
from network_clients.tokens import MemoryTokenStore
from tests.network_clients.admitad.account import MakeClient
from tests.network_clients.nobody import QUICK
from tests.network_clients.wire import Wire


@pytest.fixture
def make_client(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> MakeClient:
    monkeypatch.setattr(AdmitadClient, "patience", QUICK)

    def make(tokens: MemoryTokenStore | None = None, **values: str) -> AdmitadClient:
        known = {"host": wire.url, "login": "app-1", "password": "secret-1"} | values
        return AdmitadClient(Credentials("admitad_default", known), NoLimiter(), tokens or MemoryTokenStore())

    return make
