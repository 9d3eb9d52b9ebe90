"""The networks that the sandbox can play. A new one is added here and nowhere else."""

from __future__ import annotations

from sandbox_networks.admitad.network import Admitad
from sandbox_networks.boostiny.network import Boostiny
from sandbox_networks.network import Network

NETWORKS: dict[str, type[Network]] = {network.slug: network for network in (Admitad, Boostiny)}
"""By slug."""
