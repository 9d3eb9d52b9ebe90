"""The process that starts everything and tells the story; :mod:`data_sync.local.supervisor` starts it."""

from __future__ import annotations

import signal
import sys

from rich.console import Console

from data_sync.errors import DataSyncError
from data_sync.local import command
from data_sync.local.processes import STOP_SIGNALS
from data_sync.local.stack import running


def main(argv: list[str]) -> int:
    """Run until the story ends or a signal comes; return the exit code."""
    arguments = command.parse(argv)
    console = Console(highlight=False)
    for signum in STOP_SIGNALS:
        signal.signal(signum, signal.default_int_handler)
    ready = False
    try:
        with running(command.layout_of(arguments), lambda line: console.print(f"{line} ...")) as stack:
            ready = True
            console.print(f"Airflow: {stack.layout.url}")
            stack.serve()
    except KeyboardInterrupt:
        return 0 if ready else 130
    except DataSyncError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), markup=False)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
