"""The words of ``python -m data_sync.local``, shared by the supervisor and the process inside it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from data_sync.local.errors import LocalError
from data_sync.local.home import CHECKOUT, Home
from data_sync.local.settings import Layout

#: What to do.
DEMO, DEMO_ONCE, SERVE, CLEAN = "demo", "demo-once", "serve", "clean"


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the words of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m data_sync.local", description="Affiliate Data Sync on one machine."
    )
    parser.add_argument("what", choices=(DEMO, DEMO_ONCE, SERVE, CLEAN))
    parser.add_argument("--home", type=Path, default=CHECKOUT / ".data", help="folder of all state")
    parser.add_argument("--port", default="8080", help="port of Airflow's screens and API")
    parser.add_argument("--sandbox-port", default="8787", help="port of the sandbox networks")
    parser.add_argument("--dags", type=Path, default=CHECKOUT / "dags", help="folder of DAG files")
    parser.add_argument("--schedules", type=Path, help="a schedules.yaml other than config/schedules.yaml")
    parser.add_argument(
        "--sandbox-option", action="append", default=[], help="passed on to the sandbox, such as=--seed=8"
    )
    return parser.parse_args(argv)


def layout_of(arguments: argparse.Namespace) -> Layout:
    """Turn the words into where everything runs.

    :raises LocalError: for a port that is none.
    """
    return Layout(
        home=Home(arguments.home),
        port=_port(arguments.port, "PORT"),
        sandbox_port=_port(arguments.sandbox_port, "SANDBOX_PORT"),
        dags=arguments.dags.resolve(),
        schedules=arguments.schedules.resolve() if arguments.schedules else None,
        sandbox_options=tuple(arguments.sandbox_option),
    )


def _port(text: str, setting: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1024 <= int(text) <= 65535:
        raise LocalError(f"{setting}={text} is not a port: write a number from 1024 to 65535.")
    return int(text)
