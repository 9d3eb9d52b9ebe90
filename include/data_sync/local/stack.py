"""Everything that runs on one machine, started in the right order and ended completely."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NoReturn

from data_sync.local import settings
from data_sync.local.errors import LocalError
from data_sync.local.home import ADMIN, Secrets
from data_sync.local.ports import LOOPBACK, require_free
from data_sync.local.postgres import EmbeddedPostgres
from data_sync.local.prepare import SANDBOX_URL
from data_sync.local.processes import STOP_SIGNALS, adopt_orphans, end_descendants, reap_orphans
from data_sync.local.rest import LocalAirflowApi
from data_sync.local.services import Service, Services
from data_sync.local.settings import Layout

#: Seconds that Airflow's services get to report in; they need about twenty on two cores.
_HEALTHY_SECONDS = 180.0

#: Takes one line for people about what happens now.
Say = Callable[[str], None]


class Stack:
    """The running set-up.

    :ivar layout: where it runs.
    :ivar secrets: the generated password and keys.
    :ivar postgres: the embedded server.
    :ivar api: Airflow's REST API, logged in.
    :ivar env: the environment that every service has, with the token for our command line.
    """

    def __init__(self, layout: Layout, settings_of_postgres: Mapping[str, str] | None = None) -> None:
        self.layout = layout
        self.secrets: Secrets = layout.home.prepare()
        self.postgres = EmbeddedPostgres(layout.home.postgres, settings_of_postgres)
        self.services = Services(layout.home.logs)
        self.api = LocalAirflowApi(layout.url)
        self.env: dict[str, str] = {}

    def start(self, say: Say) -> None:
        """Start all of it and wait until it works.

        :raises LocalError: when a port is taken or a part does not start.
        """
        require_free(self.layout.port, setting="PORT", purpose="Airflow")
        require_free(self.layout.sandbox_port, setting="SANDBOX_PORT", purpose="the sandbox networks")
        say("Starting PostgreSQL")
        self.postgres.start(
            self.layout.home.logs / "postgres.log", [settings.AIRFLOW_DATABASE, settings.DATABASE]
        )
        self.env = settings.environment(self.layout, self.secrets, self.postgres)
        self.env[SANDBOX_URL] = self.layout.sandbox_url
        self.services.start(_sandbox(self.layout), self.env)
        say("Making the tables, pools and connections")
        prepare = Service("database-setup", ("-m", "data_sync.local.prepare"))
        self.services.run(prepare, self.env, self.require_alive)
        say("Starting Airflow: api-server, scheduler, dag-processor, triggerer")
        started = datetime.now(UTC)
        for service in _AIRFLOW:
            self.services.start(service, self.env)
        self._wait_until_healthy(started)
        token = self.api.log_in(ADMIN, self.secrets.admin_password)
        self.env |= settings.as_variables({("data_sync", "api_token"): token})
        settings.write_environment(self.layout.home.environment, self.env)

    def require_alive(self) -> None:
        """Raise when a part has ended by itself.

        :raises LocalError: naming the part and its log.
        """
        self.services.require_alive()
        if not self.postgres.is_running():
            raise LocalError(f"Postgres has ended: read the end of {self.services.log_of('postgres')}.")

    def serve(self) -> NoReturn:
        """Keep watching until a signal ends it.

        :raises LocalError: when a part ends by itself.
        """
        own = self.services.ids | self.postgres.ids
        while True:
            self.require_alive()
            reap_orphans(own)
            time.sleep(0.5)

    def _wait_until_healthy(self, started: datetime) -> None:
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while missing := self.api.missing_services(started):
            self.require_alive()
            if time.monotonic() > deadline:
                log = self.services.log_of(missing[0])
                raise LocalError(f"Airflow's {missing[0]} does not report in: read the end of {log}.")
            time.sleep(0.25)
        self.api.warm_up()


@contextmanager
def running(
    layout: Layout, say: Say, settings_of_postgres: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """Start everything, hand it out, and end every process below this one at the end.

    :raises LocalError: when it cannot start.
    """
    adopt_orphans()
    try:
        stack = Stack(layout, settings_of_postgres)
        stack.start(say)
        yield stack
    finally:
        # A second Ctrl-C must not break off the clearing up.
        for signum in STOP_SIGNALS:
            signal.signal(signum, signal.SIG_IGN)
        end_descendants()


def _airflow(command: str, *arguments: str, **extra: str) -> Service:
    return Service(command, ("-m", "airflow", command, *arguments), extra)


#: Boostiny's real pace, a call in six seconds, would make the demo last a quarter of an hour.
SANDBOX_OPTIONS = ("--set", "boostiny.calls=40", "--set", "boostiny.per_seconds=1")

# Task and trigger logs are read from the disk: no log server, which would listen on every address.
_AIRFLOW = (
    _airflow("api-server"),
    _airflow("scheduler", "--skip-serve-logs"),
    _airflow("dag-processor", **settings.DAG_PROCESSOR_MARK),
    _airflow("triggerer", "--skip-serve-logs"),
)


def _sandbox(layout: Layout) -> Service:
    address = ("--host", LOOPBACK, "--port", str(layout.sandbox_port))
    return Service("sandbox", ("-m", "sandbox_networks", *address, *SANDBOX_OPTIONS, *layout.sandbox_options))
