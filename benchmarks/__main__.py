"""``make bench``: measures everything in one run, prints it, and writes ``build/bench.json``."""

from __future__ import annotations

from pathlib import Path

from benchmarks import builds, processor, sync
from benchmarks.figures import keep, show

#: The subjects, in the order of the report.
SUBJECTS = (sync.measure, builds.measure, processor.measure)


def main() -> None:
    """Measure, print, keep."""
    figures = [figure for subject in SUBJECTS for figure in subject()]
    show(figures)
    keep(figures, Path("build", "bench.json"))


if __name__ == "__main__":
    main()
