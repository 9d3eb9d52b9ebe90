"""The services of the one-machine set-up: started side by side, watched, their output in log files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from data_sync.local.errors import LocalError
from data_sync.local.processes import spawn


@dataclass(frozen=True)
class Service:
    """A long-running program.

    :param name: how people call it; its output goes to ``<name>.log``.
    :param arguments: what Python is to run, such as ``("-m", "airflow", "scheduler")``.
    :param extra: environment variables of this service alone.
    """

    name: str
    arguments: tuple[str, ...]
    extra: Mapping[str, str] = field(default_factory=dict)


class Services:
    """Everything that was started, by name.

    :param logs: the folder of the log files.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, service: Service, env: Mapping[str, str]) -> None:
        """Start a service; its log begins anew, the one before is kept as ``<name>.log.1``."""
        log = self.log_of(service.name)
        if log.exists():
            log.replace(log.with_name(log.name + ".1"))
        with log.open("wb") as output:
            self._running[service.name] = spawn(
                [sys.executable, *service.arguments], env={**env, **service.extra}, output=output
            )

    def run(self, service: Service, env: Mapping[str, str], watch: Callable[[], None]) -> None:
        """Start a service that ends by itself, and wait for its end.

        :param watch: called again and again meanwhile; it may raise.
        :raises LocalError: when it fails; the message names its log.
        """
        self.start(service, env)
        process = self._running.pop(service.name)
        while True:
            try:
                code = process.wait(timeout=0.25)
                break
            except subprocess.TimeoutExpired:
                watch()
        if code:
            raise LocalError(f"The {service.name} failed: read the end of {self.log_of(service.name)}.")

    def require_alive(self) -> None:
        """Raise when one of the services has ended by itself.

        :raises LocalError: naming the service and its log.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise LocalError(
                    f"The {name} has ended (exit code {process.returncode}): "
                    f"read the end of {self.log_of(name)}, then start again."
                )

    @property
    def ids(self) -> set[int]:
        """The process ids of what was started and is being watched."""
        return {process.pid for process in self._running.values()}

    def log_of(self, name: str) -> Path:
        """Return the path of a service's log."""
        return self._logs / f"{name}.log"
