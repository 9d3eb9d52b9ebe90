"""Real api-servers in processes of their own, on one metadata database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from data_sync.local.ports import free_port

_START_SECONDS = 240


@contextmanager
def api_servers(count: int, folder: Path, env: Mapping[str, str]) -> Iterator[list[str]]:
    """Start api-servers, and return their addresses when all of them answer."""
    running, addresses = [], []
    try:
        for number in range(count):
            port = free_port()
            command = [
                sys.executable,
                "-m",
                "airflow",
                "api-server",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ]
            output = (folder / f"api-server-{number}.log").open("w")
            own = {"AIRFLOW__API__WORKERS": "1", "AIRFLOW_HOME": str(folder / f"home-{number}")}
            running.append(
                subprocess.Popen(
                    command, env={**os.environ, **env, **own}, stdout=output, stderr=subprocess.STDOUT
                )
            )
            addresses.append(f"http://127.0.0.1:{port}")
        for number, address in enumerate(addresses):
            _wait_for(address, running[number], folder / f"api-server-{number}.log")
        yield addresses
    finally:
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                # A busy machine gives it no time to end, which shows nothing about what was tested.
                process.kill()
                process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if requests.get(f"{address}/api/v2/version", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        is_waiting = process.poll() is None and time.monotonic() < deadline
        assert is_waiting, f"{address} does not answer:\n{log.read_text()[-3000:]}"
        time.sleep(0.5)
