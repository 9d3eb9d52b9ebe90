"""The routes below ``/sync/schedules``."""

from __future__ import annotations

from tests.plugins.routes import DEFINITION, RouteCase, ask, in_git, unbuilt

_ONE = "/schedules/nightly"
_MISSING = "/schedules/nobody-has-it"
_NO_KEY = "/schedules/NO%20KEY"
_CURRENT = {"headers": {"If-Match": '"1"'}}
_OLD = {"headers": {"If-Match": '"7"'}}
_CHANGED = {"networks": ["admitad"], "interval": "6h", "date_range": "yesterday"}
_PUT = {"json": _CHANGED, **_CURRENT}

SCHEDULES = (
    RouteCase("GET", "/schedules", also={422: ask("anna", "GET", "/schedules?limit=9999")}),
    RouteCase(
        "POST",
        "/schedules",
        may_not="vera",
        send={"json": {**DEFINITION, "key": "hourly", "interval": "1h"}},
        expected=201,
        also={
            409: ask("anna", "POST", "/schedules", json=DEFINITION),
            422: ask("anna", "POST", "/schedules", json={**DEFINITION, "key": "x", "colour": "red"}),
        },
    ),
    RouteCase("GET", "/schedules/create"),
    RouteCase(
        "POST",
        "/schedules/dry-run",
        send={"json": DEFINITION},
        also={422: ask("anna", "POST", "/schedules/dry-run", content=b"[]")},
    ),
    RouteCase(
        "GET",
        "/schedules/{id}",
        url=_ONE,
        owned=True,
        also={404: ask("anna", "GET", _MISSING), 422: ask("anna", "GET", _NO_KEY)},
    ),
    RouteCase(
        "GET",
        "/schedules/{id}/edit",
        url=f"{_ONE}/edit",
        owned=True,
        also={404: ask("anna", "GET", f"{_MISSING}/edit"), 422: ask("anna", "GET", f"{_NO_KEY}/edit")},
    ),
    RouteCase(
        "PUT",
        "/schedules/{id}",
        may_not="vera",
        url=_ONE,
        send=_PUT,
        owned=True,
        also={
            404: ask("anna", "PUT", _MISSING, **_PUT),
            409: in_git("PUT", **_PUT),
            412: ask("anna", "PUT", _ONE, **{**_PUT, **_OLD}),
            422: ask("anna", "PUT", _ONE, **{**_PUT, "json": {"interval": "6h"}}),
            428: ask("anna", "PUT", _ONE, json=DEFINITION),
        },
    ),
    RouteCase(
        "DELETE",
        "/schedules/{id}",
        may_not="vera",
        url=_ONE,
        send=_CURRENT,
        expected=204,
        owned=True,
        also={
            404: ask("anna", "DELETE", _MISSING, **_CURRENT),
            409: in_git("DELETE", **_CURRENT),
            412: ask("anna", "DELETE", _ONE, **_OLD),
            422: ask("anna", "DELETE", _NO_KEY, **_CURRENT),
            428: ask("anna", "DELETE", _ONE),
        },
    ),
    RouteCase(
        "POST",
        "/schedules/{id}/toggle",
        may_not="vera",
        url=f"{_ONE}/toggle",
        send=_CURRENT,
        owned=True,
        also={
            404: ask("anna", "POST", f"{_MISSING}/toggle", **_CURRENT),
            409: unbuilt("POST", "/toggle", **_CURRENT),
            412: ask("anna", "POST", f"{_ONE}/toggle", **_OLD),
            422: ask("anna", "POST", f"{_ONE}/toggle", json={"on": True}, **_CURRENT),
            428: ask("anna", "POST", f"{_ONE}/toggle"),
        },
    ),
    RouteCase(
        "POST",
        "/schedules/{id}/run",
        may_not="vera",
        url=f"{_ONE}/run",
        expected=202,
        owned=True,
        also={
            404: ask("anna", "POST", f"{_MISSING}/run"),
            409: unbuilt("POST", "/run"),
            422: ask("anna", "POST", f"{_NO_KEY}/run"),
        },
    ),
)
