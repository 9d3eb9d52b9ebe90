"""A real sandbox over real HTTP for each test, with a standing clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from typing import Any

import pytest

from sandbox_networks.server import running
from sandbox_networks.settings import SandboxSettings
from tests.sandbox_networks.caller import Caller, Start

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start sandboxes with chosen settings; all end with the test."""
    with ExitStack() as stack:

        def begin(*, admitad: dict[str, Any] | None = None, **settings: Any) -> Caller:
            chosen = {"now": NOON, "first_day": date(2025, 12, 1), "rows_per_day": 40} | settings
            chosen["options"] = {"admitad": admitad or {}}
            return Caller(stack.enter_context(running(SandboxSettings(**chosen))))

        yield begin


@pytest.fixture
def sandbox(start: Start) -> Caller:
    """A sandbox with default options, and a token for everything."""
    return start().log_in()
