"""Networks are found by their slug, and facts cost nothing to look up."""

from __future__ import annotations

import subprocess
import sys

import pytest

from network_clients import registry
from network_clients.interface import NetworkClient


@pytest.mark.parametrize("slug", registry.all_networks())
def test_every_registered_network_has_facts_and_a_client(slug: str) -> None:
    facts = registry.facts_of(slug)
    client = registry.get_client_class(slug)
    assert facts.slug == slug
    assert issubclass(client, NetworkClient)
    assert client.facts is facts


@pytest.mark.parametrize("look_up", [registry.facts_of, registry.get_client_class])
def test_an_unknown_network_is_named_with_those_that_exist(look_up: object) -> None:
    assert callable(look_up)
    with pytest.raises(registry.UnknownNetworkError, match=r"'nobody'.*admitad"):
        look_up("nobody")


def test_looking_up_facts_does_not_load_an_http_library() -> None:
    program = (
        "import sys\n"
        "from network_clients import registry\n"
        "[registry.facts_of(slug) for slug in registry.all_networks()]\n"
        "sys.exit('requests' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
