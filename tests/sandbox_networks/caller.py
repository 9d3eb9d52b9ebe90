"""A publisher's program, as the tests of the sandbox play it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

ALL_SCOPES = (
    "websites advcampaigns advcampaigns_for_website coupons coupons_for_website statistics public_data"
)


class Caller:
    """A publisher's program: asks for a token once, then calls."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.base = f"{url}/admitad"
        self.session = requests.Session()

    def ask_token(
        self,
        scope: str = ALL_SCOPES,
        client: str = "sandbox-admitad-id",
        secret: str = "sandbox-admitad-secret",
    ) -> requests.Response:
        form = {"grant_type": "client_credentials", "client_id": client, "scope": scope}
        return self.session.post(f"{self.base}/token/", data=form, auth=(client, secret), timeout=10)

    def log_in(self, **who: str) -> Caller:
        token = self.ask_token(**who).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        return self

    def get(self, path: str, timeout: float = 30, **query: Any) -> requests.Response:
        return self.session.get(self.base + path, params=query, timeout=timeout)

    def actions(self, **query: Any) -> list[dict[str, Any]]:
        """Read all pages of actions."""
        rows: list[dict[str, Any]] = []
        query = {"order_by": "datetime", "limit": 500} | query
        while True:
            answer = self.get("/statistics/actions/", offset=len(rows), **query)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            rows += page["results"]
            if not page["results"] or len(rows) >= page["_meta"]["count"]:
                return rows

    def admin(self, path: str, body: Any = None, method: str = "POST") -> Any:
        answer = requests.request(method, f"{self.url}/_admin{path}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def totals(self, **query: Any) -> Any:
        answer = requests.get(f"{self.url}/_admin/totals/admitad", params=query, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, kind: str, **details: Any) -> None:
        self.admin("/faults", {"network": "admitad", "kind": kind, **details})

    def advance(self, **span: int) -> None:
        seconds = span.get("days", 0) * 86_400 + span.get("seconds", 0)
        self.admin("/clock", {"advance_seconds": seconds})

    def skip(self, days: int) -> None:
        """Move the clock by days, and log in again: tokens live by the same clock."""
        self.advance(days=days)
        self.log_in()


Start = Callable[..., Caller]


@contextmanager
def process(*arguments: str) -> Iterator[Caller]:
    """Run the sandbox as its own process, through the command."""
    command = [sys.executable, "-m", "sandbox_networks", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert found, line
            yield Caller(found[0])
        finally:
            server.terminate()
            assert server.wait(timeout=10) == 0
