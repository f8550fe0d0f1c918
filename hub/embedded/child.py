"""One child process: started so that it dies with its parent, recorded so that a later start finds it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.embedded.directory import DataDirectory
from hub.embedded.errors import CannotStart
from hub.embedded.processes import Process, session_members

POLL_SECONDS = 0.05
LONGEST_LOG_BYTES = 16 * 1024**2  # a log beyond it is set aside at the next start of its process; one is kept


@dataclass(frozen=True)
class Launch:
    """How to start a process.

    `as_user` are options of setpriv(1) that change the user; `stop_signal` ends it in an orderly way, and is also what
    it gets when its parent dies; it is killed when it still runs `grace` seconds later.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    as_user: tuple[str, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0


def setpriv(options: tuple[str, ...], command: tuple[str, ...]) -> tuple[str, ...]:
    """The command line that runs `command` under setpriv(1) with `options`."""
    program = shutil.which("setpriv")
    if program is None:
        raise CannotStart("The program setpriv is missing.", "Install the package util-linux.")
    return (program, *options, "--", *command)


class Child:
    """A running process of its own session, so that a Ctrl-C in the terminal reaches only the supervisor."""

    def __init__(self, name: str, launch: Launch, data: DataDirectory) -> None:
        self._launch = launch
        self._log = data.logs / f"{name}.log"
        self._record_path = data.run / f"{name}.json"
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._record: Process | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> Path:
        """The file with its standard output and error."""
        return self._log

    def start(self) -> None:
        """Start it. Must be called from the main thread: the kernel's notion of a parent's death is the thread's.

        Not a coroutine, so that no cancellation comes between the start of the process and its record.
        """
        command = setpriv(
            (f"--pdeathsig={self._launch.orphan_signal.name.removeprefix('SIG')}", *self._launch.as_user),
            self._launch.command,
        )
        if self._log.exists() and self._log.stat().st_size > LONGEST_LOG_BYTES:
            self._log.rename(self._log.with_suffix(".log.1"))
        descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._log_start = os.fstat(descriptor).st_size
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd=self._launch.directory,
                env=dict(self._launch.environment),
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        self._record = Process.of(self._process.pid, self._launch.command[0])
        if self._record is not None:
            self._record.save(self._record_path)

    async def wait(self) -> int:
        """Wait for its end, take its helpers down with it, and return its status (negative: the signal)."""
        assert self._process is not None
        while (status := self._process.poll()) is None:  # noqa: ASYNC110 - no event tells of a child's end
            await asyncio.sleep(POLL_SECONDS)
        self._end_helpers()
        return status

    async def stop(self) -> None:
        """End it and what it started: with its own signal first, killed after its time of grace."""
        assert self._process is not None
        self._process.send_signal(self._launch.stop_signal)  # does nothing where it has ended
        try:
            await asyncio.wait_for(self.wait(), self._launch.grace)
        except TimeoutError:
            self._process.kill()
            await self.wait()
        self._record_path.unlink(missing_ok=True)

    def last_line(self) -> str:
        """The last line it wrote since it was started; why it ended, as a rule."""
        with self._log.open("rb") as log:
            log.seek(max(self._log_start, self._log.stat().st_size - 8192))
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it wrote nothing"

    def _end_helpers(self) -> None:
        """Kill what is left of its session: Triton's Python stubs outlive a killed Triton for a moment."""
        if self._record is None:
            return
        for pid in session_members(self._record):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def describe_exit(status: int) -> str:
    """An exit status in words."""
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
