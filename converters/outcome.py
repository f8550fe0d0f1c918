"""What the child says, as the parent understands it. The child may have been taken over: nothing here is trusted."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.errors import LOG_KEPT, ConversionFailed
from converters.progress import Progress
from converters.report import ConversionReport


@dataclass(frozen=True)
class Outcome:
    """The end of a child: a `result`, or the name of an `error` with its message and remedy."""

    result: Any = None
    error: str | None = None
    message: str = ""
    remedy: str = ""


def read_line(line: bytes) -> Progress | Outcome:
    """One line of the child's. Raises ConversionFailed for one that is not ours."""
    try:
        record = json.loads(line)
        event, data = record["event"], record["data"]
        if event == "progress":
            fraction = None if data["fraction"] is None else float(data["fraction"])
            return Progress(str(data["step"]), str(data["message"]), fraction, float(data["elapsed"]))
        if event == "error":
            return Outcome(error=str(data["kind"]), message=str(data["message"]), remedy=str(data["remedy"]))
        if event == "result":
            return Outcome(result=data)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ConversionFailed("The child process said something unreadable.", LOG_KEPT) from error
    raise ConversionFailed("The child process said something unknown.", LOG_KEPT)


def check_places(report: ConversionReport, output: Path) -> None:
    """Raise ConversionFailed unless a report points to what is in `output`, and all there are plain files, to be read.

    A link would lead out of it, and whoever opens a pipe or a device waits for ever. Modes count for root, too: what
    keeps its owner out could neither be looked at nor taken away elsewhere. What serves lies in one directory without
    others in it.
    """
    files = [*filter(None, [report.probe]), *report.canonical]
    places = [report.model_directory, *files]
    if not all(place.is_absolute() and place.is_relative_to(output) and ".." not in place.parts for place in places):
        raise ConversionFailed("The child process pointed outside its own directory.", LOG_KEPT)
    try:
        modes = dict(_modes(output))
    except OSError as error:
        raise _not_plain() from error
    regular = {path for path, mode in modes.items() if stat.S_ISREG(mode) and mode & stat.S_IRUSR}
    directories = {path for path, mode in modes.items() if stat.S_ISDIR(mode) and mode & stat.S_IRWXU == stat.S_IRWXU}
    nested = any(path.parent == report.model_directory for path in directories)
    known = report.model_directory in directories and regular.issuperset(files)
    if nested or not known or modes.keys() != regular | directories:
        raise _not_plain()


def _modes(output: Path) -> Iterator[tuple[Path, int]]:
    """The mode of `output` and of everything below it. Raises OSError for what cannot be looked at."""
    mode = output.lstat().st_mode
    yield output, mode
    waiting = [output] if stat.S_ISDIR(mode) else []
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                path, mode = Path(entry.path), entry.stat(follow_symlinks=False).st_mode
                yield path, mode
                if stat.S_ISDIR(mode):
                    waiting.append(path)


def _not_plain() -> ConversionFailed:
    return ConversionFailed("The child process left something other than plain files that can be read.", LOG_KEPT)
