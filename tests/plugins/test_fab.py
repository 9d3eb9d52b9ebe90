"""The same with Airflow's FAB auth manager, the one of production: roles decide, and names own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from data_sync.catalogue import editing, mirror_yaml
from data_sync.database import Database, now
from data_sync.local.postgres import EmbeddedPostgres
from data_sync.schedules.model import Schedule
from tests.plugins.airflow_app import environment_of
from tests.plugins.log_stock import FAILED, RUNNING, make_log, stock_logs, stock_running_log
from tests.plugins.routes import DEFINITION, IN_GIT
from tests.plugins.routes_logs import LOGS
from tests.plugins.routes_others import OTHERS
from tests.plugins.routes_schedules import SCHEDULES

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

#: By name: a role of FAB's own, and one that holds for two DAGs alone.
ROLES = {"ada": "Admin", "omar": "Op", "anna": "User", "ben": "User", "vera": "Viewer", "paul": "Public",
         "nora": "Two DAGs"}  # fmt: skip
TWO_DAGS = [
    (action, prefix + dag)
    for dag in ("sync__noras", "quick_sync")
    for action, prefix in (("can_read", "DAG:"), ("can_edit", "DAG:"), ("can_create", "DAG Run:"))
]

# In a process of its own: an Airflow that has started with one auth manager keeps it.
_SCRIPT = """
import json, os, sys
from functools import partial
import httpx
from anyio.from_thread import start_blocking_portal
from airflow import settings
from airflow.models.base import Base
from airflow.providers.fab.auth_manager.models import Model
from airflow.utils import db
settings.prepare_syspath_for_config_and_plugins()
db.import_all_models()
Base.metadata.create_all(settings.engine)
Model.metadata.create_all(settings.engine)
db.synchronize_log_template()
from airflow.api_fastapi.app import create_app, get_auth_manager
app = create_app(apps="core")
from airflow.providers.fab.www.app import create_app as flask_app
roles, permissions, definitions, calls = map(json.loads, sys.argv[1:])
with flask_app(enable_plugins=False).app_context():
    security = get_auth_manager().security_manager
    security.sync_roles()
    security.bulk_sync_roles([{"role": "Two DAGs", "perms": [tuple(p) for p in permissions]}])
    people = {}
    for name, role in roles.items():
        mail, known = f"{name}@example.com", security.find_role(role)
        # Nobody logs in with a password here, so none is to be hashed.
        person = security.add_user(name, name, "X", mail, known, hashed_password="none")
        people[name] = get_auth_manager().generate_jwt(person)
from data_sync.schedules.model import Schedule
from tests.plugins.airflow_app import store_dags
store_dags(*map(Schedule.from_dict, definitions))
ours = next(route.app for route in app.routes if getattr(route, "path", "") == "/sync")
ours._build()
ours._app.state.longest_stream = 0.1
answers = []
with start_blocking_portal() as portal:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://t")
    for who, method, path, more in calls:
        headers = {**more.pop("headers", {}), "Authorization": f"Bearer {people[who]}"}
        answer = portal.call(partial(client.request, method, path, headers=headers, **more))
        is_json = answer.content and answer.headers.get("content-type", "").endswith("json")
        answers.append([answer.status_code, answer.json() if is_json else None])
