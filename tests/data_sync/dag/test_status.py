"""``data-sync status`` shows what the settings page shows, to whoever has a shell and no screen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from data_sync.cli import cli
from data_sync.database import Database
from data_sync.pools import make_pools
from tests.data_sync.dag.metadata import Metadata


@pytest.fixture
def right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options as they should be."""
    options = {
        "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
        "CORE__FERNET_KEY": "l6Yy0kEJYwWnUz4IyUQnJ0BQ3bYbCq9WZc6K3m0dJXo=",
        "API__SECRET_KEY": "a-key-of-the-tests-that-signs-nothing-real",
        "API_AUTH__JWT_SECRET": "another-key-of-the-tests-that-signs-nothing",
        "CORE__DAGS_FOLDER": "/nowhere",
    }
    for name, value in options.items():
        monkeypatch.setenv(f"AIRFLOW__{name}", value)


def status(*words: str) -> Result:
    return CliRunner().invoke(cli, ["status", *words])


def report(metadata: Metadata, kind: str) -> None:
    metadata.rows("INSERT INTO job (job_type, state, latest_heartbeat) VALUES (%s, 'running', now())", kind)


def test_a_sound_installation_ends_well_and_a_stopped_scheduler_does_not(
    db: Database, metadata: Metadata, right: None
) -> None:
    metadata.rows("TRUNCATE job")
    make_pools()
    report(metadata, "DagProcessorJob")
    stopped = status()
    assert stopped.exit_code == 1
    assert "airflow scheduler" in stopped.output
    report(metadata, "SchedulerJob")
    sound = status()
    assert sound.exit_code == 0, sound.output
    assert "healthy, 1 alive" in sound.output
    # The driver that these tests use is one that it warns about.
    found: dict[str, Any] = json.loads(status("--json").output)
    assert (found["is_sound"], [advice["code"] for advice in found["advice"]]) == (True, ["metadata-driver"])
