"""The routes below ``/sync/logs``, and what the logs add up to."""

from __future__ import annotations

from tests.plugins.log_stock import COMPLETE, FAILED, RUNNING, stock_running_log
from tests.plugins.routes import RouteCase, ask

_ONE = f"/logs/{FAILED}"
_MISSING = "/logs/999999"
_NO_NUMBER = "/logs/the-first"

LOGS = (
    RouteCase("GET", "/logs", also={422: ask("anna", "GET", "/logs?cursor=made-up")}),
    RouteCase("GET", "/logs/export", also={422: ask("anna", "GET", "/logs/export?format=pdf")}),
    RouteCase(
        "GET",
        "/logs/{log}",
        url=_ONE,
        owned=True,
        also={404: ask("anna", "GET", _MISSING), 422: ask("anna", "GET", _NO_NUMBER)},
    ),
    RouteCase(
        "POST",
        "/logs/{log}/retry",
        may_not="vera",
        url=f"{_ONE}/retry",
        expected=202,
        owned=True,
        also={
            404: ask("anna", "POST", f"{_MISSING}/retry"),
            409: ask("anna", "POST", f"/logs/{COMPLETE}/retry"),
            422: ask("anna", "POST", f"{_NO_NUMBER}/retry"),
        },
    ),
    RouteCase(
        "POST",
        "/logs/{log}/cancel",
        may_not="vera",
        url=f"/logs/{RUNNING}/cancel",
        expected=202,
        owned=True,
        before=stock_running_log,
        also={
            404: ask("anna", "POST", f"{_MISSING}/cancel"),
            409: ask("anna", "POST", f"/logs/{COMPLETE}/cancel"),
            422: ask("anna", "POST", f"{_NO_NUMBER}/cancel"),
        },
    ),
    RouteCase(
        "GET",
        "/events",
        also={422: ask("anna", "GET", "/events", headers={"Last-Event-ID": "made-up"})},
    ),
    RouteCase("GET", "/stats", also={422: ask("anna", "GET", "/stats?from=2020-01-01")}),
    RouteCase("GET", "/coverage", also={422: ask("anna", "GET", "/coverage?from=2020-01-01")}),
)
