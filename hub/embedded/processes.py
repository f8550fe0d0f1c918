"""Which process is which, from /proc: a process id alone may have passed on to a stranger."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process for certain: its id, the boot and the moment (clock ticks after boot) it started, its program."""

    pid: int
    started: int
    boot: str
    program: str

    def is_alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        fields = _stat(self.pid)
        return (
            fields is not None
            and fields.state != "Z"
            and fields.started == self.started
            and self.boot == _boot()
            and self.program in _command_line(self.pid)
        )

    def save(self, path: Path) -> None:
        """Record it for the next start."""
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(self)))
        temporary.rename(path)

    @classmethod
    def load(cls, path: Path) -> Process | None:
        """The process that an earlier run recorded; None where the record is not whole."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    @classmethod
    def of(cls, pid: int, program: str) -> Process | None:
        """The process `pid`, which runs `program` (or is about to); None when it is gone."""
        fields = _stat(pid)
        return None if fields is None else cls(pid, fields.started, _boot(), Path(program).name)


@dataclass(frozen=True)
class _Stat:
    state: str
    session: int
    started: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # proc(5): the name in parentheses may hold anything; state is field 3, session 6, starttime 22.
    fields = text.rpartition(")")[2].split()
    return _Stat(fields[0], int(fields[3]), int(fields[19]))


def _boot() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _command_line(pid: int) -> str:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def session_members(process: Process) -> list[int]:
    """Living processes of the session that `process` led, itself included.

    Empty when its process id belongs to somebody else by now: the kernel does not give an id away while a session of
    that number has members, so then none of ours is left.
    """
    leader = _stat(process.pid)
    if process.boot != _boot() or (leader is not None and leader.started != process.started):
        return []
    stats = ((pid, _stat(pid)) for pid in _pids())
    return [
        pid
        for pid, stat in stats
        if stat is not None and stat.session == process.pid and stat.state != "Z" and stat.started >= process.started
    ]


def working_in(directory: Path) -> list[int]:
    """Processes whose working directory is `directory`; those of other users stay unseen."""
    found = []
    for pid in _pids():
        try:
            if os.readlink(PROC / str(pid) / "cwd") == str(directory):
                found.append(pid)
        except OSError:  # gone, a zombie, or not ours to see
            continue
    return found


def runs_program(pid: int, directory: Path) -> bool:
    """Whether `pid` executes a program that lies below `directory`."""
    try:
        return Path(os.readlink(PROC / str(pid) / "exe")).is_relative_to(directory)
    except OSError:
        return False


def end(pids: list[int], *, gently: signal.Signals, seconds: float) -> None:
    """Ask `pids` to end and, when some still run after `seconds`, kill them. Returns when they are gone."""
    _send(pids, gently)
    if not _gone(pids, seconds):
        _send(pids, signal.SIGKILL)
        _gone(pids, 10)


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _gone(pids: list[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any((stat := _stat(pid)) is not None and stat.state != "Z" for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
