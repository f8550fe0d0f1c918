"""What the child gives up before it opens a file that somebody else made."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from converters import landlock, seccomp
from converters.request import Limits

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWNET = 0x40000000
_CLONE_NEWUSER = 0x10000000

_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/dev/urandom"),
)
_DEVICES = ("/dev/null", "/dev/zero")


@dataclass(frozen=True)
class Confinement:
    """What really held: a system may lack Landlock or seccomp, or forbid namespaces. `landlock` is a version, or 0."""

    landlock: int
    network: bool
    calls: bool
    limits: Limits

    def walls(self) -> list[str]:
        """Each wall in a few words, as the log and the report have it; NOT where there is none."""
        return [
            f"files: Landlock {self.landlock}" if self.landlock else "files: NOT confined (no Landlock)",
            "network: a namespace of its own" if self.network else "network: NOT cut off (no namespaces)",
            "system calls: seccomp, no sockets, no processes"
            if self.calls
            else "system calls: NOT filtered (no seccomp)",
            f"limits: {self.limits.memory_bytes / 1024**3:.1f} GB of memory, {self.limits.seconds:g} s",
        ]


def confine(limits: Limits, parent: int, source: Path, writable: Sequence[Path]) -> Confinement:
    """Die with `parent`, stay within `limits`, read `source`, write `writable`, reach nothing else.

    RLIMIT_DATA counts what is allocated and not what is mapped from files, so that weights read in place are free.
    RLIMIT_NPROC would count everything its user runs and spare root: the filter refuses processes instead, and the
    stacks of threads count as memory. Raises RuntimeError in a process with threads: they would keep what is given up.
    """
    if len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("A process with threads cannot be confined.")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os.kill(os.getpid(), signal.SIGKILL)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _lower(resource.RLIMIT_DATA, limits.memory_bytes)
    _lower(resource.RLIMIT_CPU, int(limits.seconds * (os.cpu_count() or 1)) + 1)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, 1024)
    network = _leave_network(libc)
    python = (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)
    readable = [*map(Path, (*_SYSTEM, *python)), *_packages(), source]
    version = landlock.restrict(readable, [*writable, *map(Path, _DEVICES)])
    return Confinement(version, network, seccomp.restrict(), limits)


def peak_memory_bytes() -> int:
    """The most memory this process has had resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def allocated_bytes() -> int:
    """What this process has allocated now, as RLIMIT_DATA counts it."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()


def _leave_network(libc: ctypes.CDLL) -> bool:
    """Move to a network namespace with nothing in it: as root, or as the root of a user namespace of one's own."""
    if libc.unshare(_CLONE_NEWNET) == 0:
        return True
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    with contextlib.suppress(PermissionError):  # without a mapping only the name of the user is lost
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


def _packages() -> list[Path]:
    """Our own code, which an editable install keeps outside the environment; not what lies beside it."""
    found = (importlib.util.find_spec(name) for name in ("converters", "registry"))
    places = [Path(place) for spec in found if spec for place in spec.submodule_search_locations or ()]
    return [*places, *(place.parent / "conch.egg-info" for place in places)]  # the certificate names our version


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))
