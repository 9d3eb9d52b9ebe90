"""A transport to a network of nobody's, which answers by script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from network_clients.interface import Credentials
from network_clients.transport import Transport
from tests.network_clients.nobody import FACTS, QUICK, SECRET, WatchedLimiter
from tests.network_clients.wire import Wire, listening


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
