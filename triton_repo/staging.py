"""Where a model is put together before it is renamed into the repository: beside it, on the same file system.

Every staging directory is locked by the process that works in it. The lock dies with the process, so that
`remove_staged` tells what was left behind from what is in work.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triton_repo.errors import Unpublishable


@contextmanager
def staged(repository: Path, name: str) -> Iterator[Path]:
    """A new, locked directory to build in; whatever has not been renamed away at the end is removed.

    Raises Unpublishable where a rename into the repository would cross file systems.
    """
    repository.mkdir(parents=True, exist_ok=True)
    area = _area(repository)
    area.mkdir(exist_ok=True)
    if area.stat().st_dev != repository.stat().st_dev:
        raise Unpublishable(
            f"{repository} is the root of a file system, so nothing can be renamed into it from outside",
            "Make the repository a subdirectory of that file system.",
        )
    directory, lock = _create(area, name)
    try:
        yield directory
    finally:
        if directory.exists():
            shutil.rmtree(directory)
        os.close(lock)


def remove_staged(repository: Path) -> None:
    """Remove the staging directories whose process is gone."""
    area = _area(repository)
    if not area.is_dir():
        return
    for directory in area.iterdir():
        lock = _lock(directory)
        if lock is not None:
            shutil.rmtree(directory)
            os.close(lock)


def make_durable(directory: Path) -> None:
    """Make everything below `directory` durable and its files read-only."""
    for entry in directory.iterdir():
        if entry.is_dir():
            make_durable(entry)
        else:
            entry.chmod(0o444)
            sync(entry)
    sync(directory)


def sync(path: Path) -> None:
    """Make one file's content, or one directory's entries, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _area(repository: Path) -> Path:
    return repository.parent / f".{repository.name}-staging"


def _create(area: Path, name: str) -> tuple[Path, int]:
    while True:
        directory = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=area))
        directory.chmod(0o755)
        lock = _lock(directory)
        if lock is None:  # a cleaner took it in the instant before the lock; the next name is another one
            continue
        if directory.exists():
            return directory, lock
        os.close(lock)


def _lock(directory: Path) -> int | None:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
