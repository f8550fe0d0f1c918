"""What the child says, as the parent understands it. The child may have been taken over: nothing here is trusted."""

from __future__ import annotations

import json
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
    """Raise ConversionFailed where a report points anywhere but into `output`, by its paths or by a link."""
    places = [report.model_directory, *filter(None, [report.probe]), *report.canonical]
    inside = all(place.is_absolute() and place.is_relative_to(output) and ".." not in place.parts for place in places)
    if not inside or any(path.is_symlink() for path in output.rglob("*")):
        raise ConversionFailed("The child process pointed outside its own directory.", LOG_KEPT)
