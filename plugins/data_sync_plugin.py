"""What Airflow learns about our REST API. Imported in every process, task processes included: it stays thin.

The application behind it, the package ``sync_api`` beside this file, is loaded by the first request that an
api-server gets under ``/sync``. The dag-processor is the exception: it loads the factory here, once, which
otherwise each of its parses, a process of its own, would do: most of what a file with few DAGs costs.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

if os.environ.get("DATA_SYNC_DAG_PROCESSOR") == "1":
    import data_sync.dag.factory
    import data_sync.dag.proving
    import data_sync.dag.source  # noqa: F401


class LazyApp:
    """An ASGI application that builds the real one when it is first asked for something."""

    def __init__(self) -> None:
        self._app: Any = None
        self._lock = threading.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if self._app is None:
            # In a thread: building takes a second or two, and Airflow's own routes go on meanwhile.
            await asyncio.to_thread(self._build)
        # Mounted applications see themselves as "app": how runs are started needs Airflow's.
        await self._app({**scope, "airflow_app": scope.get("app")}, receive, send)

    def __repr__(self) -> str:
        """Return the name that Airflow's page of plugins shows."""
        return "Data Sync REST API"

    def _build(self) -> None:
        with self._lock:
            if self._app is None:
                from sync_api.app import build_app

                self._app = build_app()


class DataSyncPlugin(AirflowPlugin):
    """Our routes below ``/sync`` of Airflow's api-server."""

    name = "data_sync"
    fastapi_apps = [{"app": LazyApp(), "url_prefix": "/sync", "name": "Data Sync"}]  # noqa: RUF012
