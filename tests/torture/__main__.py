"""``make torture``: rounds of the crash test for as long as it is told, a line for each."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time


def main() -> int:
    """Play seed after seed; return 1 after printing the first round that did not end in the truth."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed; the next one follows")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each seed")
    parser.add_argument("--minutes", type=float, help="how long; without it, one seed is played")
    parser.add_argument("--pooler", choices=("", "pgbouncer"), default="", help="go through a pooler")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="data-sync-torture-airflow-") as home:
        os.environ["AIRFLOW_HOME"] = home
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
        # Airflow reads both when it is imported.
        from tests.torture.rounds import TortureError, play_on
        from tests.torture.site import servers

        until = None if chosen.minutes is None else time.monotonic() + 60 * chosen.minutes
        try:
            with servers(pooled=bool(chosen.pooler)) as running:
                seed = chosen.seed
                while True:
                    play_on(running, seed, chosen.rounds, say=_say, until=until)
                    seed += 1
                    if until is None or time.monotonic() > until:
                        return 0
        except (TortureError, RuntimeError) as error:
            _say(str(error))
            return 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
