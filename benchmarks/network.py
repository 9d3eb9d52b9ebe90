"""The canned network as the bench sees it: started as a process of its own, told what to answer, asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import requests

from benchmarks.canned import FIRST_DAY, LOGIN, SECRET, World
from data_sync.local.home import CHECKOUT
from data_sync.local.processes import spawn


@dataclass(frozen=True)
class Served:
    """What the network has served since it was last asked.

    :param pages: when each page was asked for, in seconds of the machine's clock.
    :param bytes: of their bodies.
    :param cpu: seconds of one core since its start.
    :param rows: purchases that there are, and ``units`` their commissions in ten-thousandths.
    """

    pages: list[float]
    bytes: int
    cpu: float
    rows: int
    units: int


class Network:
    """A running canned network."""

    def __init__(self, url: str, world: World) -> None:
        self.url = url
        self.world = world
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day that have purchases."""
        return FIRST_DAY, FIRST_DAY + timedelta(days=self.world.days - 1)

    @property
    def connection(self) -> str:
        """The account as the value of an ``AIRFLOW_CONN_...`` variable."""
        values = {"host": f"{self.url}/admitad", "login": LOGIN, "password": SECRET}
        return json.dumps({"conn_type": "affiliate_admitad", **values})

    def become(self, state: str) -> None:
        """Let it show another state: ``first``, or ``changed`` by one row in a hundred."""
        self._get("/_state", name=state)

    def served(self) -> Served:
        """Return what was served since the last time."""
        return Served(**self._get("/_served"))

    def _get(self, path: str, **query: str) -> Any:
        return self._session.get(self.url + path, params=query, timeout=30).json()


@contextmanager
def serving(world: World) -> Iterator[Network]:
    """Start the network, and end it."""
    command = [sys.executable, "-m", "benchmarks.canned"]
    for name, value in asdict(world).items():
        command += [f"--{name}", str(value)]
    env = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    process = spawn(command, env=env, output=subprocess.PIPE)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        if not url.startswith("http"):
            raise RuntimeError("the canned network did not start")
        yield Network(url, world)
    finally:
        process.terminate()
        process.communicate()