print("ANSWERS " + json.dumps(answers), flush=True)
# Taking all of Airflow apart again costs seconds and shows nothing.
os._exit(0)
"""

NEW = {"key": "hourly", "networks": ["admitad"], "interval": "1h", "date_range": "today"}
MINE = Schedule.from_dict(DEFINITION)
NORAS = Schedule.from_dict({**DEFINITION, "key": "noras"})
FOR_ALL = Schedule.from_dict({**DEFINITION, "key": IN_GIT, "visible_to": ["everyone"]})

#: Who, method, path, what is sent, status.
Asked = tuple[str, str, str, dict[str, Any], int]

CASES = {case.name: case for case in (*SCHEDULES, *LOGS, *OTHERS)}


def version(tag: str) -> dict[str, Any]:
    return {"headers": {"If-Match": f'"{tag}"'}}


#: Right use of every route, each with what it sends otherwise than usual, in an order in which each can be.
RIGHT: tuple[tuple[str, dict[str, Any]], ...] = (
    *((name, {}) for name, case in CASES.items() if case.method == "GET" or "dry-run" in name),
    ("POST /schedules", {}),
    ("POST /plan", {}),
    ("POST /manual", {}),
    ("POST /networks/{account}/test", {}),
    ("POST /logs/{log}/retry", {}),
    ("POST /logs/{log}/cancel", {}),
    ("PUT /schedules/{id}", {}),
    ("POST /schedules/{id}/run", {}),
    ("POST /schedules/{id}/toggle", version("2")),
    ("POST /schedules/{id}/run", {}),
    ("DELETE /schedules/{id}", version("2-paused")),
)


def with_the_role() -> list[Asked]:
    found: list[Asked] = []
    for name, other in RIGHT:
        case = CASES[name]
        # Of those who use it rightly in the other tests, FAB lets only omar see the configuration.
        who = "omar" if case.asks == "is_authorized_configuration" else case.may
        found.append(
            (who, case.method, f"/sync{case.url or case.path}", {**case.send, **other}, case.expected)
        )
    return found


def without_the_role() -> list[Asked]:
    return [
        (who, case.method, f"/sync{case.url or case.path}", dict(case.send), 403)
        for case in CASES.values()
        for who in {"paul", case.may_not or "paul"}
    ]


def by_single_dags(own: tuple[int, int], gits: tuple[int, int]) -> list[Asked]:
    """What a role for two DAGs is enough for: all about these, and nothing about others that are seen.

    :param own, gits: a failed log and a running one of nora's schedule, and of git's.
    """
    weekly = f"/sync/schedules/{IN_GIT}"
    past = {"from": "2026-03-01", "to": "2026-03-02"}
    return [
        ("nora", "GET", f"/sync/logs/{gits[0]}", {}, 200),
        ("nora", "POST", f"{weekly}/run", {}, 403),
        ("nora", "POST", f"{weekly}/toggle", version("1"), 403),
        ("nora", "POST", "/sync/manual", {"json": {"schedule": IN_GIT}}, 403),
        ("nora", "POST", "/sync/manual", {"json": {"schedule": IN_GIT, **past}}, 403),
        ("nora", "POST", "/sync/plan", {"json": {"schedule": IN_GIT}}, 403),
        ("nora", "POST", f"/sync/logs/{gits[0]}/retry", {}, 403),
        ("nora", "POST", f"/sync/logs/{gits[1]}/cancel", {}, 403),
        ("nora", "POST", "/sync/manual", {"json": {"schedule": "noras", **past}}, 202),
        ("nora", "POST", "/sync/plan", {"json": {"schedule": "noras"}}, 200),
        ("nora", "POST", f"/sync/logs/{own[0]}/retry", {}, 202),
        ("nora", "POST", f"/sync/logs/{own[1]}/cancel", {}, 202),
        ("nora", "POST", "/sync/schedules/noras/run", {}, 202),
        ("nora", "POST", "/sync/schedules/noras/toggle", version("1"), 200),
        ("nora", "POST", "/sync/schedules/noras/run", {}, 202),
    ]


def of_others() -> list[Asked]:
    one = f"/sync/logs/{FAILED}"
    return [
        ("anna", "POST", "/sync/schedules", {"json": NEW}, 201),
        ("ben", "GET", "/sync/schedules/hourly", {}, 404),
        ("ada", "GET", "/sync/schedules/hourly", {}, 200),
        ("anna", "POST", "/sync/networks/admitad_default/test", {}, 403),
        ("anna", "GET", "/sync/logs", {}, 200),
        ("vera", "GET", "/sync/logs", {}, 200),
        ("ada", "GET", "/sync/logs", {}, 200),
        ("ben", "GET", one, {}, 404),
        ("ben", "POST", f"{one}/retry", {}, 404),
        ("anna", "GET", "/sync/settings", {}, 403),
        ("anna", "DELETE", "/sync/schedules/hourly", version("1"), 204),
    ]


def asked(env: dict[str, str], calls: list[Asked]) -> list[list[Any]]:
    definitions = [schedule.to_dict() for schedule in (MINE, NORAS, FOR_ALL)]
    words = (ROLES, TWO_DAGS, definitions, [call[:4] for call in calls])
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *map(json.dumps, words)],
        env=env, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("ANSWERS "))
    found: list[list[Any]] = json.loads(line.removeprefix("ANSWERS "))
    return found


def failed_and_running(db: Database, schedule: Schedule) -> tuple[int, int]:
    with db.transaction() as cursor:
        failed, running = (
            make_log(cursor, schedule, key=schedule.key, status=status, at=now(cursor))
            for status in ("failed", "processing")
        )
    return failed, running


def stock(db: Database) -> None:
    with db.transaction() as cursor:
        for schedule, owner in ((MINE, "anna"), (NORAS, "nora")):
            editing.create(cursor, schedule, owner=owner, trusted=True)
        cursor.execute("UPDATE data_sync.accounts SET everyone = true")
    mirror_yaml(db, {IN_GIT: (FOR_ALL, 3)}, {}, content_hash="1", revision=1, problems=())
    with db.transaction() as cursor:
        stock_logs(cursor, MINE)
    assert stock_running_log() == RUNNING


def test_right_use_of_every_route_is_tried() -> None:
    assert {name for name, _ in RIGHT} == set(CASES)


def test_roles_decide_and_names_own(
    postgres: EmbeddedPostgres, database: str, db: Database, tmp_path: Path
) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE api_fab")
    env = {
        **os.environ,
        **environment_of(postgres, tmp_path, "api_fab"),
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        # Nobody is to be held up: a run counts for five requests.
        "AIRFLOW__DATA_SYNC__API_CALLS_AT_ONCE": "1000",
    }
    stock(db)
    single = by_single_dags(failed_and_running(db, NORAS), failed_and_running(db, FOR_ALL))
    calls = [*of_others(), *without_the_role(), *single, *with_the_role()]
    answers = asked(env, calls)
    told = [(*call[:3], status) for call, (status, _) in zip(calls, answers, strict=True)]
    assert told == [(*call[:3], call[4]) for call in calls]
    assert {body["code"] for status, body in answers if status == 403} == {"not-allowed"}
    found = dict(zip((call[:3] for call in of_others()), (body for _, body in answers), strict=False))
    assert found["anna", "POST", "/sync/schedules"]["owner"] == "anna"
    seen = {who: {log["schedule_key"] for log in found[who, "GET", "/sync/logs"]["items"]}
            for who in ("anna", "vera", "ada")}  # fmt: skip
    assert seen == {
        "anna": {"nightly", IN_GIT}, "vera": {IN_GIT}, "ada": {"nightly", "noras", IN_GIT, None},
    }, "each their own and what git shows them, and an admin all"  # fmt: skip
