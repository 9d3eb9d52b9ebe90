"""Real api-servers in processes of their own, on one metadata database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from data_sync.local.ports import LOOPBACK, free_port

_START_SECONDS = 240


@dataclass(frozen=True)
class ApiServer:
    """One that runs.

    :param log: what it says.
    """

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def cpu(self) -> float:
        """Return the seconds of one core that it has used since its start, with its children."""
        own = psutil.Process(self.process.pid)
        times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
        return sum(time.user + time.system for time in times)

    def memory(self) -> float:
        """Return what it holds now, in MiB."""
        return self._told("VmRSS:")

    def peak(self) -> float:
        """Return the most that it has held at once, in MiB: since its start, or since that was forgotten."""
        return self._told("VmHWM:")

    def forget_peak(self) -> None:
        """Measure the peak anew from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def _told(self, name: str) -> float:
        return int(Path(f"/proc/{self.process.pid}/status").read_text().partition(name)[2].split()[0]) / 1024


@contextmanager
def api_servers(count: int, folder: Path, env: Mapping[str, str]) -> Iterator[list[ApiServer]]:
    """Start api-servers, and return them when all of them answer.

    :param env: settings besides those of this process.
    """
    running: list[ApiServer] = []
    try:
        for number in range(count):
            running.append(_start(folder, env, number))
        for server in running:
            _wait_for(server)
        yield running
    finally:
        for server in running:
            server.process.terminate()
        for server in running:
            try:
                server.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                # A busy machine gives it no time to end, which shows nothing about what was tried.
                server.process.kill()
                server.process.wait()


def _start(folder: Path, env: Mapping[str, str], number: int) -> ApiServer:
    port = free_port()
    command = [sys.executable, "-m", "airflow", "api-server", "--host", LOOPBACK, "--port", str(port)]
    own = {"AIRFLOW__API__WORKERS": "1", "AIRFLOW_HOME": str(folder / f"home-{number}")}
    log = folder / f"api-server-{number}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **env, **own}, stdout=output, stderr=subprocess.STDOUT
        )
    return ApiServer(f"http://{LOOPBACK}:{port}", process, log)


def _wait_for(server: ApiServer) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if requests.get(f"{server.address}/api/v2/version", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        if server.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{server.address} does not answer:\n{server.log.read_text()[-3000:]}")
        time.sleep(0.5)
