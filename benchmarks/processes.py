"""CPU time and memory of servers, their children included."""

from __future__ import annotations

from collections.abc import Sequence

import psutil


def tree(pids: Sequence[int]) -> list[psutil.Process]:
    """The processes of `pids` and everything below them, each once."""
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            found[member.pid] = member
    return list(found.values())


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of a process tree so far."""
    total = 0.0
    for process in tree(pids):
        times = process.cpu_times()
        total += times.user + times.system
    return total


def resident_bytes(pid: int) -> int:
    """Resident memory of one process, without its children."""
    return int(psutil.Process(pid).memory_info().rss)
