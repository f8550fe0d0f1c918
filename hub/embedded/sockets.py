"""Where the Unix sockets are: in the data directory, or in a short private one when that lies too deep."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hub.embedded.directory import DataDirectory

LONGEST_SOCKET_PATH = 107  # sockaddr_un.sun_path has 108 bytes, one of them for the terminating zero
LONGEST_SOCKET_NAME = "postgres/.s.PGSQL.5432"


class SocketDirectory:
    """A private (0700) directory for the sockets of one run."""

    def __init__(self, data: DataDirectory) -> None:
        self._inside = data.run / "s"
        # Where the sockets are when they are not inside; read back to clean up after a run that was killed.
        self._elsewhere = data.run / "sockets"

    def create(self) -> Path:
        """Make the directory for this run and say where it is."""
        self.remove()
        if len(os.fsencode(self._inside / LONGEST_SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
            self._inside.mkdir(mode=0o700)
            return self._inside
        path = Path(tempfile.mkdtemp(prefix="conch-"))
        self._elsewhere.write_text(str(path))
        return path

    def find(self) -> Path:
        """The directory of the run that is under way."""
        return Path(self._elsewhere.read_text()) if self._elsewhere.exists() else self._inside

    def remove(self) -> None:
        """Remove the directory of this run, or of one that was killed."""
        path = self.find()
        ours = path == self._inside or path.name.startswith("conch-")
        if ours and path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.geteuid():
            shutil.rmtree(path)
        self._elsewhere.unlink(missing_ok=True)
