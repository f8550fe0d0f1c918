"""What every hostile source has to end in: a clear error at once, and nothing left behind."""

from __future__ import annotations

import os
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from converters.child import ConversionFailed, Limits, SourceInvalid, convert, inspect_source
from converters.invocation import RECORDS
from converters.request import ConversionRequest
from converters.sources.detect import inspect
from tests.converters.given import no_progress

SMALL = Limits(seconds=20, memory_bytes=1024**3)
"""Enough to import the libraries and to read what is honest."""

_START = 15  # seconds that a child may take to start on a machine that does other things


class Payload:
    """Whoever unpickles this makes the file `marker`."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.open, (str(self._marker), os.O_CREAT | os.O_WRONLY)


def payload(marker: Path, protocol: int = 2) -> bytes:
    """A pickle that makes the file `marker`; it is tried here, so that a test of it can fail."""
    content = pickle.dumps(Payload(marker), protocol)
    os.close(pickle.loads(content))
    assert marker.exists()
    marker.unlink()
    return content


def refused(source: Path, task: str, message: str, *, seconds: float = 5, allow_pickle: bool = False) -> SourceInvalid:
    """Inspection refuses the source with `message` and a remedy, within `seconds`, and changes nothing in it."""
    return refused_by(lambda: inspect(source, task, allow_pickle), source, message, seconds=seconds)


def refused_by(read: Callable[[], object], source: Path, message: str, *, seconds: float = 5) -> SourceInvalid:
    """The same of anything that reads the source."""
    before = _listing(source)
    begun = time.monotonic()
    with pytest.raises(SourceInvalid, match=message) as error:
        read()
    assert time.monotonic() - begun < seconds
    assert _listing(source) == before
    _check_words(error.value, source)
    return error.value


async def refused_in_child(source: Path, task: str, message: str, limits: Limits = SMALL) -> None:
    """The same of an inspection in the child: its temporary directory is gone, and so is the process."""
    with _nothing_left(source), pytest.raises((SourceInvalid, ConversionFailed), match=message) as error:
        await inspect_source(source, task, limits)
    _check_words(error.value, source)


async def fails(source: Path, task: str, message: str, limits: Limits = SMALL) -> None:
    """A conversion ends with `message` and a remedy within its limits; beside the records, nothing is left of it."""
    output = source.parent / "output"
    begun = time.monotonic()
    request = ConversionRequest(source=source, task=task, threads=1)
    with _nothing_left(source), pytest.raises((SourceInvalid, ConversionFailed), match=message) as error:
        await convert(request, output, limits, no_progress)
    assert time.monotonic() - begun < limits.seconds + _START
    assert sorted(path.name for path in output.iterdir()) == sorted(RECORDS)
    _check_words(error.value, source)


@contextmanager
def _nothing_left(source: Path) -> Iterator[None]:
    """Temporary files go to a directory of their own, which is empty again at the end, as is the list of children."""
    before, temporary, usual = _listing(source), source.parent / "temporary", tempfile.tempdir
    temporary.mkdir()
    tempfile.tempdir = str(temporary)
    try:
        yield
    finally:
        tempfile.tempdir = usual
    assert list(temporary.iterdir()) == []
    assert _listing(source) == before
    children = psutil.Process().children(recursive=True)
    assert not [child.pid for child in children if any(str(source.parent) in part for part in _command(child))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def _listing(directory: Path) -> list[tuple[str, int]]:
    return sorted((str(path.relative_to(directory)), path.lstat().st_size) for path in directory.rglob("*"))


def _check_words(error: Any, source: Path) -> None:
    """For a person: sentences, a remedy, and no place of this machine."""
    assert error.message.endswith(".")
    assert len(error.remedy.split()) >= 4
    assert str(source) not in str(error)
    assert "Traceback" not in str(error)
    assert len(str(error)) < 1000
