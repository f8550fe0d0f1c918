"""Tests of what file modes forbid, which root does not notice: as another user where the tests run as root."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

_NOBODY = 65534


def unprivileged(work: Callable[[Path], None]) -> None:
    """Run `work` with a directory of its own in a process without root's capabilities; AssertionError where it fails.

    The process is a fork and can import nothing further: this one's Python may lie where the other user cannot read.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0:
            os.chown(name, _NOBODY, _NOBODY)
        child = os.fork()
        if child == 0:
            os._exit(_worked(work, Path(name)))
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "see the traceback above"


def _worked(work: Callable[[Path], None], directory: Path) -> int:
    try:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
        os.chdir(directory)
        work(directory)
    except BaseException:  # the fork must not return into the test runner, whatever happened
        traceback.print_exc()
        return 1
    return 0
