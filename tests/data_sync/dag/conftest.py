"""One process with Airflow loaded for all tests that parse DAG files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.data_sync.dag.parsing import Parser


@pytest.fixture(scope="session")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parser]:
    found = Parser(tmp_path_factory.mktemp("airflow"))
    yield found
    found.stop()
