"""What docker-compose.yaml promises, read by the real compose parser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
NAMES = [
    line.split("=")[0]
    for line in (ROOT / ".env.example").read_text().splitlines()
    if re.fullmatch(r"[A-Z_]+=", line)
]
VALUES = {name: f"planted-{name.lower().replace('_', '-')}" for name in NAMES}
AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")


def parse(values: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Let compose read the file with these variables and no others of ours."""
    command = shutil.which("docker-compose")
    assert command, "docker-compose is not installed. Install it: apt-get install docker-compose"
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **values}
    # An empty env file: the .env of whoever runs the tests must not decide.
    empty = folder / "empty.env"
    empty.touch()
    files = ["--file", str(ROOT / "docker-compose.yaml"), "--env-file", str(empty)]
    return subprocess.run([command, *files, "config"], env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The services as compose understands them."""
    answer = parse(VALUES, tmp_path_factory.mktemp("compose"))
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = yaml.safe_load(answer.stdout)["services"]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_value_that_was_not_filled_in_is_asked_for_by_name(name: str, tmp_path: Path) -> None:
    answer = parse(VALUES | {name: ""}, tmp_path)
    assert answer.returncode != 0
    assert f"write {name} into the file .env, see .env.example" in answer.stderr


def test_without_any_value_it_does_not_start(tmp_path: Path) -> None:
    answer = parse({}, tmp_path)
    assert answer.returncode != 0
    assert "into the file .env, see .env.example" in answer.stderr


def test_it_has_the_services_of_a_production_airflow(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "redis", "init", *AIRFLOW}
    assert services["worker"]["deploy"]["replicas"] == 2


def test_the_dag_processor_alone_mirrors_the_schedules(services: dict[str, Any]) -> None:
    marked = {n: s["environment"].get("DATA_SYNC_DAG_PROCESSOR") for n, s in services.items()}
    assert {name for name, mark in marked.items() if mark is not None} == {"dag-processor"}
    assert marked["dag-processor"] == "1"
    mounted = {n for n, s in services.items() if any("/opt/data-sync/config" in v for v in s["volumes"])}
    assert mounted == {"dag-processor"}


def test_every_airflow_process_sees_our_database(services: dict[str, Any]) -> None:
    for name in ("init", *AIRFLOW):
        address = services[name]["environment"]["AIRFLOW_CONN_DATA_SYNC"]
        assert address == f"postgres://data_sync:{VALUES['DATA_SYNC_DB_PASSWORD']}@postgres:5432/data_sync"


def test_a_second_edit_of_a_schedule_is_not_half_applied(services: dict[str, Any]) -> None:
    for name in ("scheduler", "dag-processor", "api-server"):
        assert services[name]["environment"]["AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL"] == "0"


def test_a_worker_holds_no_key_of_airflow_and_no_way_to_its_database(services: dict[str, Any]) -> None:
    held = str(services["worker"]["environment"])
    for name in ("POSTGRES_PASSWORD", "FERNET_KEY", "JWT_SECRET", "API_SECRET_KEY", "AIRFLOW_ADMIN_PASSWORD"):
        assert VALUES[name] not in held
    script = (ROOT / "docker" / "postgres-init.sh").read_text()
    assert re.search(r"REVOKE CONNECT.* ON DATABASE airflow", script)


def test_all_airflow_services_agree_on_their_keys(services: dict[str, Any]) -> None:
    for key in ("CORE__FERNET_KEY", "API_AUTH__JWT_SECRET", "API__SECRET_KEY", "DATABASE__SQL_ALCHEMY_CONN"):
        inner = [services[n]["environment"][f"AIRFLOW__{key}"] for n in AIRFLOW if n != "worker"]
        assert len(set(inner)) == 1


def test_the_set_up_ends_before_anything_starts(services: dict[str, Any]) -> None:
    for name in AIRFLOW:
        waits = services[name]["depends_on"]
        assert waits["init"]["condition"] == "service_completed_successfully"
        assert waits["redis"]["condition"] == waits["postgres"]["condition"] == "service_healthy"
    commands = " ".join(services["init"]["command"])
    assert commands.index("airflow db migrate") < commands.index("data-sync migrate")
    assert services["init"]["restart"] == "no"


def test_every_lasting_service_is_watched_and_restarted(services: dict[str, Any]) -> None:
    for name in ("postgres", "redis", *AIRFLOW):
        assert services[name]["healthcheck"]["test"], name
        assert services[name]["restart"] == "unless-stopped"


def test_only_airflows_screens_can_be_reached_and_only_from_this_machine(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if service.get("ports")}
    assert published == {"api-server": ["127.0.0.1:8080:8080/tcp"]}


def test_data_lies_in_named_volumes(services: dict[str, Any]) -> None:
    assert "postgres:/var/lib/postgresql:rw" in services["postgres"]["volumes"]
    assert "redis:/data:rw" in services["redis"]["volumes"]
    assert "schedules:/opt/data-sync/home/data_sync:rw" in services["dag-processor"]["volumes"]
    assert all("logs:/opt/data-sync/logs:rw" in services[name]["volumes"] for name in AIRFLOW)


def test_no_secret_is_written_into_the_files() -> None:
    for name in ("docker-compose.yaml", "Dockerfile", "docker/postgres-init.sh"):
        for line in (ROOT / name).read_text().splitlines():
            bare = re.sub(r"\$\{[^}]*\}", "$", line)
            found = re.search(r"(?:PASSWORD|SECRET|_KEY)\w*['\"]?\s*[:=]\s*(\S+)", bare, re.IGNORECASE)
            assert found is None or found[1] in ("$", "'password';"), f"{name}: {line}"
            assert not re.search(r"://\w*:[^$@]+@", bare), f"{name}: {line}"


def test_the_image_installs_the_locked_packages_and_runs_as_nobody_special(services: dict[str, Any]) -> None:
    lines = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes --requirement locks/production.txt" in lines
    assert re.search(r"^USER [1-9]\d+$", lines, re.MULTILINE)
    assert "AIRFLOW__CORE__PLUGINS_FOLDER=/opt/data-sync/plugins" in lines
    for name in AIRFLOW:
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("folder", ["dags", "plugins", "config"])
def test_the_image_has_every_folder_that_airflow_reads(folder: str) -> None:
    if any(path.is_file() and path.suffix != ".pyc" for path in (ROOT / folder).rglob("*")):
        assert f"COPY {folder}/ {folder}/" in (ROOT / "Dockerfile").read_text()


def test_production_runs_the_versions_that_the_tests_run() -> None:
    tested, production = _versions("app.txt"), _versions("production.txt")
    assert tested.items() <= production.items()
    assert {"apache-airflow-providers-celery", "apache-airflow-providers-fab"} <= production.keys()


def _versions(name: str) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / "locks" / name).read_text(), re.MULTILINE)
    return dict(found)
