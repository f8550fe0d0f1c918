"""What a killed `conch up` may have left: processes, their records, sockets, files that were being written."""

from __future__ import annotations

import logging
import shutil
import signal

from converters.invocation import FINDINGS
from hub.embedded.directory import DataDirectory
from hub.embedded.processes import Process, end, session_members
from hub.embedded.sockets import SocketDirectory
from triton_repo.publish import clean_staging

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


def remove_unfinished(data: DataDirectory) -> None:
    """Remove conversions, uploads and publications that were cut off; only with the lock held and nothing running.

    Nothing goes on from them but from the findings of a conversion: a job that is taken up again begins with what it
    finds there and in the artefact store.
    """
    try:
        for directory in (data.work, data.incoming):
            for path in directory.iterdir():
                if path.name.endswith(FINDINGS):
                    continue
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        clean_staging(data.repository)
    except OSError as error:  # it takes room and does no harm: no reason not to start
        logger.warning("what an earlier run left unfinished could not be removed: %s", error)
