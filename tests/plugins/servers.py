"""Real api-servers for tests, which need no more of them than where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks import api_servers as real


@contextmanager
def api_servers(count: int, folder: Path, env: Mapping[str, str]) -> Iterator[list[str]]:
    """Start api-servers, and return their addresses when all of them answer."""
    with real.api_servers(count, folder, env) as running:
        yield [server.address for server in running]
