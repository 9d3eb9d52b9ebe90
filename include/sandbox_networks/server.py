"""The way into the sandbox: build the application, serve it, or run it beside a test.

``python -m sandbox_networks --port 0`` prints one line with the URL once it listens; a network's base URL
is that URL plus ``/<slug>``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Router

from sandbox_networks.admin import Admin
from sandbox_networks.faults import FaultBook
from sandbox_networks.gate import Gate
from sandbox_networks.network import Network
from sandbox_networks.registry import NETWORKS
from sandbox_networks.settings import SandboxSettings, SettingsError, changed_settings, load_settings
from sandbox_networks.world import World

_STARTUP_SECONDS = 30.0


def build_app(settings: SandboxSettings) -> Starlette:
    """Make the ASGI application: ``/_admin`` and one mount per network.

    :raises SettingsError: for an unknown network or options that cannot be used.
    """
    world = World(settings)
    faults = FaultBook()
    slugs = tuple(NETWORKS) if settings.networks is None else settings.networks
    if unknown := sorted({*slugs, *settings.options} - NETWORKS.keys()):
        raise SettingsError(f"The sandbox has no network {unknown[0]!r}; it has: {', '.join(NETWORKS)}.")
    networks: dict[str, Network] = {slug: NETWORKS[slug](world, faults, settings) for slug in slugs}
    mounts: list[BaseRoute] = [Mount("/_admin", routes=Admin(world, faults, networks).routes())]
    for slug, network in networks.items():
        gate = Gate(network, Router(network.routes()), faults, world.clock, enforce=settings.enforce_limits)
        mounts.append(Mount(f"/{slug}", app=gate))
    return Starlette(routes=mounts)


class _Server(uvicorn.Server):
    def __init__(self, settings: SandboxSettings, on_ready: Callable[[], None]) -> None:
        # Broken answers are made on purpose, and uvicorn would report each as an error.
        super().__init__(
            uvicorn.Config(
                build_app(settings),
                log_level="critical",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def _listen(host: str, port: int) -> tuple[socket.socket, str]:
    try:
        listener = socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"The sandbox cannot listen on {host}:{port} ({error.strerror}): "
            "choose another port with --port, or 0 for a free one."
        ) from error
    return listener, f"http://{host}:{listener.getsockname()[1]}"


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    on_ready: Callable[[str], None] = lambda url: None,
    settings: SandboxSettings | None = None,
    **changes: Any,
) -> None:
    """Serve until the process is asked to stop (SIGINT or SIGTERM).

    :param port: 0 picks a free one.
    :param on_ready: called with the URL when it listens.
    :param changes: fields of :class:`SandboxSettings`, such as ``seed`` and ``rows_per_day``.
    :raises SettingsError: when a setting cannot be used or the port is taken.
    """
    chosen = changed_settings(settings or SandboxSettings(), **changes)
    listener, url = _listen(host, port)
    with listener, contextlib.suppress(KeyboardInterrupt):
        _Server(chosen, lambda: on_ready(url)).run(sockets=[listener])


@contextlib.contextmanager
def running(settings: SandboxSettings | None = None) -> Iterator[str]:
    """Serve in a thread of this process on a free loopback port, for tests; yield the URL.

    :raises SettingsError: when a setting cannot be used.
    """
    ready = threading.Event()
    listener, url = _listen("127.0.0.1", 0)
    server = _Server(settings or SandboxSettings(), ready.set)
    thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
    with listener:
        thread.start()
        try:
            if not ready.wait(_STARTUP_SECONDS):
                raise SettingsError("The sandbox did not start in time: look at the machine's load.")
            yield url
        finally:
            server.should_exit = True
            thread.join()


def _options(pairs: Sequence[str]) -> dict[str, dict[str, Any]]:
    options: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        name, found, text = pair.partition("=")
        slug, dot, field = name.partition(".")
        if not (found and dot):
            raise SettingsError(
                f"{pair!r} is not an option: write NETWORK.NAME=VALUE, such as admitad.zone=UTC."
            )
        try:
            options.setdefault(slug, {})[field] = json.loads(text)
        except json.JSONDecodeError:
            options.setdefault(slug, {})[field] = text
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="data-sync sandbox", description="Serve the sandbox networks: try everything without an account."
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument(
        "--settings", type=Path, help="a JSON file of settings; the options below override it"
    )
    parser.add_argument("--seed", type=int, help="another seed is another world")
    parser.add_argument("--rows-per-day", type=int, help="purchases per day and account")
    parser.add_argument("--first-day", type=date.fromisoformat, help="first day with rows, YYYY-MM-DD")
    parser.add_argument(
        "--now", type=datetime.fromisoformat, help="let the clock stand at this time, with a zone"
    )
    parser.add_argument(
        "--networks", type=lambda text: tuple(text.split(",")), help="such as admitad (default: all)"
    )
    parser.add_argument("--no-limits", action="store_true", help="count calls over a limit, but answer them")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NETWORK.NAME=VALUE",
        help="an option of one network, such as admitad.zone=UTC",
    )
    return parser


def _settings(arguments: argparse.Namespace) -> SandboxSettings:
    base = load_settings(arguments.settings) if arguments.settings else SandboxSettings()
    names = ("seed", "rows_per_day", "first_day", "now", "networks")
    changes: dict[str, Any] = {name: getattr(arguments, name) for name in names}
    changes = {name: value for name, value in changes.items() if value is not None}
    if arguments.no_limits:
        changes["enforce_limits"] = False
    options = {slug: dict(values) for slug, values in base.options.items()}
    for slug, values in _options(arguments.set).items():
        options.setdefault(slug, {}).update(values)
    return changed_settings(base, **changes, options=options)


def _announce(url: str) -> None:
    sys.stdout.write(f"The sandbox networks listen on {url}\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 after a stop, 2 when a setting cannot be used."""
    arguments = _parser().parse_args(argv)
    # A supervisor stops services with SIGTERM: that is as good an end as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve(
            arguments.host,
            arguments.port,
            settings=_settings(arguments),
            on_ready=_announce,
        )
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0
