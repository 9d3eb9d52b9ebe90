"""What every test may use, and which tests share a process where several run side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

pytest_plugins = ["tests.services.fixtures"]

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the end-to-end tests: the longest work must not begin last."""
    items.sort(key=lambda item: not item.path.is_relative_to(_HERE / "e2e"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Callable[..., Any]) -> LoadFileScheduling:
    """Give each file to one process, and all end-to-end tests to one."""
    return _ByRoom(config, log)


class _ByRoom(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        # Two whole Airflows at once take longer than one after the other.
        return "e2e" if nodeid.startswith("tests/e2e/") else str(super()._split_scope(nodeid))
