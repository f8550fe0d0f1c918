"""`conch down`: ask a running `conch up` to stop, and wait until it has."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart
from hub.embedded.processes import Process

LONGEST_STOP_SECONDS = 150.0  # the longest times of grace of the parts, one after the other
POLL_SECONDS = 0.1


def down(path: Path) -> int | None:
    """Stop the `conch up` on the data directory `path`; its process id, or None where none was running."""
    data = DataDirectory(path.absolute())
    pid = data.running()
    process = Process.of(pid, "") if pid else None
    if process is None:
        return None
    os.kill(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + LONGEST_STOP_SECONDS
    while process.is_alive():
        if time.monotonic() > deadline:
            raise CannotStart(
                f"Conch (pid {process.pid}) has not stopped within {LONGEST_STOP_SECONDS:.0f} s.",
                f"See {data.logs}, then `kill -9 {process.pid}`; the next start cleans up.",
            )
        time.sleep(POLL_SECONDS)
    return process.pid
