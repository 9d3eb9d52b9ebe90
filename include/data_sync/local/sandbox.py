"""The admin path of the sandbox networks, as the demo uses it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import requests

from data_sync.local.errors import LocalError

_SECONDS = 60.0


class SandboxAdmin:
    """The sandbox's clock and totals.

    :param url: the address of the sandbox.
    """

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_admin"
        self._session = requests.Session()
        # A proxy of the machine must not see calls to the machine itself.
        self._session.trust_env = False

    def hold_clock(self) -> None:
        """Let the sandbox's time stand still, so that two reads can be compared to the row."""
        self._call("POST", "clock", json={"now": datetime.now(UTC).isoformat()})

    def release_clock(self) -> None:
        """Let the sandbox follow the real time again."""
        self._call("POST", "clock", json={"real": True})

    def totals(self, slug: str, first: date, last: date) -> dict[str, Any]:
        """Return what a reader of a network should have, over days of its calendar, both inclusive."""
        answer: dict[str, Any] = self._call(
            "GET", f"totals/{slug}", params={"from": str(first), "to": str(last)}
        )
        return answer

    def slow_down(self, slug: str, seconds: float) -> None:
        """Let a network take its time for every answer, until :meth:`behave_again`."""
        fault = {"network": slug, "kind": "slow", "path": "/", "seconds": seconds, "count": None}
        self._call("POST", "faults", json=fault)

    def behave_again(self) -> None:
        """End all misbehaviour."""
        self._call("DELETE", "faults")

    def _call(self, method: str, path: str, **details: Any) -> Any:
        try:
            answer = self._session.request(method, f"{self._url}/{path}", timeout=_SECONDS, **details)
        except requests.RequestException as error:
            raise LocalError(
                f"The sandbox networks do not answer ({type(error).__name__}): "
                "read the end of their log, logs/sandbox.log in the folder of the demo's state."
            ) from error
        if not answer.ok:
            raise LocalError(f"The sandbox refused {path} (HTTP {answer.status_code}): {answer.text[:300]}")
        return answer.json()
