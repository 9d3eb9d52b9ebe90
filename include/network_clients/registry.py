"""The networks that can be read: one line each.

Facts are imported without the client, so that DAG files and connection forms stay cheap to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from network_clients.facts import NetworkFacts
from network_clients.interface import NetworkClient

#: Slug to package. Each package has ``facts.FACTS`` and ``client.CLIENT``.
_PACKAGES = {
    "admitad": "network_clients.admitad",
    "boostiny": "network_clients.boostiny",
}


class UnknownNetworkError(LookupError):
    """Raised for a slug that no client is registered for."""

    def __init__(self, slug: str) -> None:
        self.slug = slug
        super().__init__(f"There is no network {slug!r}. Known networks: {', '.join(all_networks())}.")


def all_networks() -> tuple[str, ...]:
    """Return the slugs of all networks, sorted."""
    return tuple(sorted(_PACKAGES))


def facts_of(slug: str) -> NetworkFacts:
    """Return what a network declares about itself.

    :raises UnknownNetworkError: for a slug that is not registered.
    """
    return cast(NetworkFacts, import_module(f"{_package(slug)}.facts").FACTS)


def get_client_class(slug: str) -> type[NetworkClient]:
    """Return the class that reads accounts of a network.

    :raises UnknownNetworkError: for a slug that is not registered.
    """
    return cast(type[NetworkClient], import_module(f"{_package(slug)}.client").CLIENT)


def _package(slug: str) -> str:
    try:
        return _PACKAGES[slug]
    except KeyError:
        raise UnknownNetworkError(slug) from None
