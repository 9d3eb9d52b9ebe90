"""The routes for quick syncs, plans and networks, and the document itself."""

from __future__ import annotations

import httpx

from tests.plugins.airflow_app import App
from tests.plugins.routes import RouteCase, ask

_BODY = {"networks": ["admitad"], "sync_type": "purchases", "date_range": "yesterday"}
_UNKNOWN = {"schedule": "nobody-has-it"}


def _while_quick_sync_is_paused(app: App) -> httpx.Response:
    app.turn("quick_sync", paused=True)
    return app.call("anna", "POST", "/sync/manual", json=_BODY)


OTHERS = (
    RouteCase(
        "POST",
        "/manual",
        may_not="vera",
        send={"json": _BODY},
        expected=202,
        also={
            404: ask("anna", "POST", "/manual", json=_UNKNOWN),
            409: _while_quick_sync_is_paused,
            422: ask("anna", "POST", "/manual", json={**_BODY, "networks": ["admitad:of-somebody-else"]}),
        },
    ),
    RouteCase("GET", "/manual/recent"),
    RouteCase(
        "POST",
        "/plan",
        send={"json": _BODY},
        also={
            404: ask("anna", "POST", "/plan", json=_UNKNOWN),
            422: ask("anna", "POST", "/plan", json={**_BODY, "from": "0000-01-01", "to": "9999-12-31"}),
        },
    ),
    RouteCase("GET", "/networks"),
    RouteCase(
        "POST",
        "/networks/{account}/test",
        may="omar",
        may_not="anna",
        url="/networks/admitad_default/test",
        also={
            404: ask("omar", "POST", "/networks/admitad_unheard-of/test"),
            422: ask("omar", "POST", "/networks/no%20account/test"),
        },
    ),
    RouteCase("GET", "/settings", asks="is_authorized_configuration"),
    RouteCase("GET", "/openapi.json"),
)
