"""Requests and answers pass between Triton and this process through shared memory: it is nobody else's to read."""

from __future__ import annotations

from pathlib import Path

_SHARED = "/dev/shm/"  # noqa: S108 - only names that this process has mapped are touched


def keep_private() -> None:
    """Take other users' access from this process's shared memory, before the first request is in it.

    Triton creates it readable by everybody, whatever its umask says.
    """
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        path = line.partition(_SHARED)[2]
        if path and not path.endswith(" (deleted)"):
            (Path(_SHARED) / path).chmod(0o600)
