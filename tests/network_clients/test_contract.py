"""The contract suite, run for every registered network."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest

from network_clients import registry
from tests.network_clients.bench import Bench, benches
from tests.network_clients.contract import NetworkContract


@pytest.fixture(scope="module", params=registry.all_networks())
def running_bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    harness = import_module(f"tests.network_clients.{request.param}.harness").HARNESS
    with benches(harness) as bench:
        yield bench


@pytest.fixture
def bench(running_bench: Bench) -> Bench:
    running_bench.reset()
    return running_bench


class TestEveryNetwork(NetworkContract):
    """See :class:`tests.network_clients.contract.NetworkContract`."""
