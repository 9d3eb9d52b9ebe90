"""A transport to a network of nobody's, which answers by script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from network_clients.interface import Credentials
from network_clients.transport import Transport
from tests.network_clients.nobody import FACTS, QUICK, SECRET, WatchedLimiter
from tests.network_clients.wire import Wire, listening


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the contract suite does not ask of a network; see ``bench.only_if``."""
    others = [item for item in items if isinstance(item, pytest.Function) and not applies(item)]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)


def applies(item: pytest.Function) -> bool:
    condition = getattr(item.function, "only_if", None)
    if condition is None:
        return True
    params = dict(item.callspec.params)
    harness = import_module(f"tests.network_clients.{params.pop('running_bench')}.harness").HARNESS
    return bool(condition(harness, **params))


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
