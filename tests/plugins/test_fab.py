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

from data_sync.local.postgres import EmbeddedPostgres
from tests.plugins.airflow_app import environment_of

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

#: By name: a role of FAB's own.
ROLES = {"ada": "Admin", "omar": "Op", "anna": "User", "ben": "User", "vera": "Viewer", "paul": "Public"}

# In a process of its own: an Airflow that has started with one auth manager keeps it.
_SCRIPT = """
import json, sys
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
        person = security.add_user(name, name, "X", mail, known, "secret-" + name)
        people[name] = get_auth_manager().generate_jwt(person)
answers = []
with start_blocking_portal() as portal:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://t")
    for who, method, path, body in json.loads(sys.argv[2]):
        headers = {"Authorization": f"Bearer {people[who]}"}
        answer = portal.call(partial(client.request, method, path, json=body, headers=headers))
        owner = answer.json().get("owner") if answer.content else None
        answers.append([answer.status_code, owner])
print("ANSWERS " + json.dumps(answers))
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


def test_roles_decide_and_names_own(postgres: EmbeddedPostgres, database: str, tmp_path: Path) -> None:
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
    calls = [
        ("paul", "GET", "/sync/schedules", None),
        ("vera", "GET", "/sync/schedules", None),
        ("vera", "POST", "/sync/schedules", NEW),
        ("anna", "POST", "/sync/schedules", NEW),
        ("anna", "GET", "/sync/schedules/hourly", None),
        ("ben", "GET", "/sync/schedules/hourly", None),
        ("ada", "GET", "/sync/schedules/hourly", None),
        ("anna", "POST", "/sync/networks/admitad_default/test", None),
        ("omar", "POST", "/sync/networks/admitad_default/test", None),
    ]
    answers = asked(env, calls)
    assert [status for status, _ in answers] == [403, 200, 403, 201, 200, 404, 200, 403, 200]
    assert answers[3][1] == "anna"
