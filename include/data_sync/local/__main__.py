"""``python -m data_sync.local``: what ``make demo``, ``make demo-once`` and ``make clean`` call."""

from __future__ import annotations

import sys

from data_sync.local import command
from data_sync.local.errors import LocalError
from data_sync.local.home import Home
from data_sync.local.postgres import EmbeddedPostgres
from data_sync.local.supervisor import supervise


def main(argv: list[str]) -> int:
    """Run the command; return its exit code: 1 with one sentence when something is in the way."""
    arguments = command.parse(argv)
    try:
        if arguments.what == command.CLEAN:
            return _clean(Home(arguments.home))
        command.layout_of(arguments)
        return supervise(Home(arguments.home), argv)
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _clean(home: Home) -> int:
    if not home.root.exists():
        return 0
    home.lock()
    EmbeddedPostgres(home.postgres).end_leftover()
    home.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
