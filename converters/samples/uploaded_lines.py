"""Lines of a file that may be hostile: bounded, in UTF-8, each a text or a JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from converters.samples.uploaded import refuse


def lines(path: Path, most_bytes: int) -> Iterator[tuple[int, str]]:
    """Each line that is not blank, with its number. Raises SourceInvalid for one that is too long or not UTF-8."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(most_bytes + 1):
            number += 1
            if len(line) > most_bytes:
                refuse(path, f"has more than {most_bytes:,} bytes in line {number}", "Write one entry in each line.")
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError:
                refuse(path, f"is not UTF-8 in line {number}", "Save the file in UTF-8.")
            if text:
                yield number, text


def objects(path: Path, most_bytes: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON object of each line, with its number. Raises SourceInvalid for anything else, NaN and Infinity too."""
    for number, line in lines(path, most_bytes):
        try:
            entry = json.loads(line, parse_constant=_no_number)
        except (ValueError, RecursionError):  # ValueError is also what integers of over 4300 digits cause
            refuse(path, f"has no valid JSON in line {number}", "Write one JSON object in each line, without NaN.")
        if not isinstance(entry, dict):
            refuse(path, f"has no JSON object in line {number}", 'Write {"text": "…"} or {"inputs": {…}} in each line.')
        yield number, entry


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
