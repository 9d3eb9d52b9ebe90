"""The process that starts everything and tells the story; :mod:`data_sync.local.supervisor` starts it."""

from __future__ import annotations

import signal
import sys

from rich.console import Console

from data_sync.errors import DataSyncError
from data_sync.local import command, demo
from data_sync.local.processes import STOP_SIGNALS
from data_sync.local.stack import running


def main(argv: list[str]) -> int:
    """Run until the story ends or a signal comes; return the exit code.

    :returns: 0 when all is right or a person ends it while it serves; 1 with one sentence when it
        cannot start or rows are wrong; 130 when a signal comes earlier.
    """
    arguments = command.parse(argv)
    console = Console(highlight=False)
    for signum in STOP_SIGNALS:
        signal.signal(signum, signal.default_int_handler)
    is_serving = False
    try:
        with running(command.layout_of(arguments), lambda line: console.print(f"{line} ...")) as stack:
            if arguments.what != command.SERVE:
                is_right = demo.tell(stack, console)
                if arguments.what == command.DEMO_ONCE:
                    return 0 if is_right else 1
            is_serving = True
            demo.show_way_in(stack, console)
            stack.serve()
    except KeyboardInterrupt:
        return 0 if is_serving else 130
    except DataSyncError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), markup=False)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
