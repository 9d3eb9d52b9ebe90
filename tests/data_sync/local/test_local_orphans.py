"""Processes that lost their parent leave nothing behind while the set-up runs."""

from __future__ import annotations

import subprocess
import sys

_WITH_AN_ORPHAN = """
import subprocess, time
import psutil
from data_sync.local.processes import adopt_orphans, reap_orphans

adopt_orphans()
own = subprocess.Popen(["sh", "-c", "exit 7"])
# Its parent ends at once; it ends a little later, as a task does whose executor was killed.
subprocess.run(["sh", "-c", "sleep 0.3 &"], check=True)
deadline = time.monotonic() + 30
while [p.status() for p in psutil.Process().children()] != [psutil.STATUS_ZOMBIE] * 2:
    assert time.monotonic() < deadline, psutil.Process().children()
    time.sleep(0.05)
reap_orphans({own.pid})
assert [p.pid for p in psutil.Process().children()] == [own.pid]
assert own.wait() == 7
reap_orphans(set())
"""


def test_an_adopted_process_that_has_ended_goes_and_our_own_keep_their_exit_codes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITH_AN_ORPHAN], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
