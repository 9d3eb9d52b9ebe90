"""Airflow's public REST API, as our commands and the one-machine set-up use it to start and follow runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests

from data_sync.errors import ConfigError, DataSyncError

#: Seconds; generous: on a busy machine Airflow takes its time, and giving up proves nothing.
_SECONDS = 180.0

_ENDED = ("success", "failed")


class AirflowApiError(DataSyncError):
    """Raised when Airflow's api-server does not answer, or refuses what was asked."""


class AirflowApi:
    """Airflow's REST API as one person sees it.

    :param url: the address of the api-server.
    :param token: an access token of Airflow's.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        if url.startswith("http://127.0.0.1"):
            # A proxy of the machine must not see calls to the machine itself.
            self._session.trust_env = False
        if token:
            self.use_token(token)

    @classmethod
    def from_settings(cls) -> AirflowApi:
        """Return the API that ``[data_sync] api_url`` and ``api_token`` name.

        :raises ConfigError: when one of them is empty.
        """
        from airflow.sdk.configuration import conf

        url = conf.get("data_sync", "api_url", fallback="")
        token = conf.get("data_sync", "api_token", fallback="")
        if not url or not token:
            raise ConfigError(
                "This command goes through Airflow's REST API. Set AIRFLOW__DATA_SYNC__API_URL to the "
                "address of the api-server and AIRFLOW__DATA_SYNC__API_TOKEN to a token of yours; the demo "
                "writes both into the file .data/env."
            )
        return cls(url, token)

    def use_token(self, token: str) -> None:
        """Use this access token from now on."""
        self._session.headers["Authorization"] = f"Bearer {token}"

    def find_dag(self, dag_id: str) -> dict[str, Any] | None:
        """Return what Airflow knows about a DAG, or ``None`` while it knows none of that id."""
        answer = self.send("GET", f"/api/v2/dags/{dag_id}")
        return None if answer.status_code == 404 else read(answer)

    def unpause(self, dag_id: str) -> None:
        """Let the runs of a DAG start."""
        read(self.send("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False}))

    def import_errors(self) -> list[str]:
        """Return the last line of each error that keeps a DAG file from being read."""
        found = read(self.send("GET", "/api/v2/importErrors"))
        return [error["stack_trace"].strip().splitlines()[-1] for error in found["import_errors"]]

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run and return its id.

        :raises AirflowApiError: when there is no such DAG, or this user may not start it.
        """
        body = {"logical_date": None, "conf": conf}
        return str(read(self.send("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body))["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run in Airflow's words: queued, running, success or failed."""
        return str(read(self.send("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"))["state"])

    def trigger_now(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run that somebody is going to wait for, and return its id.

        :raises AirflowApiError: also when the DAG is not there yet or paused: its run would never begin.
        """
        dag = self.find_dag(dag_id)
        if dag is None:
            raise AirflowApiError(f"Airflow does not know the DAG {dag_id}: is the dag-processor running?")
        if dag["is_paused"]:
            raise AirflowApiError(f"The DAG {dag_id} is paused, so nothing of it starts: unpause it first.")
        return self.trigger(dag_id, conf)

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return what Airflow knows about the tasks of a run: id, map index, state, process id."""
        found = read(self.send("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"))
        tasks: list[dict[str, Any]] = found["task_instances"]
        return tasks

    def wait_for_run(
        self, dag_id: str, run_id: str, *, seconds: float | None, between: Callable[[], None] = lambda: None
    ) -> str:
        """Wait for the end of a run, and return its state.

        :param seconds: how long at most; ``None``: as long as it takes.
        :param between: called after each look.
        :raises AirflowApiError: when it does not end in time.
        """
        started = time.monotonic()
        while (state := self.run_state(dag_id, run_id)) not in _ENDED:
            if seconds is not None and time.monotonic() - started > seconds:
                raise AirflowApiError(f"The run {run_id} of {dag_id} does not end: look at it in Airflow.")
            between()
            time.sleep(0.25)
        return state

    def send(self, method: str, path: str, **details: Any) -> requests.Response:
        """Send one request.

        :raises AirflowApiError: when there is no answer.
        """
        try:
            return self._session.request(method, f"{self.url}{path}", timeout=_SECONDS, **details)
        except requests.RequestException as error:
            raise AirflowApiError(
                f"Airflow's api-server at {self.url} does not answer ({type(error).__name__}). "
                "Start it, and look at the end of its log if it runs."
            ) from error


def read(answer: requests.Response) -> dict[str, Any]:
    """Return the JSON of a good answer.

    :raises AirflowApiError: for any other, saying what to do about the usual ones.
    """
    if answer.status_code == 401:
        raise AirflowApiError(
            "Airflow does not accept the token, or it has expired: set AIRFLOW__DATA_SYNC__API_TOKEN to a "
            "new one (POST /auth/token; the demo writes one into .data/env at each start)."
        )
    if answer.status_code == 403:
        raise AirflowApiError("Airflow does not allow this user to do that: ask an admin for the permission.")
    if not answer.ok:
        raise AirflowApiError(
            f"Airflow answered {answer.request.method} {answer.request.path_url} with "
            f"HTTP {answer.status_code}: {answer.text[:300]}"
        )
    found: dict[str, Any] = answer.json()
    return found
