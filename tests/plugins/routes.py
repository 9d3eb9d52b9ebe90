"""What a case of the walk over all routes says about one operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.plugins.airflow_app import App

#: A schedule that belongs to anna; Airflow has built its DAG.
DEFINITION = {"key": "nightly", "networks": ["admitad"], "interval": "1d", "date_range": "yesterday"}

#: Of anna too, and not built yet; and one that is kept in git.
UNBUILT, IN_GIT = "fresh", "weekly"

Call = Callable[[App], httpx.Response]


@dataclass(frozen=True)
class RouteCase:
    """One operation.

    :param path: as in the document, below ``/sync``.
    :param may: who may; what the path names is theirs.
    :param may_not: somebody who lacks the permission; ``None`` where everybody who can log in may.
    :param asks: the question to the auth manager that decides in that case.
    :param url: the path filled in.
    :param send: what else right use sends.
    :param owned: whether the path names something that belongs to somebody: another user gets 404.
    :param also: how each other documented status comes about.
    :param before: makes what the stock lacks, each time.
    """

    method: str
    path: str
    may: str = "anna"
    may_not: str | None = None
    asks: str = "is_authorized_dag"
    url: str = ""
    send: Mapping[str, Any] = field(default_factory=dict)
    expected: int = 200
    owned: bool = False
    also: Mapping[int, Call] = field(default_factory=dict)
    before: Callable[[], object] = lambda: None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def call(self, app: App, who: str | None, **more: Any) -> httpx.Response:
        """Use it as it should be used."""
        self.before()
        headers = {**self.send.get("headers", {}), **more.pop("headers", {})}
        sent = {name: value for name, value in self.send.items() if name != "headers"}
        return app.call(
            who, self.method, f"/sync{self.url or self.path}", headers=headers, **{**sent, **more}
        )


def ask(who: str, method: str, path: str, **more: Any) -> Call:
    """A call that leads to another status."""
    return lambda app: app.call(who, method, f"/sync{path}", **more)


def in_git(method: str, path: str = "", **more: Any) -> Call:
    """A call about the schedule of git."""
    return ask("anna", method, f"/schedules/{IN_GIT}{path}", **more)


def unbuilt(method: str, path: str = "", **more: Any) -> Call:
    """A call about the schedule whose DAG Airflow has not built."""
    return ask("anna", method, f"/schedules/{UNBUILT}{path}", **more)
