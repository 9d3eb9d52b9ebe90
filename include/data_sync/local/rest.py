"""The few calls to Airflow's public REST API that the one-machine set-up makes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import requests

from data_sync.local.errors import LocalError

#: Generous: on a busy machine Airflow takes its time, and a demo that gives up proves nothing.
_SECONDS = 180.0


class AirflowApi:
    """Airflow's REST API as the admin sees it.

    :param url: the address of the api-server.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        # A proxy of the machine must not see calls to the machine itself.
        self._session.trust_env = False

    def log_in(self, user: str, password: str) -> str:
        """Fetch an access token, use it from now on, and return it.

        :raises LocalError: when the password is not accepted.
        """
        answer = self._send("POST", "/auth/token", json={"username": user, "password": password})
        if not answer.ok:
            raise LocalError(
                f"Airflow did not accept the password of {user} (HTTP {answer.status_code}): "
                "run make clean, which removes all of this demo's state, and start again."
            )
        token = str(answer.json()["access_token"])
        self._session.headers["Authorization"] = f"Bearer {token}"
        return token

    def warm_up(self) -> None:
        """Let the api-server build the API of the tasks, which it else does at the first task's cost."""
        self._send("GET", "/execution/health")

    def missing_services(self, since: datetime) -> list[str]:
        """Return the names of Airflow's services that have not reported in since a moment.

        :param since: an aware time; a heartbeat of an earlier start does not count.
        """
        try:
            answer = self._send("GET", "/api/v2/monitor/health")
        except LocalError:
            return ["api-server"]
        if not answer.ok:
            return ["api-server"]
        health = answer.json()
        names = {"scheduler": "scheduler", "dag_processor": "dag-processor", "triggerer": "triggerer"}
        return [
            name
            for key, name in names.items()
            if not _reported(health[key], f"latest_{key}_heartbeat", since)
        ]

    def find_dag(self, dag_id: str) -> dict[str, Any] | None:
        """Return what Airflow knows about a DAG, or ``None`` while it knows none of that id."""
        answer = self._send("GET", f"/api/v2/dags/{dag_id}")
        return None if answer.status_code == 404 else _read(answer)

    def unpause(self, dag_id: str) -> None:
        """Let the runs of a DAG start."""
        _read(self._send("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False}))

    def import_errors(self) -> list[str]:
        """Return the last line of each error that keeps a DAG file from being read."""
        found = _read(self._send("GET", "/api/v2/importErrors"))
        return [error["stack_trace"].strip().splitlines()[-1] for error in found["import_errors"]]

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run and return its id."""
        body = {"logical_date": None, "conf": conf}
        return str(_read(self._send("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body))["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run in Airflow's words: queued, running, success or failed."""
        return str(_read(self._send("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"))["state"])

    def _send(self, method: str, path: str, **details: Any) -> requests.Response:
        try:
            return self._session.request(method, f"{self._url}{path}", timeout=_SECONDS, **details)
        except requests.RequestException as error:
            raise LocalError(
                f"Airflow's api-server does not answer ({type(error).__name__}): "
                "read the end of its log, logs/api-server.log in the folder of the demo's state."
            ) from error


def _reported(part: dict[str, Any], heartbeat: str, since: datetime) -> bool:
    last = part.get(heartbeat)
    return part["status"] == "healthy" and last is not None and datetime.fromisoformat(last) >= since


def _read(answer: requests.Response) -> dict[str, Any]:
    if not answer.ok:
        raise LocalError(
            f"Airflow answered {answer.request.method} {answer.request.path_url} with "
            f"HTTP {answer.status_code}: {answer.text[:300]}"
        )
    found: dict[str, Any] = answer.json()
    return found
