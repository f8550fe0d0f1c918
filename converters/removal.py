"""Removing what a child process wrote: it chose the modes of its directories, and may have shut everybody out."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import stat
from pathlib import Path

log = logging.getLogger(__name__)


def remove_tree(directory: Path) -> None:
    """Remove a directory with everything in it, whatever its modes; that it is not there is fine. Raises OSError."""
    if not os.path.lexists(directory):
        return
    try:
        try:
            shutil.rmtree(directory)
        except PermissionError:
            _open_up(directory)
            shutil.rmtree(directory)
    except RecursionError as error:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(directory)) from error


def discard(directory: Path) -> None:
    """As `remove_tree`, once the work is over: its outcome counts, so what cannot be removed is only logged."""
    try:
        remove_tree(directory)
    except OSError as error:
        log.warning("%s cannot be removed, and takes up space until somebody does: %s", directory, error)


def _open_up(directory: Path) -> None:
    """Let the owner into `directory` and every directory below it; no link is followed."""
    waiting = [directory]
    while waiting:
        here = waiting.pop()
        if here.lstat().st_mode & stat.S_IRWXU != stat.S_IRWXU:
            here.chmod(stat.S_IRWXU)
        with os.scandir(here) as entries:
            waiting.extend(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
