"""What a killed `conch up` may have left: processes, their records, sockets."""

from __future__ import annotations

import logging
import signal

from hub.embedded.directory import DataDirectory
from hub.embedded.processes import Process, end, session_members
from hub.embedded.sockets import SocketDirectory

logger = logging.getLogger("conch.supervisor")

ORDERLY_SECONDS = 5.0  # they were told to end when their parent died; this is for the last of it


def end_leftovers(data: DataDirectory) -> None:
    """End the processes that an earlier run recorded and that still run; only those, and only with the lock held."""
    for record in sorted(data.run.glob("*.json")):
        process = Process.load(record)
        pids = session_members(process) if process is not None else []
        if pids:
            logger.warning("ending %s (pid %s), left over from a run that was killed", record.stem, pids[0])
            # PostgreSQL takes SIGINT as "write everything and end", and the others as an ordinary interrupt.
            end(pids, gently=signal.SIGINT, seconds=ORDERLY_SECONDS)
        record.unlink()
    SocketDirectory(data).remove()
