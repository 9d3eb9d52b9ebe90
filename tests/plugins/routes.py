"""Every route of the API: who may, what right use looks like, and how each documented status comes about.

A route that is missing here fails ``test_routes.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.plugins.airflow_app import App

#: A schedule that anna makes; Airflow knows its DAG.
DEFINITION = {"key": "nightly", "networks": ["admitad"], "interval": "1d", "date_range": "yesterday"}

Call = Callable[[App], httpx.Response]


@dataclass(frozen=True)
class RouteCase:
    """One operation.

    :param path: as in the document, below ``/sync``.
    :param may: who may, of those that have the permission; their objects are asked for.
    :param may_not: somebody who lacks the permission; ``None`` where everybody who can log in may.
    :param asks: the question that decides in that case.
    :param url: the path filled in.
    :param send: what else right use sends.
    :param owned: whether the path names something that belongs to somebody: another user gets 404.
    :param also: how each other documented status comes about.
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

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def call(self, app: App, who: str | None, **more: Any) -> httpx.Response:
        """Use it as it should be used."""
        return app.call(who, self.method, f"/sync{self.url or self.path}", **{**self.send, **more})


def ask(who: str, method: str, path: str, **more: Any) -> Call:
    """A call that leads to another status."""
    return lambda app: app.call(who, method, f"/sync{path}", **more)


ROUTES: tuple[RouteCase, ...] = (
    RouteCase("GET", "/schedules", also={422: ask("anna", "GET", "/schedules?limit=9999")}),
    RouteCase(
        "GET",
        "/schedules/{id}",
        url="/schedules/nightly",
        owned=True,
        also={
            404: ask("anna", "GET", "/schedules/nobody-has-it"),
            422: ask("anna", "GET", "/schedules/NO%20KEY"),
        },
    ),
)
