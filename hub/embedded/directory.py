"""The data directory of `conch up`: what lies where, and who may use it at a time."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from hub.embedded.errors import CannotStart
from hub.suggestions import conch


@dataclass(frozen=True)
class DataDirectory:
    """Everything that one `conch up` keeps, below `root` (mode 0700)."""

    root: Path

    @property
    def postgres(self) -> Path:
        """The database; the only part that belongs to another user when Conch runs as root."""
        return self.root / "postgres"

    @property
    def redis(self) -> Path:
        """Working directory of Redis, which keeps nothing there."""
        return self.root / "redis"

    @property
    def triton(self) -> Path:
        """The private copy of the Triton server."""
        return self.root / "triton"

    @property
    def repository(self) -> Path:
        """The model repository that Triton loads from."""
        return self.root / "repository"

    @property
    def artefacts(self) -> Path:
        """The artefact store."""
        return self.root / "artefacts"

    @property
    def incoming(self) -> Path:
        """What the artefact store is still being sent."""
        return self.artefacts / "incoming"

    @property
    def work(self) -> Path:
        """Conversions that are under way."""
        return self.root / "work"

    @property
    def signing_key(self) -> Path:
        """The private key that signs certificates; never replaced, or what was signed before could not be told."""
        return self.root / "signing-key.pem"

    @property
    def run(self) -> Path:
        """What is true of this run only: process records, sockets."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """What each process wrote to its standard error."""
        return self.root / "logs"

    @property
    def keys(self) -> Path:
        """The administrator's and the demo tenant's key; kept from the moment they exist, ready or not."""
        return self.root / "keys.json"

    @property
    def bootstrap(self) -> Path:
        """Address and keys; there only while Conch is ready."""
        return self.root / "bootstrap.json"

    def prepare(self) -> None:
        """Create what is missing. Raises CannotStart where the directory cannot be written."""
        parts = (
            self.postgres,
            self.redis,
            self.triton,
            self.repository,
            self.artefacts,
            self.incoming,
            self.work,
            self.run,
            self.logs,
        )
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.root.chmod(0o700)
            for part in parts:
                part.mkdir(exist_ok=True, mode=0o700)
            self.bootstrap.unlink(missing_ok=True)
        except OSError as error:
            raise CannotStart(
                f"The data directory {self.root} cannot be written ({error.strerror}).",
                "Choose another with --data, or give this one to the user who runs conch.",
            ) from error

    def lock(self) -> Lock:
        """Take the directory for this process until it ends. Raises CannotStart where another one has it."""
        lock = Lock(self.root / "lock")
        if not lock.acquire():
            raise CannotStart(
                f"Conch is already running on {self.root} (pid {lock.holder()}).",
                f"Stop it with `{conch('down', '--data', self.root)}`, or choose another directory with --data.",
            )
        return lock

    def running(self) -> int | None:
        """The process id of the `conch up` that has this directory, if one has."""
        lock = Lock(self.root / "lock")
        if not lock.path.exists():
            return None
        if lock.acquire():
            lock.release()
            return None
        return lock.holder()


class Lock:
    """A file lock that the kernel takes back when its process dies, however it dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Try once; true when this process has it now. The holder's process id is left in the file."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotStart(
                f"{self.path} cannot be opened ({error.strerror}).", "Run conch as the user who owns the directory."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return True

    def holder(self) -> int:
        """The process id in the file; 0 where the holder has not written it yet."""
        text = self.path.read_text().strip()
        return int(text) if text.isdigit() else 0

    def release(self) -> None:
        """Give it back. The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
