"""The environment of every process of the one-machine set-up: Airflow's settings and ours.

Settings travel as environment variables only, so that nobody's ``airflow.cfg`` changes what happens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data_sync.local.home import ADMIN, CHECKOUT, Home, Secrets, write_private
from data_sync.local.ports import LOOPBACK
from data_sync.local.postgres import EmbeddedPostgres

#: Databases of the embedded server: Airflow's own, and ours.
AIRFLOW_DATABASE = "airflow"
DATABASE = "data_sync"

#: Tells the factory that it is read by the dag-processor (law 1); set on that service alone.
DAG_PROCESSOR_MARK = {"DATA_SYNC_DAG_PROCESSOR": "1"}


@dataclass(frozen=True)
class Layout:
    """Where a set-up runs: its folder, its ports and the files that Airflow reads.

    :param dags: the folder of DAG files.
    :param sandbox_options: more options of the sandbox's command, such as ``("--seed", "8")``.
    :param schedules: another ``schedules.yaml`` than the one beside ``dags``; ``None`` for that one.
    """

    home: Home
    port: int
    sandbox_port: int
    dags: Path = CHECKOUT / "dags"
    plugins: Path = CHECKOUT / "plugins"
    schedules: Path | None = None
    sandbox_options: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """The address of Airflow's screens and REST API."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def sandbox_url(self) -> str:
        """The address of the sandbox networks."""
        return f"http://{LOOPBACK}:{self.sandbox_port}"


def environment(layout: Layout, secrets: Secrets, postgres: EmbeddedPostgres) -> dict[str, str]:
    """Return the whole environment of a child process: this one's, with our settings over it.

    Airflow's variables of the caller (``AIRFLOW...``) are left out: they belong to another Airflow.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    binaries = str(Path(sys.executable).parent)
    kept["PATH"] = os.pathsep.join([binaries, kept.get("PATH", os.defpath)])
    options = {
        **_core(layout, secrets),
        **_api(layout, secrets),
        **_services(),
        **_database(postgres),
        **_logging(layout.home),
        ("data_sync", "api_url"): layout.url,
    }
    if layout.schedules is not None:
        options["data_sync", "schedules_file"] = str(layout.schedules)
    return {
        **kept,
        "AIRFLOW_HOME": str(layout.home.airflow),
        "AIRFLOW_CONFIG": str(layout.home.airflow / "airflow.cfg"),
        "AIRFLOW_CONN_DATA_SYNC": postgres.airflow_url(DATABASE),
        **as_variables(options),
    }


def as_variables(options: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Turn Airflow options, named by section and key, into environment variables."""
    return {f"AIRFLOW__{section.upper()}__{key.upper()}": value for (section, key), value in options.items()}


def write_environment(path: Path, env: Mapping[str, str]) -> None:
    """Write the settings as a file for ``. .data/env`` in a shell: what Airflow's and our commands need."""
    wanted = {name: value for name, value in env.items() if name.startswith("AIRFLOW")}
    quoted = [f"export {name}='{_escape(value)}'" for name, value in sorted(wanted.items())]
    write_private(path, "\n".join(quoted) + "\n")


def _escape(value: str) -> str:
    return value.replace("'", "'\\''")


def _core(layout: Layout, secrets: Secrets) -> dict[tuple[str, str], str]:
    return {
        ("core", "executor"): "LocalExecutor",
        ("core", "parallelism"): "4",
        ("core", "dags_folder"): str(layout.dags),
        ("core", "plugins_folder"): str(layout.plugins),
        ("core", "load_examples"): "False",
        ("core", "fernet_key"): secrets.fernet_key,
        # A second edit within 30 s would be half applied (law 3).
        ("core", "min_serialized_dag_update_interval"): "0",
        ("core", "execution_api_server_url"): f"{layout.url}/execution/",
        ("core", "simple_auth_manager_users"): f"{ADMIN}:admin",
        ("core", "simple_auth_manager_all_admins"): "False",
        ("core", "simple_auth_manager_passwords_file"): str(layout.home.passwords),
    }


def _api(layout: Layout, secrets: Secrets) -> dict[tuple[str, str], str]:
    return {
        ("api", "host"): LOOPBACK,
        ("api", "port"): str(layout.port),
        ("api", "base_url"): layout.url,
        ("api", "workers"): "1",
        ("api", "secret_key"): secrets.session_key,
        ("api", "instance_name"): "Affiliate Data Sync",
        ("api_auth", "jwt_secret"): secrets.jwt_secret,
        # The token in the file env, for our command line, lives as long.
        ("api_auth", "jwt_expiration_time"): str(30 * 24 * 3600),
    }


def _services() -> dict[tuple[str, str], str]:
    return {
        # A killed task is noticed after half a minute instead of five.
        ("scheduler", "task_instance_heartbeat_timeout"): "30",
        ("scheduler", "task_instance_heartbeat_timeout_detection_interval"): "5",
        ("scheduler", "scheduler_idle_sleep_time"): "0.5",
        ("dag_processor", "refresh_interval"): "5",
        ("dag_processor", "min_file_process_interval"): "10",
        ("dag_processor", "parsing_processes"): "2",
        ("triggerer", "capacity"): "100",
        # The first call of a task builds that API in the api-server, which then answers nobody for
        # seconds; with the default of 5 s a busy machine loses its first tasks.
        ("workers", "execution_api_timeout"): "60",
    }


def _database(postgres: EmbeddedPostgres) -> dict[tuple[str, str], str]:
    return {
        # Not psycopg 3: Airflow 3.3 tells a lock that is held by somebody else from an error by an attribute
        # that only psycopg2's exceptions have, and its scheduler ends when a pool is edited at that moment.
        ("database", "sql_alchemy_conn"): postgres.url(AIRFLOW_DATABASE, "postgresql+psycopg2"),
        ("database", "sql_alchemy_conn_async"): postgres.url(AIRFLOW_DATABASE, "postgresql+asyncpg"),
        # The set-up migrates before anything else starts: each service need not check again.
        ("database", "check_migrations"): "False",
    }


def _logging(home: Home) -> dict[tuple[str, str], str]:
    return {
        ("logging", "base_log_folder"): str(home.logs / "tasks"),
        ("logging", "dag_processor_child_process_log_directory"): str(home.logs / "dag_processor"),
        ("logging", "colored_console_log"): "False",
        # Two lines per DAG and parse otherwise: a sixth of what a parse costs the dag-processor itself.
        ("logging", "namespace_levels"): (
            "airflow.models.dag=WARNING airflow.serialization.definitions.dag=WARNING"
        ),
    }
