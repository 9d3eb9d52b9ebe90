"""What the one-machine set-up asks of its own Airflow besides runs: the log-in, and who reports in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from data_sync.airflow_api import AirflowApi, AirflowApiError
from data_sync.local.errors import LocalError


class LocalAirflowApi(AirflowApi):
    """Airflow's REST API as the admin of the set-up sees it."""

    def log_in(self, user: str, password: str) -> str:
        """Fetch an access token, use it from now on, and return it.

        :raises LocalError: when the password is not accepted.
        """
        answer = self.send("POST", "/auth/token", json={"username": user, "password": password})
        if not answer.ok:
            raise LocalError(
                f"Airflow did not accept the password of {user} (HTTP {answer.status_code}): "
                "run make clean, which removes all of this demo's state, and start again."
            )
        token = str(answer.json()["access_token"])
        self.use_token(token)
        return token

    def warm_up(self) -> None:
        """Let the api-server build the API of the tasks, which it else does at the first task's cost."""
        self.send("GET", "/execution/health")

    def missing_services(self, since: datetime) -> list[str]:
        """Return the names of Airflow's services that have not reported in since a moment.

        :param since: an aware time; a heartbeat of an earlier start does not count.
        """
        try:
            answer = self.send("GET", "/api/v2/monitor/health")
        except AirflowApiError:
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


def _reported(part: dict[str, Any], heartbeat: str, since: datetime) -> bool:
    last = part.get(heartbeat)
    return part["status"] == "healthy" and last is not None and datetime.fromisoformat(last) >= since
