"""The directory that `conch convert` writes into: marked as unfinished until it is done, and locked while in use."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from converters.removal import discard, remove_tree
from registry.certificates.document import Document
from registry.certificates.files import JSON, PAGE, write
from registry.spec.errors import RemediedError

MARKER = ".conch-conversion"
"""The file that says that this directory is of a conversion that has not ended; it holds the conversion's id."""

_MADE = "made"  # where the child writes
_STAGING = "staging"
_CACHE = "cache"
_RESULTS = ("model", "canonical", "probe.json")


class OutputUnusable(RemediedError):
    """Nothing can be written to the output directory, or not without touching what is somebody else's."""


@dataclass(frozen=True)
class ConversionDirectory:
    """The output of one conversion. `conversion_id` stays the same from attempt to attempt."""

    path: Path
    conversion_id: str

    @property
    def cache(self) -> Path:
        """What a conversion has found out, for another attempt."""
        return self.path / _CACHE

    def clear(self) -> Path:
        """Take away what an interrupted attempt left but its findings; an empty directory for the source.

        Only what a conversion writes is touched: other files may lie here, such as the signing key.
        """
        for name in (_STAGING, _MADE, JSON, PAGE, *_RESULTS):
            _remove(self.path / name)
        staging = self.path / _STAGING
        staging.mkdir()
        return staging

    def remove_staging(self) -> None:
        """Take away the copy of the source; that it stays changes nothing about the conversion."""
        discard(self.path / _STAGING)

    def lay_out(self, document: Document) -> None:
        """Write the certificate, and bring what was made to its place. A kill leaves what `clear` takes away."""
        write(document, self.path)
        for name in _RESULTS:
            made = self.path / _MADE / name
            if made.exists():
                made.rename(self.path / name)
        _remove(self.path / _MADE)

    def finish(self) -> None:
        """The conversion is done from here on: its directory is nobody's to write into, and the findings are no use."""
        (self.path / MARKER).unlink()
        _remove(self.cache)


@contextmanager
def opened(path: Path) -> Iterator[ConversionDirectory]:
    """The directory `path`, made where it is not there, else one whose conversion has not ended.

    Raises OutputUnusable where it is another's, is in use, or cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = _marker(path)
    except OSError as error:
        raise OutputUnusable(
            f"The output {str(path)!r} cannot be made ({error.strerror}).",
            "Name a new directory where you can write.",
        ) from error
    with os.fdopen(descriptor, "r+", encoding="ascii", errors="replace") as marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _in_use(path) from error
        if os.fstat(descriptor).st_nlink == 0:  # the other one came to its end just before the line above
            raise _not_empty(path)
        yield ConversionDirectory(path, _conversion_id(marker.read()) or _new_id(marker, path))


def _marker(path: Path) -> int:
    """A descriptor of the marker, which is made only where nothing else is: a finished directory never gets one."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    if any(path.iterdir()):
        if not (path / MARKER).is_file():  # nor a pipe, which would be waited for
            raise _not_empty(path)
        try:
            return os.open(path / MARKER, flags)
        except FileNotFoundError as error:  # the other one has just finished
            raise _not_empty(path) from error
    try:
        return os.open(path / MARKER, flags | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError as error:
        raise _in_use(path) from error


def _conversion_id(text: str) -> str | None:
    """The id in a marker, None where a kill left it empty."""
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        return None


def _new_id(marker: TextIO, path: Path) -> str:
    """Give a locked marker its id. It comes before anything else: what lies beside a marker without one is not ours.

    That happens where another conversion came and finished while this one was between looking and making its marker.
    """
    if any(entry.name != MARKER for entry in path.iterdir()):
        (path / MARKER).unlink()
        raise _not_empty(path)
    new = str(uuid.uuid4())
    marker.seek(0)
    marker.truncate()
    marker.write(f"{new}\n")
    marker.flush()
    return new


def _in_use(path: Path) -> OutputUnusable:
    return OutputUnusable(
        f"Another conversion is writing to {str(path)!r}.", "Wait for its end, or name another directory."
    )


def _not_empty(path: Path) -> OutputUnusable:
    return OutputUnusable(
        f"The output {str(path)!r} is not empty.",
        "Name a new directory, or one of a conversion that was interrupted.",
    )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)
