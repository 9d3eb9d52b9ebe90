"""One Airflow for all end-to-end tests."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.e2e.airflow_site import AirflowSite, Canary

#: Where the sandbox's clock stands when the tests begin.
CLOCK = "2026-03-15T12:00:00Z"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowSite]:
    """A running Airflow with the sandbox, whose only account ``admitad_default`` has canary credentials."""
    canary = Canary.make()
    found = AirflowSite(tmp_path_factory.mktemp("site"), (_free_port(), _free_port()), canary, CLOCK)
    try:
        address = f"http://127.0.0.1:{found.sandbox_port}/admitad"
        mine = {"connection_id": "admitad_default", "conn_type": "affiliate_admitad", "host": address}
        secrets = {"login": canary.login, "password": canary.secret}
        found.call("PATCH", "/connections/admitad_default", json=mine | secrets)
        broken = {"connection_id": "admitad_broken", "login": canary.login, "password": "not-the-secret"}
        found.call("POST", "/connections", json=mine | broken)
        yield found
    finally:
        found.stop()
