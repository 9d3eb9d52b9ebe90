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

from data_sync.catalogue import editing
from data_sync.database import Database
from data_sync.local.postgres import EmbeddedPostgres
from data_sync.schedules.model import Schedule
from tests.plugins.airflow_app import environment_of
from tests.plugins.log_stock import FAILED, stock_logs

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

#: By name: a role of FAB's own.
ROLES = {"ada": "Admin", "omar": "Op", "anna": "User", "ben": "User", "vera": "Viewer", "paul": "Public"}

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
from airflow.api_fastapi.app import create_app, get_auth_manager
app = create_app(apps="core")
from airflow.providers.fab.www.app import create_app as flask_app
roles = json.loads(sys.argv[1])
with flask_app(enable_plugins=False).app_context():
    security = get_auth_manager().security_manager
    security.sync_roles()
    people = {}
    for name, role in roles.items():
        mail, known = f"{name}@example.com", security.find_role(role)
        # Nobody logs in with a password here, so none is to be hashed.
        person = security.add_user(name, name, "X", mail, known, hashed_password="none")
        people[name] = get_auth_manager().generate_jwt(person)
answers = []
with start_blocking_portal() as portal:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://t")
    for who, method, path, body in json.loads(sys.argv[2]):
        headers = {"Authorization": f"Bearer {people[who]}"}
        answer = portal.call(partial(client.request, method, path, json=body, headers=headers))
        is_json = answer.headers.get("content-type", "").endswith("json")
        answers.append([answer.status_code, answer.json() if is_json else None])
print("ANSWERS " + json.dumps(answers), flush=True)
# Taking all of Airflow apart again costs seconds and shows nothing.
os._exit(0)
"""

NEW = {"key": "hourly", "networks": ["admitad"], "interval": "1h", "date_range": "today"}


def asked(env: dict[str, str], calls: list[tuple[str, str, str, Any]]) -> list[list[Any]]:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, json.dumps(ROLES), json.dumps(calls)],
        env=env, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("ANSWERS "))
    found: list[list[Any]] = json.loads(line.removeprefix("ANSWERS "))
    return found


def test_roles_decide_and_names_own(
    postgres: EmbeddedPostgres, database: str, db: Database, tmp_path: Path
) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE api_fab")
    with psycopg.connect(database, autocommit=True) as ours:
        ours.execute("INSERT INTO data_sync.accounts (account, network, everyone) "
                     "VALUES ('admitad_default', 'admitad', true)")  # fmt: skip
    env = {
        **os.environ,
        **environment_of(postgres, tmp_path, "api_fab"),
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
    }
    mine = Schedule.from_dict({**NEW, "key": "nightly"})
    with db.transaction() as cursor:
        editing.create(cursor, mine, owner="anna", trusted=True)
        stock_logs(cursor, mine)
    one, retry = f"/sync/logs/{FAILED}", f"/sync/logs/{FAILED}/retry"
    #: What each asks, and which status answers. Airflow knows no DAG here: 409 is a run that may be started.
    calls: list[tuple[str, str, str, Any, int]] = [
        ("paul", "GET", "/sync/schedules", None, 403),
        ("vera", "GET", "/sync/schedules", None, 200),
        ("vera", "POST", "/sync/schedules", NEW, 403),
        ("anna", "POST", "/sync/schedules", NEW, 201),
        ("anna", "GET", "/sync/schedules/hourly", None, 200),
        ("ben", "GET", "/sync/schedules/hourly", None, 404),
        ("ada", "GET", "/sync/schedules/hourly", None, 200),
        ("anna", "POST", "/sync/networks/admitad_default/test", None, 403),
        ("omar", "POST", "/sync/networks/admitad_default/test", None, 200),
        ("paul", "GET", "/sync/logs", None, 403),
        ("anna", "GET", "/sync/logs", None, 200),
        ("vera", "GET", "/sync/logs", None, 200),
        ("ada", "GET", "/sync/logs", None, 200),
        ("anna", "GET", one, None, 200),
        ("ben", "GET", one, None, 404),
        ("vera", "POST", retry, None, 403),
        ("ben", "POST", retry, None, 404),
        ("anna", "POST", retry, None, 409),
        ("paul", "GET", "/sync/logs/export", None, 403),
        ("anna", "GET", "/sync/logs/export", None, 200),
        ("anna", "GET", "/sync/settings", None, 403),
        ("omar", "GET", "/sync/settings", None, 200),
    ]
    answers = asked(env, [call[:4] for call in calls])
    told = [(*call[:3], status) for call, (status, _) in zip(calls, answers, strict=True)]
    assert told == [(*call[:3], call[4]) for call in calls]
    found = {call[:3]: body for call, (_, body) in zip(calls, answers, strict=True)}
    assert found["anna", "POST", "/sync/schedules"]["owner"] == "anna"
    seen = {who: found[who, "GET", "/sync/logs"]["total_entries"] for who in ("anna", "vera", "ada")}
    assert seen == {"anna": 2, "vera": 0, "ada": 3}, "each their own, and an admin all"
    assert found["anna", "POST", retry]["code"] == "not-built"
